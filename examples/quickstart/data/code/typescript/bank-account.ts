/** One movement on an account; amounts are whole cents. */
export interface Movement {
  readonly kind: "deposit" | "withdrawal";
  readonly cents: number;
  readonly note: string;
}

/** Thrown when a withdrawal is larger than the balance. */
export class InsufficientFundsError extends Error {
  constructor(readonly missing: number) {
    super(`${formatCents(missing)} are missing`);
    this.name = "InsufficientFundsError";
  }
}

/** Write an amount with two decimals. */
export function formatCents(cents: number): string {
  return (cents / 100).toFixed(2);
}

/** An account whose balance follows from its movements. */
export class Account {
  private readonly movements: Movement[] = [];

  constructor(readonly owner: string) {}

  get balance(): number {
    return this.movements.reduce(
      (total, { kind, cents }) => (kind === "deposit" ? total + cents : total - cents),
      0,
    );
  }

  deposit(cents: number, note = ""): void {
    Account.check(cents);
    this.movements.push({ kind: "deposit", cents, note });
  }

  withdraw(cents: number, note = ""): void {
    Account.check(cents);
    const missing = cents - this.balance;
    if (missing > 0) throw new InsufficientFundsError(missing);
    this.movements.push({ kind: "withdrawal", cents, note });
  }

  /** Return one line for each movement, the newest first. */
  statement(): string[] {
    return [...this.movements]
      .reverse()
      .map(({ kind, cents, note }) => `${kind === "deposit" ? "+" : "-"}${formatCents(cents)} ${note}`);
  }

  private static check(cents: number): void {
    if (!Number.isInteger(cents) || cents <= 0) {
      throw new RangeError("an amount is a positive number of cents");
    }
  }
}

const account = new Account("Linh");
account.deposit(20_000, "wages");
account.withdraw(4_550, "groceries");
console.assert(account.balance === 15_450);
console.assert(account.statement()[0] === "-45.50 groceries");
