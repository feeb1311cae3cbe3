"""Evaluate expressions such as "2 * (3 + 4)" by recursive descent.

The grammar has one function for each level of precedence:

    sum     = product (("+" | "-") product)*
    product = factor (("*" | "/") factor)*
    factor  = number | "-" factor | "(" sum ")"
"""

import re


class Parser:
    """Walk through the tokens from left to right."""

    def __init__(self, source: str) -> None:
        self.tokens = re.findall(r"\d+\.?\d*|[-+*/()]", source)
        self.position = 0

    def peek(self) -> str | None:
        """Return the next token without using it."""
        if self.position < len(self.tokens):
            return self.tokens[self.position]
        return None

    def take(self) -> str:
        """Use up the next token and return it."""
        token = self.peek()
        if token is None:
            raise SyntaxError("unexpected end of input")
        self.position += 1
        return token

    def sum(self) -> float:
        value = self.product()
        while self.peek() in ("+", "-"):
            if self.take() == "+":
                value += self.product()
            else:
                value -= self.product()
        return value

    def product(self) -> float:
        value = self.factor()
        while self.peek() in ("*", "/"):
            if self.take() == "*":
                value *= self.factor()
            else:
                value /= self.factor()
        return value

    def factor(self) -> float:
        token = self.take()
        if token == "-":
            return -self.factor()
        if token == "(":
            value = self.sum()
            if self.take() != ")":
                raise SyntaxError("expected a closing bracket")
            return value
        return float(token)


def evaluate(source: str) -> float:
    """Return the value of an expression.

    >>> evaluate("2 * (3 + 4) - 6 / 3")
    12.0
    >>> evaluate("-(1 + 2)")
    -3.0
    """
    parser = Parser(source)
    value = parser.sum()
    if parser.peek() is not None:
        raise SyntaxError(f"unexpected {parser.peek()}")
    return value
