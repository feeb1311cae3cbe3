"""Split an arithmetic expression into tokens."""

import re
from typing import Iterator, NamedTuple


class Token(NamedTuple):
    """One piece of the input, with the column where it starts."""

    kind: str
    text: str
    column: int


RULES = [
    ("number", r"\d+(?:\.\d+)?"),
    ("name", r"[A-Za-z_]\w*"),
    ("operator", r"[-+*/^]"),
    ("open", r"\("),
    ("close", r"\)"),
    ("space", r"\s+"),
]
PATTERN = re.compile("|".join(f"(?P<{kind}>{rule})" for kind, rule in RULES))


def tokenize(source: str) -> Iterator[Token]:
    """Yield the tokens of source and leave out the spaces.

    >>> [token.text for token in tokenize("2 * (rate + 10.5)")]
    ['2', '*', '(', 'rate', '+', '10.5', ')']
    >>> list(tokenize("a ? b"))
    Traceback (most recent call last):
        ...
    SyntaxError: unexpected '?' in column 2
    """
    position = 0
    while position < len(source):
        match = PATTERN.match(source, position)
        if match is None:
            raise SyntaxError(f"unexpected {source[position]!r} in column {position}")
        if match.lastgroup != "space":
            yield Token(match.lastgroup or "", match.group(), position)
        position = match.end()


def balanced(source: str) -> bool:
    """Tell whether every bracket is closed in the right order.

    >>> balanced("(a + b) * (c)"), balanced(")a(")
    (True, False)
    """
    depth = 0
    for token in tokenize(source):
        if token.kind == "open":
            depth += 1
        elif token.kind == "close":
            depth -= 1
            if depth < 0:
                return False
    return depth == 0
