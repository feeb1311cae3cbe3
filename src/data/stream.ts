/**
 * A dataset as one endless stream of tokens: epoch after epoch, each with all documents once, in an order of its own. Any
 * position can be reached at once, so that reading can stop and go on anywhere, with any sequence length.
 */
import { createHash } from 'node:crypto'
import { Purpose, RandomStream, randomWords } from '../random/index.ts'
import type { TokenDataset } from './dataset.ts'

/** Tokens [start, end) of one document, in one of its epochs. */
export interface Piece {
  readonly document: number
  readonly epoch: number
  readonly start: number
  readonly end: number
}

/** One epoch's order of documents; `starts[k]` is the position of the (64·k)th one within the epoch. */
interface EpochOrder {
  readonly documents: Uint32Array
  readonly starts: Float64Array
}

const stride = 64
const epochsKept = 2

export class DocumentStream {
  readonly key: string
  readonly dataset: TokenDataset
  /** The run's seed and the stream's key: different streams never share random numbers. */
  readonly seed: bigint
  readonly #orders = new Map<number, EpochOrder>()

  /** @param key names the stream within the run; `dataset` must not be empty */
  constructor(key: string, dataset: TokenDataset, seed: number | bigint) {
    this.key = key
    this.dataset = dataset
    this.seed = createHash('sha256').update(`${seed} ${key}`).digest().readBigUInt64LE()
  }

  /** The pieces of documents that make up tokens [position, position + length) of the stream, none of them empty. */
  pieces(position: number, length: number): Piece[] {
    const pieces: Piece[] = []
    const end = position + length
    for (let at = position; at < end; ) {
      const epoch = Math.floor(at / this.dataset.tokens)
      const epochStart = epoch * this.dataset.tokens
      at = epochStart + this.#readEpoch(epoch, at - epochStart, Math.min(end - epochStart, this.dataset.tokens), pieces)
    }
    return pieces
  }

  /** Collects the pieces of [from, to) of an epoch; returns `to`. */
  #readEpoch(epoch: number, from: number, to: number, pieces: Piece[]): number {
    const { documents, starts } = this.#order(epoch)
    let block = lastAtMost(starts, from)
    let start = starts[block]!
    for (block *= stride; start < to; block++) {
      const document = documents[block]!
      const length = this.dataset.length(document)
      const first = Math.max(from - start, 0)
      const last = Math.min(to - start, length)
      if (first < last) pieces.push({ document, epoch, start: first, end: last })
      start += length
    }
    return to
  }

  #order(epoch: number): EpochOrder {
    const kept = this.#orders.get(epoch)
    if (kept !== undefined) return kept
    const documents = new Uint32Array(this.dataset.documents)
    for (let i = 0; i < documents.length; i++) documents[i] = i
    new RandomStream(randomWords(this.seed, Purpose.order, epoch)).shuffle(documents)
    const starts = new Float64Array(Math.ceil(documents.length / stride))
    let position = 0
    for (let i = 0; i < documents.length; i++) {
      if (i % stride === 0) starts[i / stride] = position
      position += this.dataset.length(documents[i]!)
    }
    const order = { documents, starts }
    this.#orders.set(epoch, order)
    if (this.#orders.size > epochsKept) this.#orders.delete(this.#orders.keys().next().value!)
    return order
  }
}

/** The last index whose value is ≤ `value`; `sorted` ascends and starts at or below it. */
function lastAtMost(sorted: Float64Array, value: number): number {
  let low = 0
  let high = sorted.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (sorted[middle]! <= value) low = middle
    else high = middle - 1
  }
  return low
}
