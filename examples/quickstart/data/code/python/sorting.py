"""Three classic ways to sort a list, written to be read."""


def insertion_sort(values: list) -> list:
    """Grow a sorted list by putting each value in its place.

    >>> insertion_sort([5, 2, 9, 1])
    [1, 2, 5, 9]
    """
    result = list(values)
    for i in range(1, len(result)):
        current = result[i]
        j = i - 1
        while j >= 0 and result[j] > current:
            result[j + 1] = result[j]
            j -= 1
        result[j + 1] = current
    return result


def merge(left: list, right: list) -> list:
    """Join two sorted lists into one sorted list.

    >>> merge([1, 4, 6], [2, 3, 7])
    [1, 2, 3, 4, 6, 7]
    """
    merged = []
    i = j = 0
    while i < len(left) and j < len(right):
        if left[i] <= right[j]:
            merged.append(left[i])
            i += 1
        else:
            merged.append(right[j])
            j += 1
    return merged + left[i:] + right[j:]


def merge_sort(values: list) -> list:
    """Sort each half, then merge the halves.

    >>> merge_sort(["pear", "fig", "apple"])
    ['apple', 'fig', 'pear']
    """
    if len(values) <= 1:
        return list(values)
    middle = len(values) // 2
    return merge(merge_sort(values[:middle]), merge_sort(values[middle:]))


def quick_sort(values: list) -> list:
    """Split around a pivot and sort the two sides.

    >>> quick_sort([3, 1, 2, 3, 0])
    [0, 1, 2, 3, 3]
    """
    if not values:
        return []
    pivot = values[len(values) // 2]
    smaller = [v for v in values if v < pivot]
    equal = [v for v in values if v == pivot]
    greater = [v for v in values if v > pivot]
    return quick_sort(smaller) + equal + quick_sort(greater)
