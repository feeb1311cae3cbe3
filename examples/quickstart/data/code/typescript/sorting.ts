/** Says whether a comes before (negative) or after (positive) b. */
export type Compare<T> = (a: T, b: T) => number;

/** Compare by a number or string that is computed from each item. */
export function by<T>(key: (item: T) => number | string): Compare<T> {
  return (a, b) => {
    const left = key(a);
    const right = key(b);
    return left < right ? -1 : left > right ? 1 : 0;
  };
}

/** Reverse an order. */
export function descending<T>(compare: Compare<T>): Compare<T> {
  return (a, b) => compare(b, a);
}

/** Use the first comparison that sees a difference. */
export function chain<T>(...comparisons: Compare<T>[]): Compare<T> {
  return (a, b) => {
    for (const compare of comparisons) {
      const difference = compare(a, b);
      if (difference !== 0) return difference;
    }
    return 0;
  };
}

/** Sort a copy of the list by merging sorted halves. */
export function mergeSort<T>(items: readonly T[], compare: Compare<T>): T[] {
  if (items.length <= 1) return [...items];
  const middle = items.length >> 1;
  const left = mergeSort(items.slice(0, middle), compare);
  const right = mergeSort(items.slice(middle), compare);
  const merged: T[] = [];
  let i = 0;
  let j = 0;
  while (i < left.length && j < right.length) {
    // Taking from the left on a tie keeps equal items in order.
    merged.push(compare(left[i], right[j]) <= 0 ? left[i++] : right[j++]);
  }
  return [...merged, ...left.slice(i), ...right.slice(j)];
}

const runners = [
  { name: "Sanna", minutes: 41 },
  { name: "Amit", minutes: 38 },
  { name: "Eero", minutes: 41 },
];
const ranking = mergeSort(
  runners,
  chain(by((runner) => runner.minutes), by((runner) => runner.name)),
);
console.assert(ranking.map((runner) => runner.name).join(" ") === "Amit Eero Sanna");
