"""Averages and spread of a list of numbers."""

import math


def mean(values: list[float]) -> float:
    """Return the arithmetic mean.

    >>> mean([2, 4, 9])
    5.0
    """
    if not values:
        raise ValueError("the mean of nothing is not defined")
    return sum(values) / len(values)


def median(values: list[float]) -> float:
    """Return the middle value, or the mean of the two middle ones.

    >>> median([7, 1, 3])
    3
    >>> median([7, 1, 3, 5])
    4.0
    """
    ordered = sorted(values)
    half = len(ordered) // 2
    if len(ordered) % 2 == 1:
        return ordered[half]
    return (ordered[half - 1] + ordered[half]) / 2


def modes(values: list) -> list:
    """Return every value that occurs most often.

    >>> modes([1, 2, 2, 3, 3])
    [2, 3]
    """
    best = max(values.count(v) for v in values)
    return sorted({v for v in values if values.count(v) == best})


def standard_deviation(values: list[float]) -> float:
    """Return the population standard deviation.

    >>> standard_deviation([2, 4, 4, 4, 5, 5, 7, 9])
    2.0
    """
    centre = mean(values)
    return math.sqrt(mean([(v - centre) ** 2 for v in values]))


def running_mean(values: list[float], width: int) -> list[float]:
    """Return the mean of every window of the given width.

    >>> running_mean([1, 2, 3, 4, 5], 3)
    [2.0, 3.0, 4.0]
    """
    return [mean(values[i:i + width]) for i in range(len(values) - width + 1)]
