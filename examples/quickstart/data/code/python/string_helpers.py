"""Everyday helpers for strings."""


def truncate(text: str, limit: int, ending: str = "...") -> str:
    """Shorten text to at most limit characters, marking the cut.

    >>> truncate("a long sentence", 10)
    'a long ...'
    >>> truncate("short", 10)
    'short'
    """
    if len(text) <= limit:
        return text
    return text[: limit - len(ending)] + ending


def is_palindrome(text: str) -> bool:
    """Tell whether the letters of text read the same both ways.

    >>> is_palindrome("Was it a car or a cat I saw?")
    True
    >>> is_palindrome("ordinary")
    False
    """
    letters = [c for c in text.lower() if c.isalnum()]
    return letters == letters[::-1]


def slugify(title: str) -> str:
    """Turn a title into words joined by hyphens.

    >>> slugify("  Hello, Wide World! ")
    'hello-wide-world'
    """
    cleaned = "".join(c if c.isalnum() else " " for c in title.lower())
    return "-".join(cleaned.split())


def common_prefix(first: str, second: str) -> str:
    """Return the longest start that both strings share.

    >>> common_prefix("interval", "internet")
    'inter'
    """
    length = 0
    for a, b in zip(first, second):
        if a != b:
            break
        length += 1
    return first[:length]


def count_vowels(text: str) -> int:
    """Count the letters a, e, i, o and u.

    >>> count_vowels("Education")
    5
    """
    return sum(1 for c in text.lower() if c in "aeiou")
