"""How different are two words? Count the changes of single letters."""


def distance(source: str, target: str) -> int:
    """Return the fewest insertions, deletions and replacements.

    Only one row of the table is kept at a time.

    >>> distance("kitten", "sitting")
    3
    >>> distance("", "abc")
    3
    """
    previous = list(range(len(target) + 1))
    for i, a in enumerate(source, start=1):
        current = [i]
        for j, b in enumerate(target, start=1):
            replace = previous[j - 1] + (0 if a == b else 1)
            delete = previous[j] + 1
            insert = current[j - 1] + 1
            current.append(min(replace, delete, insert))
        previous = current
    return previous[-1]


def similarity(first: str, second: str) -> float:
    """Return 1.0 for equal words and 0.0 for entirely different ones.

    >>> similarity("stone", "stone"), similarity("ab", "xy")
    (1.0, 0.0)
    """
    longest = max(len(first), len(second))
    if longest == 0:
        return 1.0
    return 1 - distance(first, second) / longest


def suggest(word: str, dictionary: list[str], limit: int = 2) -> list[str]:
    """Return known words close to a misspelt one, the closest first.

    >>> suggest("recieve", ["receive", "relieve", "deceit", "believe"])
    ['relieve', 'receive', 'believe']
    """
    scored = [(distance(word, known), known) for known in dictionary]
    near = [(d, known) for d, known in scored if d <= limit]
    return [known for d, known in sorted(near, key=lambda pair: pair[0])]
