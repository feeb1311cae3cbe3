"""Dynamic programming: fill a rucksack, and give change."""

from typing import NamedTuple


class Thing(NamedTuple):
    """Something to carry."""

    name: str
    weight: int
    worth: int


CAMPING = [
    Thing("tent", 5, 10),
    Thing("stove", 3, 6),
    Thing("book", 1, 2),
    Thing("guitar", 4, 5),
    Thing("blanket", 2, 5),
]


def pack(things: list[Thing], limit: int) -> list[str]:
    """Return the names of the most worthwhile things that fit.

    best[w] holds the best worth and choice for a weight of at most w.
    Going down through the weights uses each thing at most once.

    >>> pack(CAMPING, 8)
    ['tent', 'book', 'blanket']
    """
    best: list[tuple[int, list[str]]] = [(0, []) for _ in range(limit + 1)]
    for thing in things:
        for weight in range(limit, thing.weight - 1, -1):
            worth, names = best[weight - thing.weight]
            if worth + thing.worth > best[weight][0]:
                best[weight] = (worth + thing.worth, names + [thing.name])
    return best[limit][1]


def fewest_coins(amount: int, coins: list[int]) -> int | None:
    """Return how few coins make up the amount, or None if none do.

    >>> fewest_coins(63, [1, 5, 21, 25])
    3
    >>> fewest_coins(3, [2]) is None
    True
    """
    fewest: list[int | None] = [0] + [None] * amount
    for total in range(1, amount + 1):
        options = [fewest[total - coin] for coin in coins if coin <= total]
        counts = [count for count in options if count is not None]
        if counts:
            fewest[total] = 1 + min(counts)
    return fewest[amount]
