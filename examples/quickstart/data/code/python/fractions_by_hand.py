"""Exact fractions, to show how operators are overloaded."""

from __future__ import annotations

from functools import total_ordering
from math import gcd


@total_ordering
class Fraction:
    """A fraction in lowest terms with a positive denominator.

    >>> Fraction(6, -8)
    Fraction(-3, 4)
    >>> print(Fraction(1, 2) + Fraction(1, 3))
    5/6
    >>> Fraction(2, 3) > Fraction(3, 5)
    True
    """

    def __init__(self, top: int, bottom: int = 1) -> None:
        if bottom == 0:
            raise ZeroDivisionError("the denominator is zero")
        if bottom < 0:
            top, bottom = -top, -bottom
        common = gcd(top, bottom)
        self.top = top // common
        self.bottom = bottom // common

    def __repr__(self) -> str:
        return f"Fraction({self.top}, {self.bottom})"

    def __str__(self) -> str:
        return str(self.top) if self.bottom == 1 else f"{self.top}/{self.bottom}"

    def __add__(self, other: Fraction) -> Fraction:
        top = self.top * other.bottom + other.top * self.bottom
        return Fraction(top, self.bottom * other.bottom)

    def __sub__(self, other: Fraction) -> Fraction:
        return self + Fraction(-other.top, other.bottom)

    def __mul__(self, other: Fraction) -> Fraction:
        return Fraction(self.top * other.top, self.bottom * other.bottom)

    def __truediv__(self, other: Fraction) -> Fraction:
        return self * Fraction(other.bottom, other.top)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Fraction):
            return NotImplemented
        return (self.top, self.bottom) == (other.top, other.bottom)

    def __lt__(self, other: Fraction) -> bool:
        return self.top * other.bottom < other.top * self.bottom

    def __hash__(self) -> int:
        return hash((self.top, self.bottom))
