"""Small questions about the calendar."""

from datetime import date, timedelta


def is_leap_year(year: int) -> bool:
    """Tell whether February has a twenty-ninth day.

    >>> [is_leap_year(y) for y in (1900, 2000, 2023, 2024)]
    [False, True, False, True]
    """
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def age_on(birthday: date, day: date) -> int:
    """Return a person's age in whole years.

    >>> age_on(date(1990, 6, 15), date(2020, 6, 14))
    29
    >>> age_on(date(1990, 6, 15), date(2020, 6, 15))
    30
    """
    had_birthday = (day.month, day.day) >= (birthday.month, birthday.day)
    return day.year - birthday.year - (0 if had_birthday else 1)


def next_weekday(day: date, weekday: int) -> date:
    """Return the first such weekday after day; Monday is 0.

    >>> next_weekday(date(2024, 5, 1), 4)
    datetime.date(2024, 5, 3)
    """
    ahead = (weekday - day.weekday() - 1) % 7 + 1
    return day + timedelta(days=ahead)


def working_days(start: date, end: date) -> int:
    """Count Mondays to Fridays from start to end, both included.

    >>> working_days(date(2024, 5, 1), date(2024, 5, 8))
    6
    """
    span = (end - start).days + 1
    days = (start + timedelta(days=n) for n in range(span))
    return sum(1 for day in days if day.weekday() < 5)


def last_day_of_month(day: date) -> date:
    """Return the last date of the month that day falls in.

    >>> last_day_of_month(date(2024, 2, 10))
    datetime.date(2024, 2, 29)
    """
    first_of_next = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return first_of_next - timedelta(days=1)
