"""Count words and letters in a text."""

import re
from collections import Counter

WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")


def words(text: str) -> list[str]:
    """Split text into lower-case words, leaving punctuation out.

    >>> words("Don't stop: the bus waits!")
    ["don't", 'stop', 'the', 'bus', 'waits']
    """
    return [match.group().lower() for match in WORD.finditer(text)]


def most_common(text: str, limit: int = 3) -> list[tuple[str, int]]:
    """Return the most frequent words, ties in alphabetical order.

    >>> most_common("the cat saw the dog and the cat ran", 2)
    [('the', 3), ('cat', 2)]
    """
    counts = Counter(words(text))
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ordered[:limit]


def average_word_length(text: str) -> float:
    """Return the mean number of letters in a word, or 0 for no words.

    >>> average_word_length("one three")
    4.0
    """
    found = words(text)
    if not found:
        return 0.0
    return sum(len(word) for word in found) / len(found)


def concordance(text: str) -> dict[str, list[int]]:
    """Map each word to the numbers of the lines where it appears.

    >>> concordance("rain and wind\\nwind again")["wind"]
    [1, 2]
    """
    places: dict[str, list[int]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        for word in words(line):
            lines = places.setdefault(word, [])
            if not lines or lines[-1] != number:
                lines.append(number)
    return places
