"""Conway's Game of Life on an endless board.

Only the living cells are stored, as a set of (row, column) pairs.
"""

from collections import Counter

Cells = set[tuple[int, int]]

GLIDER = """
.#.
..#
###
"""


def parse(picture: str) -> Cells:
    """Read a picture in which # is a living cell.

    >>> sorted(parse("#.\\n.#"))
    [(0, 0), (1, 1)]
    """
    lines = picture.strip().splitlines()
    return {(r, c) for r, line in enumerate(lines) for c, char in enumerate(line) if char == "#"}


def neighbours(cell: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the eight cells around a cell."""
    row, col = cell
    around = [(row + dr, col + dc) for dr in (-1, 0, 1) for dc in (-1, 0, 1)]
    around.remove(cell)
    return around


def step(alive: Cells) -> Cells:
    """Return the next generation.

    A cell lives with three living neighbours, or with two if it was
    alive before.

    >>> blinker = {(1, 0), (1, 1), (1, 2)}
    >>> sorted(step(blinker))
    [(0, 1), (1, 1), (2, 1)]
    """
    counts = Counter(near for cell in alive for near in neighbours(cell))
    return {cell for cell, n in counts.items() if n == 3 or (n == 2 and cell in alive)}


def show(alive: Cells, height: int, width: int) -> str:
    """Draw the upper left corner of the board."""
    rows = []
    for r in range(height):
        rows.append("".join("#" if (r, c) in alive else "." for c in range(width)))
    return "\n".join(rows)


if __name__ == "__main__":
    cells = parse(GLIDER)
    for generation in range(4):
        print(show(cells, 5, 5), end="\n\n")
        cells = step(cells)
