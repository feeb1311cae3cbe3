"""Draw a table with characters."""


def column_widths(rows: list[list[str]]) -> list[int]:
    """Return the length of the longest cell of each column.

    >>> column_widths([["a", "long"], ["word", "b"]])
    [4, 4]
    """
    return [max(len(cell) for cell in column) for column in zip(*rows)]


def align(cell: str, width: int) -> str:
    """Put numbers to the right and everything else to the left."""
    if cell.replace(".", "", 1).lstrip("-").isdigit():
        return cell.rjust(width)
    return cell.ljust(width)


def render(header: list[str], rows: list[list[object]]) -> str:
    """Return the table as lines of text under a ruled header.

    >>> print(render(["fruit", "kg"], [["pears", 12], ["figs", 3]]))
    fruit | kg
    ------+---
    pears | 12
    figs  |  3
    """
    cells = [[str(cell) for cell in row] for row in rows]
    widths = column_widths([header] + cells)
    head = " | ".join(title.ljust(w) for title, w in zip(header, widths))
    rule = "-+-".join("-" * width for width in widths)
    body = [" | ".join(align(c, w) for c, w in zip(row, widths)) for row in cells]
    return "\n".join([head, rule] + body)


def from_records(records: list[dict[str, object]]) -> str:
    """Render dictionaries that all have the same keys."""
    header = list(records[0])
    return render(header, [[record[key] for key in header] for record in records])
