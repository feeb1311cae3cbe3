/** Count from start up to, but not including, end. */
export function* range(start: number, end: number, step = 1): Generator<number> {
  for (let n = start; n < end; n += step) yield n;
}

/** Change every item. */
export function* map<T, U>(items: Iterable<T>, change: (item: T) => U): Generator<U> {
  for (const item of items) yield change(item);
}

/** Keep only the items that pass a test. */
export function* filter<T>(items: Iterable<T>, test: (item: T) => boolean): Generator<T> {
  for (const item of items) if (test(item)) yield item;
}

/** Stop after a number of items. */
export function* take<T>(items: Iterable<T>, count: number): Generator<T> {
  if (count <= 0) return;
  let taken = 0;
  for (const item of items) {
    yield item;
    taken += 1;
    if (taken === count) return;
  }
}

/** Yield lists of the given size; the last may be shorter. */
export function* chunk<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let piece: T[] = [];
  for (const item of items) {
    piece.push(item);
    if (piece.length === size) {
      yield piece;
      piece = [];
    }
  }
  if (piece.length > 0) yield piece;
}

/** Walk through two sequences side by side, as long as both last. */
export function* zip<A, B>(left: Iterable<A>, right: Iterable<B>): Generator<[A, B]> {
  const iterator = right[Symbol.iterator]();
  for (const a of left) {
    const b = iterator.next();
    if (b.done) return;
    yield [a, b.value];
  }
}

/** The Fibonacci numbers, without end. */
export function* fibonacci(): Generator<number> {
  let [current, following] = [0, 1];
  while (true) {
    yield current;
    [current, following] = [following, current + following];
  }
}

const evens = filter(fibonacci(), (n) => n % 2 === 0);
console.assert([...take(evens, 4)].join() === "0,2,8,34");
console.assert([...chunk(range(0, 5), 2)].length === 3);
console.assert([...zip("ab", range(1, 9))].flat().join("") === "a1b2");
