"""Check the fields of a form and collect every problem."""

import re
from typing import Callable

Rule = Callable[[str], str | None]


def required(value: str) -> str | None:
    """Complain about a blank value."""
    return None if value.strip() else "must not be empty"


def min_length(length: int) -> Rule:
    """Make a rule that asks for a number of characters."""

    def rule(value: str) -> str | None:
        if len(value) < length:
            return f"must have at least {length} characters"
        return None

    return rule


def matches(pattern: str, message: str) -> Rule:
    """Make a rule from a regular expression."""
    compiled = re.compile(pattern)

    def rule(value: str) -> str | None:
        return None if compiled.fullmatch(value) else message

    return rule


def whole_number(value: str) -> str | None:
    """Complain about anything but digits."""
    return None if value.isdigit() else "must be a whole number"


def validate(form: dict[str, str], rules: dict[str, list[Rule]]) -> dict[str, str]:
    """Return the first problem of each field that has one.

    >>> SIGN_UP = {
    ...     "name": [required, min_length(3)],
    ...     "age": [required, whole_number],
    ...     "code": [matches(r"[A-Z]{2}-\\d{4}", "must look like AB-1234")],
    ... }
    >>> validate({"name": "Jo", "age": "31", "code": "XY-0042"}, SIGN_UP)
    {'name': 'must have at least 3 characters'}
    >>> validate({"name": "Joan", "age": "", "code": "7"}, SIGN_UP)
    {'age': 'must not be empty', 'code': 'must look like AB-1234'}
    """
    problems = {}
    for field, checks in rules.items():
        for check in checks:
            message = check(form.get(field, ""))
            if message is not None:
                problems[field] = message
                break
    return problems
