/**
 * A cache that forgets the entry that was not used for the longest time.
 *
 * A Map remembers the order in which keys were added. Deleting a key and
 * adding it again therefore moves it to the end, the most recent place.
 */
export class LruCache<K, V> {
  private readonly entries = new Map<K, V>();

  constructor(private readonly capacity: number) {
    if (capacity < 1) throw new RangeError("capacity must be at least 1");
  }

  get size(): number {
    return this.entries.size;
  }

  has(key: K): boolean {
    return this.entries.has(key);
  }

  /** Return the value of a key and mark it as just used. */
  get(key: K): V | undefined {
    const value = this.entries.get(key);
    if (value !== undefined) {
      this.entries.delete(key);
      this.entries.set(key, value);
    }
    return value;
  }

  /** Store a value; the oldest entry makes room if necessary. */
  set(key: K, value: V): this {
    this.entries.delete(key);
    this.entries.set(key, value);
    if (this.entries.size > this.capacity) {
      const oldest = this.entries.keys().next().value as K;
      this.entries.delete(oldest);
    }
    return this;
  }
}

/** Wrap a function of one argument so that it remembers its results. */
export function memoize<A, R>(compute: (argument: A) => R, capacity = 100): (argument: A) => R {
  const cache = new LruCache<A, { result: R }>(capacity);
  return (argument) => {
    const known = cache.get(argument);
    if (known) return known.result;
    const result = compute(argument);
    cache.set(argument, { result });
    return result;
  };
}

let calls = 0;
const square = memoize((n: number) => {
  calls += 1;
  return n * n;
});
console.assert(square(12) === 144 && square(12) === 144 && calls === 1);
