"""Find things in sorted lists by halving the range again and again."""

from typing import Callable


def find(values: list, target) -> int:
    """Return the position of target, or -1 when it is missing.

    >>> find([2, 3, 5, 8, 13], 8)
    3
    >>> find([2, 3, 5, 8, 13], 4)
    -1
    """
    low, high = 0, len(values) - 1
    while low <= high:
        middle = (low + high) // 2
        if values[middle] == target:
            return middle
        if values[middle] < target:
            low = middle + 1
        else:
            high = middle - 1
    return -1


def insertion_point(values: list, target) -> int:
    """Return where target would go, before any equal values.

    >>> insertion_point([10, 20, 20, 30], 20)
    1
    """
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) // 2
        if values[middle] < target:
            low = middle + 1
        else:
            high = middle
    return low


def first_true(low: int, high: int, test: Callable[[int], bool]) -> int:
    """Return the first number for which test holds.

    The test must be false up to some number and true from there on.

    >>> first_true(0, 1000, lambda n: n * n >= 500)
    23
    """
    while low < high:
        middle = (low + high) // 2
        if test(middle):
            high = middle
        else:
            low = middle + 1
    return low


def integer_square_root(number: int) -> int:
    """Return the largest whole number whose square is at most number.

    >>> integer_square_root(50)
    7
    """
    return first_true(0, number + 1, lambda n: n * n > number) - 1
