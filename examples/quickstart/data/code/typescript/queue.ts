/**
 * A first-in, first-out queue on top of two arrays.
 *
 * Items arrive in one array and leave from the other, so that both
 * operations take constant time on average.
 */
export class Queue<T> {
  private incoming: T[] = [];
  private outgoing: T[] = [];

  constructor(items: Iterable<T> = []) {
    for (const item of items) this.enqueue(item);
  }

  /** The number of waiting items. */
  get size(): number {
    return this.incoming.length + this.outgoing.length;
  }

  get isEmpty(): boolean {
    return this.size === 0;
  }

  /** Put an item at the end. */
  enqueue(item: T): void {
    this.incoming.push(item);
  }

  /** Take the item at the front, or undefined if there is none. */
  dequeue(): T | undefined {
    this.refill();
    return this.outgoing.pop();
  }

  /** Look at the item at the front without taking it. */
  peek(): T | undefined {
    this.refill();
    return this.outgoing[this.outgoing.length - 1];
  }

  /** Take items one by one until the queue is empty. */
  *drain(): Generator<T> {
    while (!this.isEmpty) {
      yield this.dequeue() as T;
    }
  }

  /** Turn the incoming pile over once the outgoing one is used up. */
  private refill(): void {
    if (this.outgoing.length === 0) {
      this.outgoing = this.incoming.reverse();
      this.incoming = [];
    }
  }
}

const bakery = new Queue(["Ana", "Björn"]);
bakery.enqueue("Chen");
console.assert([...bakery.drain()].join() === "Ana,Björn,Chen");
