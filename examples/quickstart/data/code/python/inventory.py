"""Keep track of what is on the shelves of a shop."""

from collections import Counter


class OutOfStock(Exception):
    """Raised when more is asked for than the shelf holds."""


class Inventory:
    """Quantities and prices of articles.

    >>> shop = Inventory()
    >>> shop.receive("soap", 10, price=250)
    >>> shop.sell("soap", 4)
    1000
    >>> shop.quantity("soap")
    6
    >>> shop.low(limit=8)
    ['soap']
    """

    def __init__(self) -> None:
        self._stock: Counter[str] = Counter()
        self._prices: dict[str, int] = {}

    def receive(self, article: str, amount: int, price: int) -> None:
        """Put new goods on the shelf and set their price in cents."""
        if amount <= 0:
            raise ValueError("nothing was delivered")
        self._stock[article] += amount
        self._prices[article] = price

    def sell(self, article: str, amount: int) -> int:
        """Take goods from the shelf and return what they cost."""
        if self._stock[article] < amount:
            raise OutOfStock(f"{self._stock[article]} of {article} left")
        self._stock[article] -= amount
        return amount * self._prices[article]

    def quantity(self, article: str) -> int:
        """Return how many there are; 0 for an unknown article."""
        return self._stock[article]

    def value(self) -> int:
        """Return what everything on the shelves would sell for."""
        return sum(n * self._prices[name] for name, n in self._stock.items())

    def low(self, limit: int) -> list[str]:
        """Return the articles of which fewer than limit are left."""
        return sorted(name for name, n in self._stock.items() if n < limit)
