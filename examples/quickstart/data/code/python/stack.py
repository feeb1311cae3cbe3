"""A stack, and two puzzles that a stack solves."""

PAIRS = {")": "(", "]": "[", "}": "{"}


class Stack:
    """Last in, first out.

    >>> plates = Stack()
    >>> plates.push("blue")
    >>> plates.push("white")
    >>> plates.pop(), plates.peek(), len(plates)
    ('white', 'blue', 1)
    """

    def __init__(self) -> None:
        self._items: list = []

    def __len__(self) -> int:
        return len(self._items)

    def push(self, item) -> None:
        """Lay an item on top."""
        self._items.append(item)

    def pop(self):
        """Take the top item away."""
        return self._items.pop()

    def peek(self):
        """Return the top item, or None if there is none."""
        return self._items[-1] if self._items else None


def brackets_match(text: str) -> bool:
    """Tell whether all brackets are properly nested.

    >>> brackets_match("a[i] = (b + {c})"), brackets_match("(]")
    (True, False)
    """
    stack = Stack()
    for char in text:
        if char in PAIRS.values():
            stack.push(char)
        elif char in PAIRS:
            if stack.peek() != PAIRS[char]:
                return False
            stack.pop()
    return len(stack) == 0


def evaluate_postfix(expression: str) -> int:
    """Compute an expression whose operators follow their operands.

    >>> evaluate_postfix("3 4 + 2 *")
    14
    """
    stack = Stack()
    for word in expression.split():
        if word in "+-*":
            right, left = stack.pop(), stack.pop()
            stack.push({"+": left + right, "-": left - right, "*": left * right}[word])
        else:
            stack.push(int(word))
    return stack.pop()
