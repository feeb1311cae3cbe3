"""Matrices as lists of rows, with no library at all."""

Matrix = list[list[float]]


def identity(size: int) -> Matrix:
    """Return the square matrix with ones on its diagonal."""
    return [[1 if row == col else 0 for col in range(size)] for row in range(size)]


def transpose(matrix: Matrix) -> Matrix:
    """Swap rows and columns.

    >>> transpose([[1, 2, 3], [4, 5, 6]])
    [[1, 4], [2, 5], [3, 6]]
    """
    return [list(column) for column in zip(*matrix)]


def multiply(left: Matrix, right: Matrix) -> Matrix:
    """Multiply two matrices whose inner sizes agree.

    >>> multiply([[1, 2], [3, 4]], [[0, 1], [1, 0]])
    [[2, 1], [4, 3]]
    """
    if len(left[0]) != len(right):
        raise ValueError("columns of left must match rows of right")
    columns = transpose(right)
    return [[sum(a * b for a, b in zip(row, column)) for column in columns] for row in left]


def power(matrix: Matrix, exponent: int) -> Matrix:
    """Raise a square matrix to a whole power by repeated squaring.

    Powers of this matrix hold the Fibonacci numbers:

    >>> power([[1, 1], [1, 0]], 10)[0][1]
    55
    """
    result = identity(len(matrix))
    while exponent > 0:
        if exponent % 2 == 1:
            result = multiply(result, matrix)
        matrix = multiply(matrix, matrix)
        exponent //= 2
    return result


def determinant(matrix: Matrix) -> float:
    """Expand along the first row; fine for small matrices.

    >>> determinant([[2, 0, 1], [1, 3, 2], [1, 1, 4]])
    18
    """
    if len(matrix) == 1:
        return matrix[0][0]
    total = 0
    for col, value in enumerate(matrix[0]):
        minor = [row[:col] + row[col + 1:] for row in matrix[1:]]
        total += (-1) ** col * value * determinant(minor)
    return total
