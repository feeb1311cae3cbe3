/** Something that is told about new values. */
type Watcher<T> = (value: T, previous: T) => void;

/** A value that tells others when it changes. */
export class Observable<T> {
  private readonly watchers = new Set<Watcher<T>>();

  constructor(private value: T) {}

  get(): T {
    return this.value;
  }

  /** Change the value; nothing happens if it stays the same. */
  set(value: T): void {
    if (Object.is(value, this.value)) return;
    const previous = this.value;
    this.value = value;
    for (const watcher of this.watchers) watcher(value, previous);
  }

  /** Compute the new value from the old one. */
  update(change: (value: T) => T): void {
    this.set(change(this.value));
  }

  /** Be told about changes until the returned function is called. */
  subscribe(watcher: Watcher<T>): () => void {
    this.watchers.add(watcher);
    return () => {
      this.watchers.delete(watcher);
    };
  }

  /** Make another observable that always follows this one. */
  map<U>(compute: (value: T) => U): Observable<U> {
    const derived = new Observable(compute(this.value));
    this.subscribe((value) => derived.set(compute(value)));
    return derived;
  }
}

/** Combine two observables into one. */
export function combine<A, B, R>(
  left: Observable<A>,
  right: Observable<B>,
  compute: (a: A, b: B) => R,
): Observable<R> {
  const current = () => compute(left.get(), right.get());
  const result = new Observable(current());
  left.subscribe(() => result.set(current()));
  right.subscribe(() => result.set(current()));
  return result;
}

const price = new Observable(200);
const amount = new Observable(3);
const total = combine(price, amount, (p, a) => p * a);
const label = total.map((cents) => `${(cents / 100).toFixed(2)} euros`);
amount.update((n) => n + 1);
console.assert(total.get() === 800);
console.assert(label.get() === "8.00 euros");
