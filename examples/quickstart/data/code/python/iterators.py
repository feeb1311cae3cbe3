"""Generators for walking through data in handy pieces."""

from collections import deque
from itertools import islice
from typing import Callable, Iterable, Iterator, TypeVar

T = TypeVar("T")


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of size items; the last may be shorter.

    >>> list(chunks("abcdefg", 3))
    [['a', 'b', 'c'], ['d', 'e', 'f'], ['g']]
    """
    iterator = iter(items)
    while piece := list(islice(iterator, size)):
        yield piece


def windows(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """Yield every run of size neighbours.

    >>> list(windows([1, 2, 3, 4], 2))
    [(1, 2), (2, 3), (3, 4)]
    """
    window: deque[T] = deque(maxlen=size)
    for item in items:
        window.append(item)
        if len(window) == size:
            yield tuple(window)


def unique(items: Iterable[T]) -> Iterator[T]:
    """Yield each item the first time it is seen.

    >>> "".join(unique("mississippi"))
    'misp'
    """
    seen: set[T] = set()
    for item in items:
        if item not in seen:
            seen.add(item)
            yield item


def flatten(nested: Iterable) -> Iterator:
    """Yield the leaves of lists inside lists.

    >>> list(flatten([1, [2, [3, 4]], [], 5]))
    [1, 2, 3, 4, 5]
    """
    for item in nested:
        if isinstance(item, list):
            yield from flatten(item)
        else:
            yield item


def take_until(items: Iterable[T], stop: Callable[[T], bool]) -> Iterator[T]:
    """Yield items up to and including the first that stop accepts."""
    for item in items:
        yield item
        if stop(item):
            return
