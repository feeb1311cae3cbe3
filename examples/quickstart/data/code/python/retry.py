"""Call a function again when it fails, waiting a little longer each time."""

import functools
import time
from typing import Callable


def retry(
    attempts: int = 3,
    delay: float = 0.1,
    factor: float = 2.0,
    errors: tuple[type[Exception], ...] = (Exception,),
    sleep: Callable[[float], None] = time.sleep,
):
    """Decorate a function so that it is tried several times.

    The last error is raised when every attempt has failed. Passing a
    different sleep function keeps tests fast:

    >>> waits = []
    >>> calls = []
    >>> @retry(attempts=3, delay=1.0, sleep=waits.append)
    ... def fragile():
    ...     calls.append("call")
    ...     if len(calls) < 3:
    ...         raise ConnectionError("not yet")
    ...     return "done"
    >>> fragile()
    'done'
    >>> waits
    [1.0, 2.0]
    """

    def decorate(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            pause = delay
            for attempt in range(1, attempts + 1):
                try:
                    return function(*args, **kwargs)
                except errors:
                    if attempt == attempts:
                        raise
                    sleep(pause)
                    pause *= factor

        return wrapper

    return decorate
