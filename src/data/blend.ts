/**
 * Megatron's blending rule: the next sample comes from the stream that is furthest behind its share,
 * argmaxᵢ(wᵢ·max(n, 1) − countᵢ) after n samples, ties to the lowest i. The counts therefore never stray from the weights by
 * more than a sample or so. The rule is sequential; counts are kept at regular intervals, so that any sample is near one.
 */
const interval = 4096

export class Blend {
  readonly #weights: Float64Array
  /** Counts after interval · k samples, for k = 0, 1, …. */
  readonly #milestones: Float64Array[]
  /** Where the last look-up stopped: sequential access goes on from there. */
  #samples = 0
  #counts: Float64Array

  /** @param weights shares of the streams, positive; scaled to sum 1 */
  constructor(weights: readonly number[]) {
    const sum = weights.reduce((total, weight) => total + weight, 0)
    this.#weights = Float64Array.from(weights, weight => weight / sum)
    this.#counts = new Float64Array(weights.length)
    this.#milestones = [this.#counts.slice()]
  }

  /** Which stream sample `index` comes from, and how many that stream has given before it. */
  at(index: number): { stream: number; count: number } {
    this.#seek(index)
    const stream = this.#next()
    return { stream, count: this.#counts[stream]! }
  }

  /** How many samples each stream has given after `samples` in all. */
  countsAfter(samples: number): Float64Array {
    this.#seek(samples)
    return this.#counts.slice()
  }

  #seek(samples: number): void {
    const milestone = Math.min(Math.floor(samples / interval), this.#milestones.length - 1)
    if (samples < this.#samples || milestone * interval > this.#samples) {
      this.#samples = milestone * interval
      this.#counts = this.#milestones[milestone]!.slice()
    }
    while (this.#samples < samples) {
      const stream = this.#next()
      this.#counts[stream] = this.#counts[stream]! + 1
      this.#samples++
      if (this.#samples === this.#milestones.length * interval) this.#milestones.push(this.#counts.slice())
    }
  }

  #next(): number {
    const n = Math.max(this.#samples, 1)
    let stream = 0
    let furthest = Number.NEGATIVE_INFINITY
    for (let i = 0; i < this.#weights.length; i++) {
      const behind = this.#weights[i]! * n - this.#counts[i]!
      if (behind > furthest) {
        furthest = behind
        stream = i
      }
    }
    return stream
  }
}
