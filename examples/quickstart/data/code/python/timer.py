"""Measure how long things take."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import Callable, Iterator


class Stopwatch:
    """A stopwatch with laps; the clock can be replaced in tests.

    >>> ticks = iter([0.0, 1.5, 4.0])
    >>> watch = Stopwatch(clock=lambda: next(ticks))
    >>> watch.start()
    >>> watch.lap()
    1.5
    >>> watch.lap()
    2.5
    >>> watch.total
    4.0
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._last: float | None = None
        self.laps: list[float] = []

    def start(self) -> None:
        """Begin to measure, forgetting earlier laps."""
        self.laps.clear()
        self._last = self._clock()

    def lap(self) -> float:
        """Return the time since the start or the lap before."""
        if self._last is None:
            raise RuntimeError("the stopwatch was not started")
        now = self._clock()
        self.laps.append(now - self._last)
        self._last = now
        return self.laps[-1]

    @property
    def total(self) -> float:
        """The sum of all laps."""
        return sum(self.laps)


@contextmanager
def timed(label: str, report: Callable[[str], None] = print) -> Iterator[None]:
    """Report how long the body of a with statement took."""
    start = time.perf_counter()
    try:
        yield
    finally:
        report(f"{label}: {time.perf_counter() - start:.3f} s")


def human(seconds: float) -> str:
    """Write a duration for people.

    >>> human(45), human(125), human(7_384)
    ('45 s', '2 min 5 s', '2 h 3 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
