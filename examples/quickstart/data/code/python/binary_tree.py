"""A binary search tree without balancing."""

from __future__ import annotations

from typing import Any, Iterator


class Tree:
    """Smaller values go left, larger values go right.

    >>> tree = Tree(50)
    >>> for value in (30, 70, 20, 40):
    ...     tree.insert(value)
    >>> list(tree)
    [20, 30, 40, 50, 70]
    >>> 40 in tree, 45 in tree
    (True, False)
    >>> tree.depth()
    3
    """

    def __init__(self, value: Any) -> None:
        self.value = value
        self.left: Tree | None = None
        self.right: Tree | None = None

    def insert(self, value: Any) -> None:
        """Add a value; a value that is there already changes nothing."""
        if value == self.value:
            return
        side = "left" if value < self.value else "right"
        child = getattr(self, side)
        if child is None:
            setattr(self, side, Tree(value))
        else:
            child.insert(value)

    def __contains__(self, value: Any) -> bool:
        node: Tree | None = self
        while node is not None:
            if value == node.value:
                return True
            node = node.left if value < node.value else node.right
        return False

    def __iter__(self) -> Iterator[Any]:
        """Yield the values in increasing order."""
        if self.left is not None:
            yield from self.left
        yield self.value
        if self.right is not None:
            yield from self.right

    def depth(self) -> int:
        """Return the number of levels."""
        below = [child.depth() for child in (self.left, self.right) if child]
        return 1 + max(below, default=0)
