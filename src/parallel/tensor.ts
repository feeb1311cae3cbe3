/**
 * Tensor parallelism (Megatron-LM, arXiv 1909.08053) and sequence parallelism along the same group (arXiv 2205.05198): what ranks exchange
 * around a layer of which each has a part.
 */
import { record } from '../autograd/index.ts'
import type { Linear } from '../nn/index.ts'
import { linear, type RowExchange, type VocabularySlices } from '../ops/index.ts'
import { emptyLike, type Tensor } from '../tensor/index.ts'
import type { Group } from './group.ts'

/**
 * The exchanges of one rank with its tensor-parallel group of R ranks. Without sequence parallelism every rank has all N rows of the activations
 * between the cut products; with it a rank has its N/R rows, one rank's after another's.
 */
export class TensorParallel implements RowExchange {
  readonly group: Group
  readonly sequence: boolean

  constructor(group: Group, sequence: boolean) {
    this.group = group
    this.sequence = sequence && group.size > 1
  }

  gather(x: Tensor): Tensor {
    if (!this.sequence) return x
    const rows = emptyLike(x, [x.shape[0]! * this.group.size, x.shape[1]!])
    this.group.allGather(x, rows)
    return rows
  }

  reduce(share: Tensor, meanwhile?: () => void): Tensor {
    const { group } = this
    const own = this.sequence ? emptyLike(share, [share.shape[0]! / group.size, share.shape[1]!]) : share
    const exchange = () => (this.sequence ? group.reduceScatter(share, own) : group.allReduce(share))
    if (meanwhile) {
      const pending = group.beside(exchange)
      meanwhile()
      pending.wait()
    } else exchange()
    if (own !== share) share.dispose()
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
    if (this.group.size > 1) layer.compute = (x, weight, bias, activation) => linear(x, weight, bias, activation, this)
  }

  /** Makes a layer whose weight takes some of the inputs exchange its output. The bias is one rank's. */
  cutInputs(layer: Linear): void {
    if (this.group.size > 1) layer.compute = (x, weight, bias, activation) => this.sum(linear(x, weight, bias, activation))
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
}
