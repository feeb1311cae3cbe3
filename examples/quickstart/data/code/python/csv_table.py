"""Read and summarise a small table in CSV form."""

import csv
import io
from collections import defaultdict

SALES = """\
shop,item,amount
north,tea,12
south,tea,7
north,bread,20
south,bread,15
"""


def read_table(text: str) -> list[dict[str, str]]:
    """Turn CSV text into one dictionary a row.

    >>> read_table("a,b\\n1,2\\n")
    [{'a': '1', 'b': '2'}]
    """
    return list(csv.DictReader(io.StringIO(text)))


def total_by(rows: list[dict[str, str]], key: str, value: str) -> dict[str, int]:
    """Add up one column, grouped by another.

    >>> total_by(read_table(SALES), "shop", "amount")
    {'north': 32, 'south': 22}
    """
    totals: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        totals[row[key]] += int(row[value])
    return dict(totals)


def select(rows: list[dict[str, str]], **wanted: str) -> list[dict[str, str]]:
    """Keep the rows in which every named column has the wanted value.

    >>> [row["amount"] for row in select(read_table(SALES), item="tea")]
    ['12', '7']
    """
    return [row for row in rows if all(row[k] == v for k, v in wanted.items())]


def write_table(rows: list[dict[str, str]]) -> str:
    """Turn rows back into CSV text; the first row names the columns."""
    if not rows:
        return ""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


if __name__ == "__main__":
    assert write_table(read_table(SALES)) == SALES
    for shop, amount in total_by(read_table(SALES), "shop", "amount").items():
        print(f"{shop:<8}{amount:>5}")
