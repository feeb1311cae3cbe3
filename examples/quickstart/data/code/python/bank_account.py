"""A small bank account that keeps its own history.

Amounts are whole cents, so that no rounding error ever creeps in.
"""

from dataclasses import dataclass, field


class InsufficientFunds(Exception):
    """Raised when a withdrawal is larger than the balance."""


@dataclass
class Account:
    """One account with an owner, a balance and a list of movements.

    >>> account = Account("Leena")
    >>> account.deposit(5_000)
    >>> account.withdraw(1_250)
    >>> account.balance
    3750
    >>> account.history
    [('deposit', 5000), ('withdraw', 1250)]
    """

    owner: str
    balance: int = 0
    history: list[tuple[str, int]] = field(default_factory=list)

    def deposit(self, cents: int) -> None:
        """Add money to the account."""
        if cents <= 0:
            raise ValueError("a deposit must be positive")
        self.balance += cents
        self.history.append(("deposit", cents))

    def withdraw(self, cents: int) -> None:
        """Take money out, or fail without changing anything."""
        if cents <= 0:
            raise ValueError("a withdrawal must be positive")
        if cents > self.balance:
            raise InsufficientFunds(f"{self.owner} has only {self.balance} cents")
        self.balance -= cents
        self.history.append(("withdraw", cents))


def transfer(source: Account, target: Account, cents: int) -> None:
    """Move money between two accounts; the withdrawal may fail first."""
    source.withdraw(cents)
    target.deposit(cents)
