"""Convert between whole numbers and Roman numerals."""

SYMBOLS = [
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"),
    (100, "C"), (90, "XC"), (50, "L"), (40, "XL"),
    (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
]
VALUES = {symbol: value for value, symbol in SYMBOLS if len(symbol) == 1}


def to_roman(number: int) -> str:
    """Write a number from 1 to 3999 with Roman letters.

    >>> to_roman(1987)
    'MCMLXXXVII'
    >>> to_roman(44)
    'XLIV'
    """
    if not 1 <= number <= 3999:
        raise ValueError("only 1 to 3999 can be written")
    letters = []
    for value, symbol in SYMBOLS:
        count, number = divmod(number, value)
        letters.append(symbol * count)
    return "".join(letters)


def from_roman(text: str) -> int:
    """Read a Roman numeral.

    A letter counts as negative when a larger one follows it.

    >>> from_roman("MCMLXXXVII")
    1987
    >>> all(from_roman(to_roman(n)) == n for n in range(1, 4000))
    True
    """
    total = 0
    numbers = [VALUES[letter] for letter in text.upper()]
    for current, following in zip(numbers, numbers[1:] + [0]):
        total += -current if current < following else current
    return total
