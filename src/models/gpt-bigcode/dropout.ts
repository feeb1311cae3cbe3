import { dropout } from '../../ops/index.ts'
import { Purpose, type RandomWords, randomWords } from '../../random/index.ts'
import type { Tensor } from '../../tensor/index.ts'

export interface DropoutRates {
  embedding: number
  residual: number
  attention: number
}

/** Places in a layer, each with random numbers of its own. */
const place = { attentionWeights: 0, attentionBranch: 1, mlpBranch: 2, embedding: 3 } as const

/** The dropout of one forward pass: a function of (seed, step, layer, place), so that a recomputation drops the same elements. */
export class Dropout {
  readonly #rates: DropoutRates
  readonly #seed: number | bigint
  readonly #step: number
  readonly #firstRow: number

  /**
   * @param step a number of its own for each forward pass of the training run, below 2^32
   * @param firstRow the place of these rows' first among the pass's, of which other ranks have the rest
   */
  constructor(rates: DropoutRates, seed: number | bigint, step: number, firstRow = 0) {
    this.#rates = rates
    this.#seed = seed
    this.#step = step
    this.#firstRow = firstRow
  }

  embedding(h: Tensor): Tensor {
    return this.#drop(h, this.#rates.embedding, 0, 'embedding')
  }

  /** A branch before it is added to the residual stream. */
  branch(x: Tensor, layer: number, where: 'attentionBranch' | 'mlpBranch'): Tensor {
    return this.#drop(x, this.#rates.residual, layer, where)
  }

  /** Options of the attention operation in a layer. */
  attention(layer: number): { dropout: number; random: RandomWords } {
    return { dropout: this.#rates.attention, random: this.#words(layer, 'attentionWeights') }
  }

  #drop(x: Tensor, rate: number, layer: number, where: keyof typeof place): Tensor {
    return rate > 0 ? dropout(x, rate, this.#words(layer, where), this.#firstRow && (this.#firstRow * x.size) / x.shape[0]!) : x
  }

  /** Purposes stay below 256; layer and place go above. */
  #words(layer: number, where: keyof typeof place): RandomWords {
    return randomWords(this.#seed, Purpose.dropout + 256 * (1 + 4 * layer + place[where]), this.#step)
  }
}
