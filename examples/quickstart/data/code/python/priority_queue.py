"""A priority queue on top of a binary heap."""

import heapq
from itertools import count
from typing import Any


class PriorityQueue:
    """Serve the lowest priority number first, and equals in order.

    >>> queue = PriorityQueue()
    >>> queue.add("sprained ankle", 3)
    >>> queue.add("heart attack", 1)
    >>> queue.add("cut finger", 3)
    >>> [queue.take() for _ in range(len(queue))]
    ['heart attack', 'sprained ankle', 'cut finger']
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Any]] = []
        self._counter = count()  # breaks ties by time of arrival

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, item: Any, priority: int) -> None:
        """Put an item in the queue."""
        heapq.heappush(self._heap, (priority, next(self._counter), item))

    def peek(self) -> Any:
        """Look at the next item without taking it."""
        if not self._heap:
            raise IndexError("the queue is empty")
        return self._heap[0][2]

    def take(self) -> Any:
        """Remove and return the next item."""
        if not self._heap:
            raise IndexError("the queue is empty")
        return heapq.heappop(self._heap)[2]


def smallest(values: list[int], amount: int) -> list[int]:
    """Return the smallest values in order without sorting everything.

    >>> smallest([9, 4, 7, 1, 8], 2)
    [1, 4]
    """
    heap = list(values)
    heapq.heapify(heap)
    return [heapq.heappop(heap) for _ in range(min(amount, len(heap)))]
