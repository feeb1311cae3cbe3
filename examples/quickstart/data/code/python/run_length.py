"""Run-length encoding: say how often instead of repeating."""

import re
from itertools import groupby


def encode(text: str) -> str:
    """Replace each run of a character by its length and the character.

    Single characters stay as they are.

    >>> encode("aaabccd")
    '3ab2cd'
    """
    pieces = []
    for char, run in groupby(text):
        length = sum(1 for _ in run)
        pieces.append(f"{length}{char}" if length > 1 else char)
    return "".join(pieces)


def decode(code: str) -> str:
    """Write the runs out again.

    >>> decode("3ab2cd")
    'aaabccd'
    """
    return re.sub(r"(\d+)(\D)", lambda m: int(m[1]) * m[2], code)


def ratio(text: str) -> float:
    """Return the size of the code relative to the text.

    A value below 1 means that the code is shorter.

    >>> ratio("z" * 50)
    0.06
    """
    return len(encode(text)) / len(text) if text else 1.0


def longest_run(text: str) -> tuple[str, int]:
    """Return the character with the longest run, and its length.

    >>> longest_run("abbbbcc")
    ('b', 4)
    """
    runs = [(char, len(list(run))) for char, run in groupby(text)]
    return max(runs, key=lambda pair: pair[1])


if __name__ == "__main__":
    for sample in ("", "hello", "wwwwwwbbbbw"):
        assert decode(encode(sample)) == sample
        print(f"{sample!r} -> {encode(sample)!r}")
