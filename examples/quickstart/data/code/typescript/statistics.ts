/** Add up a list of numbers. */
export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Return the arithmetic mean. */
export function mean(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("no values");
  return sum(values) / values.length;
}

/** Return the value below which the given share of the values lies. */
export function quantile(values: readonly number[], share: number): number {
  const ordered = [...values].sort((a, b) => a - b);
  const position = (ordered.length - 1) * share;
  const below = Math.floor(position);
  const above = Math.ceil(position);
  return ordered[below] + (ordered[above] - ordered[below]) * (position - below);
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** Return the mean squared distance from the mean. */
export function variance(values: readonly number[]): number {
  const centre = mean(values);
  return mean(values.map((value) => (value - centre) ** 2));
}

/** Return how strongly two lists of equal length move together, -1 to 1. */
export function correlation(xs: readonly number[], ys: readonly number[]): number {
  if (xs.length !== ys.length) throw new RangeError("the lists differ in length");
  const meanX = mean(xs);
  const meanY = mean(ys);
  const products = xs.map((x, i) => (x - meanX) * (ys[i] - meanY));
  return mean(products) / Math.sqrt(variance(xs) * variance(ys));
}

/** Count how many values fall into each of several equal bins. */
export function histogram(values: readonly number[], bins: number): number[] {
  const low = Math.min(...values);
  const width = (Math.max(...values) - low) / bins || 1;
  const counts = new Array<number>(bins).fill(0);
  for (const value of values) {
    const bin = Math.min(bins - 1, Math.floor((value - low) / width));
    counts[bin] += 1;
  }
  return counts;
}

console.assert(median([9, 1, 4, 6]) === 5);
console.assert(variance([2, 4, 4, 4, 5, 5, 7, 9]) === 4);
console.assert(histogram([1, 2, 2, 3, 9], 2).join() === "4,1");
