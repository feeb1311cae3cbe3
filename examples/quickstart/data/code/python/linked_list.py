"""A singly linked list, the simplest chain of nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Iterator


@dataclass
class Node:
    """One link of the chain: a value and the node after it."""

    value: Any
    next: Node | None = None


class LinkedList:
    """A list that is cheap to extend at the front.

    >>> numbers = LinkedList([1, 2, 3])
    >>> numbers.push(0)
    >>> list(numbers)
    [0, 1, 2, 3]
    >>> numbers.reverse()
    >>> list(numbers)
    [3, 2, 1, 0]
    """

    def __init__(self, values: Iterable[Any] = ()) -> None:
        self.head: Node | None = None
        for value in reversed(list(values)):
            self.push(value)

    def __iter__(self) -> Iterator[Any]:
        node = self.head
        while node is not None:
            yield node.value
            node = node.next

    def push(self, value: Any) -> None:
        """Put a value in front of all others."""
        self.head = Node(value, self.head)

    def remove(self, value: Any) -> bool:
        """Unlink the first node with this value; tell whether one was found.

        >>> LinkedList("abc").remove("z")
        False
        """
        previous, node = None, self.head
        while node is not None:
            if node.value == value:
                if previous is None:
                    self.head = node.next
                else:
                    previous.next = node.next
                return True
            previous, node = node, node.next
        return False

    def reverse(self) -> None:
        """Turn every arrow around in one pass."""
        previous, node = None, self.head
        while node is not None:
            node.next, previous, node = previous, node, node.next
        self.head = previous
