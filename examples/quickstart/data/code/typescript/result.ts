/**
 * Results instead of exceptions: a function says in its type that it
 * can fail, and the caller has to look before using the value.
 */
export type Result<T, E = string> =
  | { ok: true; value: T }
  | { ok: false; error: E };

/** Wrap a value as a success. */
export function ok<T>(value: T): Result<T, never> {
  return { ok: true, value };
}

/** Wrap an error as a failure. */
export function fail<E>(error: E): Result<never, E> {
  return { ok: false, error };
}

/** Apply a function to the value of a success; leave a failure alone. */
export function map<T, U, E>(result: Result<T, E>, change: (value: T) => U): Result<U, E> {
  return result.ok ? ok(change(result.value)) : result;
}

/** Continue with another step that may fail in its turn. */
export function andThen<T, U, E>(
  result: Result<T, E>,
  next: (value: T) => Result<U, E>,
): Result<U, E> {
  return result.ok ? next(result.value) : result;
}

/** Return the value, or a substitute for a failure. */
export function valueOr<T, E>(result: Result<T, E>, substitute: T): T {
  return result.ok ? result.value : substitute;
}

/** Read a whole number. */
export function parseInteger(text: string): Result<number> {
  const trimmed = text.trim();
  return /^-?\d+$/.test(trimmed) ? ok(Number(trimmed)) : fail(`"${text}" is not a whole number`);
}

/** Divide without a remainder. */
export function divide(total: number, parts: number): Result<number> {
  if (parts === 0) return fail("cannot divide by zero");
  return total % parts === 0 ? ok(total / parts) : fail("there is a remainder");
}

const share = andThen(parseInteger(" 42 "), (total) => divide(total, 6));
console.assert(valueOr(share, 0) === 7);
console.assert(!andThen(parseInteger("many"), (total) => divide(total, 6)).ok);
