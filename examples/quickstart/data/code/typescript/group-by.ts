/** Put items with the same key together, in order of first appearance. */
export function groupBy<T, K>(items: Iterable<T>, key: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const name = key(item);
    const group = groups.get(name);
    if (group) {
      group.push(item);
    } else {
      groups.set(name, [item]);
    }
  }
  return groups;
}

/** Count the items of each key. */
export function countBy<T, K>(items: Iterable<T>, key: (item: T) => K): Map<K, number> {
  return mapValues(groupBy(items, key), (group) => group.length);
}

/** Change all values of a map and keep its keys. */
export function mapValues<K, V, W>(source: Map<K, V>, change: (value: V) => W): Map<K, W> {
  return new Map([...source].map(([key, value]) => [key, change(value)]));
}

/** Split items into those that pass a test and those that do not. */
export function partition<T>(items: Iterable<T>, test: (item: T) => boolean): [T[], T[]] {
  const groups = groupBy(items, test);
  return [groups.get(true) ?? [], groups.get(false) ?? []];
}

/** Return the item for which a number is largest. */
export function maxBy<T>(items: Iterable<T>, value: (item: T) => number): T | undefined {
  let best: { item: T; value: number } | undefined;
  for (const item of items) {
    const current = value(item);
    if (!best || current > best.value) best = { item, value: current };
  }
  return best?.item;
}

interface Book {
  title: string;
  genre: "novel" | "poetry" | "history";
  pages: number;
}

const shelf: Book[] = [
  { title: "The Long Ferry", genre: "novel", pages: 312 },
  { title: "Moss and Slate", genre: "poetry", pages: 88 },
  { title: "Salt Roads", genre: "history", pages: 460 },
  { title: "A House in Hanko", genre: "novel", pages: 275 },
];
console.assert(countBy(shelf, (book) => book.genre).get("novel") === 2);
console.assert(maxBy(shelf, (book) => book.pages)?.title === "Salt Roads");
console.assert(partition(shelf, (book) => book.pages < 300)[0].length === 2);
