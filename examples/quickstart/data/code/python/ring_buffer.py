"""A fixed-size buffer that forgets its oldest item when it is full."""

from typing import Any, Iterator


class RingBuffer:
    """Keep the newest items, up to a given capacity.

    >>> buffer = RingBuffer(3)
    >>> for n in range(5):
    ...     buffer.push(n)
    >>> list(buffer)
    [2, 3, 4]
    >>> len(buffer), buffer.is_full
    (3, True)
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self._slots: list[Any] = [None] * capacity
        self._start = 0
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        """Yield the items from the oldest to the newest."""
        for offset in range(self._size):
            yield self._slots[(self._start + offset) % len(self._slots)]

    @property
    def is_full(self) -> bool:
        """True when the next push will drop an item."""
        return self._size == len(self._slots)

    def push(self, item: Any) -> None:
        """Store an item, overwriting the oldest one if there is no room."""
        end = (self._start + self._size) % len(self._slots)
        self._slots[end] = item
        if self.is_full:
            self._start = (self._start + 1) % len(self._slots)
        else:
            self._size += 1

    def pop(self) -> Any:
        """Remove and return the oldest item."""
        if self._size == 0:
            raise IndexError("pop from an empty buffer")
        item = self._slots[self._start]
        self._slots[self._start] = None
        self._start = (self._start + 1) % len(self._slots)
        self._size -= 1
        return item
