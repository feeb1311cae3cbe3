"""A cache that drops the entry nobody has used for the longest time."""

from collections import OrderedDict
from typing import Callable, Hashable, TypeVar

V = TypeVar("V")


class LruCache:
    """Remember at most capacity values.

    >>> cache = LruCache(2)
    >>> cache.put("a", 1)
    >>> cache.put("b", 2)
    >>> cache.get("a")
    1
    >>> cache.put("c", 3)  # "b" is now the least recently used
    >>> cache.get("b") is None
    True
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.hits = 0
        self.misses = 0
        self._entries: OrderedDict[Hashable, object] = OrderedDict()

    def get(self, key: Hashable, default=None):
        """Return the stored value and mark it as freshly used."""
        if key not in self._entries:
            self.misses += 1
            return default
        self.hits += 1
        self._entries.move_to_end(key)
        return self._entries[key]

    def put(self, key: Hashable, value: object) -> None:
        """Store a value, making room if necessary."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self.capacity:
            self._entries.popitem(last=False)

    def get_or_make(self, key: Hashable, make: Callable[[], V]) -> V:
        """Return the stored value, or make it, store it and return it.

        >>> LruCache(1).get_or_make("answer", lambda: 6 * 7)
        42
        """
        missing = object()
        value = self.get(key, missing)
        if value is missing:
            value = make()
            self.put(key, value)
        return value
