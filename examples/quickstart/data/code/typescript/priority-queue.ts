/**
 * A priority queue as a binary heap in an array: the children of the
 * item at position i are at 2i + 1 and 2i + 2, and no child comes
 * before its parent.
 */
export class PriorityQueue<T> {
  private readonly heap: T[] = [];

  /** The comparison says which of two items is served first. */
  constructor(private readonly isBefore: (a: T, b: T) => boolean) {}

  get size(): number {
    return this.heap.length;
  }

  peek(): T | undefined {
    return this.heap[0];
  }

  push(item: T): void {
    this.heap.push(item);
    this.rise(this.heap.length - 1);
  }

  pop(): T | undefined {
    const top = this.heap[0];
    const last = this.heap.pop();
    if (this.heap.length > 0 && last !== undefined) {
      this.heap[0] = last;
      this.sink(0);
    }
    return top;
  }

  private rise(index: number): void {
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.isBefore(this.heap[index], this.heap[parent])) return;
      this.swap(index, parent);
      index = parent;
    }
  }

  private sink(index: number): void {
    for (;;) {
      let first = index;
      for (const child of [2 * index + 1, 2 * index + 2]) {
        if (child < this.heap.length && this.isBefore(this.heap[child], this.heap[first])) {
          first = child;
        }
      }
      if (first === index) return;
      this.swap(index, first);
      index = first;
    }
  }

  private swap(i: number, j: number): void {
    [this.heap[i], this.heap[j]] = [this.heap[j], this.heap[i]];
  }
}

const queue = new PriorityQueue<number>((a, b) => a < b);
for (const n of [5, 1, 4, 2, 3]) queue.push(n);
const served: number[] = [];
while (queue.size > 0) served.push(queue.pop() as number);
console.assert(served.join("") === "12345");
