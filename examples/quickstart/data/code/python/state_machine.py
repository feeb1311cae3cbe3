"""A tiny state machine, shown with a turnstile and a vending machine."""

from dataclasses import dataclass, field


class BadEvent(Exception):
    """Raised when an event is not allowed in the current state."""


@dataclass
class Machine:
    """Follow a table from (state, event) to the next state.

    >>> gate = Machine("locked", TURNSTILE)
    >>> gate.send("coin")
    'unlocked'
    >>> gate.send("push")
    'locked'
    >>> gate.visited
    ['locked', 'unlocked', 'locked']
    """

    state: str
    table: dict[tuple[str, str], str]
    visited: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.visited = [self.state]

    def can(self, event: str) -> bool:
        """Tell whether the event would be accepted now."""
        return (self.state, event) in self.table

    def send(self, event: str) -> str:
        """Handle one event and return the new state."""
        if not self.can(event):
            raise BadEvent(f"{event} is not possible when {self.state}")
        self.state = self.table[self.state, event]
        self.visited.append(self.state)
        return self.state


TURNSTILE = {
    ("locked", "coin"): "unlocked",
    ("locked", "push"): "locked",
    ("unlocked", "push"): "locked",
    ("unlocked", "coin"): "unlocked",
}

VENDING = {
    ("idle", "coin"): "paid",
    ("paid", "cancel"): "idle",
    ("paid", "choose"): "serving",
    ("serving", "done"): "idle",
}


if __name__ == "__main__":
    machine = Machine("idle", VENDING)
    for event in ("coin", "choose", "done"):
        print(f"{event:>8} -> {machine.send(event)}")
