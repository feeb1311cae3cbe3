/** A link of the chain. */
interface Link<T> {
  readonly value: T;
  readonly rest: Link<T> | null;
}

/**
 * An immutable list. Putting an item in front makes a new list that
 * shares all its other links with the old one.
 */
export class List<T> implements Iterable<T> {
  private constructor(
    private readonly first: Link<T> | null,
    readonly length: number,
  ) {}

  static empty<T>(): List<T> {
    return new List<T>(null, 0);
  }

  static of<T>(...items: T[]): List<T> {
    return items.reduceRight((list, item) => list.prepend(item), List.empty<T>());
  }

  /** Return a list with one more item in front. */
  prepend(item: T): List<T> {
    return new List({ value: item, rest: this.first }, this.length + 1);
  }

  /** The item in front. */
  get head(): T {
    if (this.first === null) throw new RangeError("the list is empty");
    return this.first.value;
  }

  /** The list without the item in front. */
  get tail(): List<T> {
    if (this.first === null) throw new RangeError("the list is empty");
    return new List(this.first.rest, this.length - 1);
  }

  reverse(): List<T> {
    let result = List.empty<T>();
    for (const item of this) result = result.prepend(item);
    return result;
  }

  map<U>(change: (item: T) => U): List<U> {
    return List.of(...[...this].map(change));
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let link = this.first; link !== null; link = link.rest) yield link.value;
  }
}

const letters = List.of("b", "c");
const more = letters.prepend("a");
console.assert([...more].join("") === "abc" && letters.length === 2);
console.assert([...more.reverse()].join("") === "cba");
console.assert(more.tail.map((letter) => letter.toUpperCase()).head === "B");
