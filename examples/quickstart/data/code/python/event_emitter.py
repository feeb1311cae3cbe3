"""Let parts of a program talk without knowing each other."""

from collections import defaultdict
from typing import Any, Callable

Listener = Callable[..., None]


class Emitter:
    """Call every listener of an event, in the order they were added.

    >>> door = Emitter()
    >>> stop = door.on("open", lambda who: print(f"hello, {who}"))
    >>> door.emit("open", "Mika")
    hello, Mika
    1
    >>> stop()
    >>> door.emit("open", "Mika")
    0
    """

    def __init__(self) -> None:
        self._listeners: defaultdict[str, list[Listener]] = defaultdict(list)

    def on(self, event: str, listener: Listener) -> Callable[[], None]:
        """Add a listener and return a function that removes it again."""
        self._listeners[event].append(listener)

        def remove() -> None:
            if listener in self._listeners[event]:
                self._listeners[event].remove(listener)

        return remove

    def once(self, event: str, listener: Listener) -> None:
        """Add a listener that hears only the next event."""

        def wrapper(*args: Any) -> None:
            remove()
            listener(*args)

        remove = self.on(event, wrapper)

    def emit(self, event: str, *args: Any) -> int:
        """Tell every listener and return how many there were.

        The list is copied first, because a listener may remove itself.
        """
        listeners = list(self._listeners[event])
        for listener in listeners:
            listener(*args)
        return len(listeners)
