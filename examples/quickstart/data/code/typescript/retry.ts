import { setTimeout as sleep } from "node:timers/promises";

/** How often and how patiently to try. */
export interface RetryOptions {
  /** The number of attempts in all. */
  attempts?: number;
  /** The pause after the first failure, in milliseconds. */
  delay?: number;
  /** How much longer each further pause is. */
  factor?: number;
  /** Decide whether an error is worth another attempt. */
  shouldRetry?: (error: unknown) => boolean;
}

/**
 * Run an asynchronous action until it succeeds.
 *
 * The last error is thrown if every attempt fails, or at once if
 * `shouldRetry` says that trying again makes no sense.
 */
export async function retry<T>(
  action: (attempt: number) => Promise<T>,
  { attempts = 3, delay = 100, factor = 2, shouldRetry = () => true }: RetryOptions = {},
): Promise<T> {
  let pause = delay;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await action(attempt);
    } catch (error) {
      if (attempt >= attempts || !shouldRetry(error)) throw error;
      await sleep(pause);
      pause *= factor;
    }
  }
}

/** Fail if a promise takes longer than the given time. */
export async function withTimeout<T>(promise: Promise<T>, milliseconds: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("took too long")), milliseconds);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}

void retry(
  async (attempt) => {
    if (attempt < 3) throw new Error("line is busy");
    return `connected on attempt ${attempt}`;
  },
  { delay: 1 },
).then((message) => console.assert(message === "connected on attempt 3"));
