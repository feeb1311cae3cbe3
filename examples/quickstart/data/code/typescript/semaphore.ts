/**
 * Let only a few asynchronous tasks run at the same time; the others
 * wait in line for their turn.
 */
export class Semaphore {
  private readonly waiting: (() => void)[] = [];

  constructor(private free: number) {
    if (free < 1) throw new RangeError("at least one place is needed");
  }

  /** Run a task as soon as there is a free place. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    await this.acquire();
    try {
      return await task();
    } finally {
      this.release();
    }
  }

  private acquire(): Promise<void> {
    if (this.free > 0) {
      this.free -= 1;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private release(): void {
    const next = this.waiting.shift();
    if (next) {
      next(); // the place goes straight to the next in line
    } else {
      this.free += 1;
    }
  }
}

/** Like Promise.all over a map, but with a limit on concurrency. */
export function mapLimited<T, U>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<U>,
): Promise<U[]> {
  const semaphore = new Semaphore(limit);
  return Promise.all(items.map((item) => semaphore.run(() => work(item))));
}

let running = 0;
let most = 0;

async function double(n: number): Promise<number> {
  running += 1;
  most = Math.max(most, running);
  await new Promise((resolve) => setTimeout(resolve, 1));
  running -= 1;
  return n * 2;
}

void mapLimited([1, 2, 3, 4, 5], 2, double).then((results) => {
  console.assert(results.join() === "2,4,6,8,10");
  console.assert(most === 2);
});
