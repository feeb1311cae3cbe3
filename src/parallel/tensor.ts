/**
 * Tensor parallelism (Megatron-LM, arXiv 1909.08053) and sequence parallelism along the same group (arXiv 2205.05198): what ranks exchange
 * around a layer of which each has a part.
 */
import { record } from '../autograd/index.ts'
import { type Linear, share } from '../nn/index.ts'
import {
  columnParallelLinear,
  type Gathering,
  type OverlappedExchange,
  rowParallelLinear,
  rowsOf,
  type VocabularySlices,
} from '../ops/index.ts'
import { emptyLike, scope, type Tensor } from '../tensor/index.ts'
import type { Group, Pending } from './group.ts'
import type { ParallelLayout } from './layout.ts'

/** Rows that are exchanged at once: `count` rows of a rank from `first` on, and where they lie in the whole matrix. */
interface Chunk {
  first: number
  count: number
  /** Rows of the whole matrix from `row` on, which lie in the exchanged buffer from row `at` on. */
  blocks: readonly { row: number; at: number; count: number }[]
}

/**
 * The exchanges of one rank with its tensor-parallel group of R ranks. Without sequence parallelism every rank has all N rows of the activations
 * between the cut products; with it a rank has its N/R rows, one rank's after another's.
 *
 * A product's rows are exchanged in `chunks`: while one is on its way on the group's stream, the next is computed on the current one. A chunk is
 * some rows of a rank; under sequence parallelism it has those of every rank, for each of which it takes a product of its own.
 */
export class TensorParallel implements OverlappedExchange {
  readonly group: Group
  readonly sequence: boolean
  readonly chunks: number

  constructor(group: Group, { sequenceParallel, tensorChunks }: Pick<ParallelLayout, 'sequenceParallel' | 'tensorChunks'>) {
    this.group = group
    this.sequence = sequenceParallel && group.size > 1
    this.chunks = tensorChunks
  }

  rowCount(x: Tensor): number {
    return this.sequence ? x.shape[0]! * this.group.size : x.shape[0]!
  }

  gather(x: Tensor): Tensor {
    if (!this.sequence) return x
    const rows = this.#allRowsLike(x)
    this.group.allGather(x, rows)
    return rows
  }

  gathering(x: Tensor): Gathering {
    if (!this.sequence) return { rows: x, wait: () => {}, dispose: () => {} }
    const rows = this.#allRowsLike(x)
    const pending = this.group.beside(() => this.group.allGather(x, rows))
    return { rows, wait: () => pending.wait(), dispose: () => rows.dispose() }
  }

  forRows(x: Tensor, each: (rows: Tensor, first: number) => void): void {
    scope(() => {
      if (!this.sequence) {
        each(x, 0)
        return
      }
      const gathered = this.#chunksOf(x.shape[0]!).map(({ first, count, blocks }) => {
        const own = rowsOf(x, first, count)
        const rows = this.#allRowsLike(own)
        return { rows, blocks, pending: this.#exchange(() => this.group.allGather(own, rows)) }
      })
      for (const { rows, blocks, pending } of gathered) {
        pending.wait()
        for (const { row, at, count } of blocks) each(rowsOf(rows, at, count), row)
      }
    })
  }

  reduce(part: Tensor): Tensor {
    if (!this.sequence) {
      this.group.allReduce(part)
      return part
    }
    const own = emptyLike(part, [part.shape[0]! / this.group.size, part.shape[1]!])
    this.group.reduceScatter(part, own)
    part.dispose()
    return own
  }

  sumOf(
    like: Tensor,
    [rows, width]: [rows: number, width: number],
    compute: (part: Tensor, first: number) => void,
    meanwhile?: () => void,
  ): Tensor {
    const { group, sequence } = this
    const own = emptyLike(like, [sequence ? rows / group.size : rows, width])
    scope(() => {
      const pending = this.#chunksOf(own.shape[0]!).map(({ first, count, blocks }) => {
        const sum = rowsOf(own, first, count)
        const part = sequence ? this.#allRowsLike(sum) : sum
        for (const { row, at, count } of blocks) compute(rowsOf(part, at, count), row)
        return this.#exchange(() => (sequence ? group.reduceScatter(part, sum) : group.allReduce(sum)), meanwhile !== undefined)
      })
      meanwhile?.()
      for (const each of pending) each.wait()
    })
    return own
  }

  /** Σ over the ranks of `part` [N, D], which is taken over: all rows, or under sequence parallelism the rank's own [N/R, D]. */
  sum(part: Tensor): Tensor {
    // A tensor of its own for the tape, also where the sum takes the part's place in memory.
    const y = this.sequence ? this.reduce(part) : this.reduce(part.reshape(part.shape))
    record('sumOverRanks', [part], y, ([dy], grads) => grads.give(this.gather(dy!), part))
    return y
  }

  /** Makes a layer whose weight holds some of the outputs exchange its input. */
  cutOutputs(layer: Linear): void {
    if (this.group.size === 1) return
    layer.compute = (x, weight, bias, activation) => columnParallelLinear(x, weight, bias, activation, this)
  }

  /** Makes a layer whose weight takes some of the inputs exchange its output. The bias is one rank's; an activation it cannot have. */
  cutInputs(layer: Linear): void {
    if (this.group.size === 1) return
    layer.compute = (x, weight, bias) => rowParallelLinear(x, weight, bias, this)
  }

  /** The slices of the vocabulary, for the head. */
  get vocabulary(): VocabularySlices {
    const { group } = this
    return {
      count: group.size,
      slice: group.rank,
      gatherPartials: (own, all) => group.allGather(own, all),
      exchange: this,
    }
  }

  #allRowsLike(own: Tensor): Tensor {
    return emptyLike(own, [own.shape[0]! * this.group.size, own.shape[1]!])
  }

  /** Beside what is enqueued next, where there is something: the next chunk, or what the caller knows of. */
  #exchange(run: () => void, beside = false): Pending {
    if (beside || this.chunks > 1) return this.group.beside(run)
    run()
    return { wait: () => {} }
  }

  /** `own` are the rows that a rank has. */
  #chunksOf(own: number): Chunk[] {
    const ranks = this.sequence ? this.group.size : 1
    const size = Math.max(1, Math.min(this.chunks, own))
    if (size === 1) return [{ first: 0, count: own, blocks: [{ row: 0, at: 0, count: own * ranks }] }]
    return Array.from({ length: size }, (_, chunk) => {
      const [first, count] = share(own, { rank: chunk, size })
      const blocks = Array.from({ length: ranks }, (_, rank) => ({ row: rank * own + first, at: rank * count, count }))
      return { first, count, blocks }
    })
  }
}
