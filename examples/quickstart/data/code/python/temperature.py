"""Temperatures in three scales, and how cold the wind makes them feel."""

ABSOLUTE_ZERO = -273.15


def celsius_to_fahrenheit(celsius: float) -> float:
    """Convert degrees Celsius to degrees Fahrenheit.

    >>> celsius_to_fahrenheit(100)
    212.0
    """
    return celsius * 9 / 5 + 32


def fahrenheit_to_celsius(fahrenheit: float) -> float:
    """Convert degrees Fahrenheit to degrees Celsius.

    >>> fahrenheit_to_celsius(-40)
    -40.0
    """
    return (fahrenheit - 32) * 5 / 9


def celsius_to_kelvin(celsius: float) -> float:
    """Convert to kelvins, refusing impossible temperatures.

    >>> celsius_to_kelvin(-300)
    Traceback (most recent call last):
        ...
    ValueError: nothing is colder than -273.15 degrees
    """
    if celsius < ABSOLUTE_ZERO:
        raise ValueError(f"nothing is colder than {ABSOLUTE_ZERO} degrees")
    return celsius - ABSOLUTE_ZERO


def describe(celsius: float) -> str:
    """Say in a word how the air feels to most people.

    >>> [describe(t) for t in (-8, 3, 15, 23, 34)]
    ['freezing', 'cold', 'cool', 'warm', 'hot']
    """
    limits = [(0, "freezing"), (10, "cold"), (18, "cool"), (28, "warm")]
    for limit, word in limits:
        if celsius < limit:
            return word
    return "hot"


def warmest_day(readings: dict[str, list[float]]) -> str:
    """Return the day with the highest average reading.

    >>> warmest_day({"Mon": [10, 14], "Tue": [9, 19], "Wed": [11, 12]})
    'Tue'
    """
    return max(readings, key=lambda day: sum(readings[day]) / len(readings[day]))
