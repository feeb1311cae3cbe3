/**
 * What the trainer takes: a global batch of packed sequences, and the micro-batches it is worked through in.
 *
 * Shapes: B sequences, T positions a sequence; rows are flattened, N = B·T.
 */

/** One packed sequence of a domain. All arrays have T entries. */
export interface Sequence {
  /** Index into the reader's `domains`. */
  readonly domain: number
  readonly tokens: Int32Array
  readonly positions: Int32Array
  /** First position of the document that the position belongs to, within this sequence. */
  readonly firstRow: Int32Array
  /** The next token; −1 where there is nothing to learn. */
  readonly targets: Int32Array
}

/** Rows as the model takes them: N = sequences · length, one sequence after the other. */
export interface MicroBatch {
  readonly sequences: number
  readonly length: number
  readonly tokens: Int32Array
  readonly positions: Int32Array
  /** First row (counted in this micro-batch) that row i may attend to. */
  readonly firstRow: Int32Array
  readonly targets: Int32Array
  /** 1 / (trained tokens of the global batch), 0 where there is no target: the batch's loss is Σ weightᵢ·lossᵢ. */
  readonly weights: Float32Array
  /** Per row, index into the global batch's `domains`. */
  readonly domain: Uint16Array
  /** Trained tokens of the whole global batch. */
  readonly normalizer: number
}

/** The sequences of one optimizer step. */
export class GlobalBatch {
  readonly step: number
  readonly stage: string
  readonly domains: readonly string[]
  readonly sequences: readonly Sequence[]
  /** Positions with a target. */
  readonly trainedTokens: number

  constructor(options: { step: number; stage: string; domains: readonly string[]; sequences: readonly Sequence[] }) {
    this.step = options.step
    this.stage = options.stage
    this.domains = options.domains
    this.sequences = options.sequences
    this.trainedTokens = options.sequences.reduce((sum, { targets }) => sum + countTargets(targets), 0)
  }

  /** Positions, trained or not. */
  get tokens(): number {
    return this.sequences.reduce((sum, { tokens }) => sum + tokens.length, 0)
  }

  /**
   * The batch in pieces of at most `size` sequences.
   * @param share of several readers the `rank`th one's, who each take as many sequences, one after another; default all
   */
  *microBatches(size: number, share = { rank: 0, size: 1 }): Generator<MicroBatch> {
    const [begin, end] = [share.rank, share.rank + 1].map(rank => (this.sequences.length * rank) / share.size) as [number, number]
    for (let start = begin; start < end; start += size) {
      yield flatten(this.sequences.slice(start, Math.min(end, start + size)), this.trainedTokens)
    }
  }
}

function countTargets(targets: Int32Array): number {
  let count = 0
  for (const target of targets) if (target >= 0) count++
  return count
}

function flatten(sequences: readonly Sequence[], normalizer: number): MicroBatch {
  const length = sequences[0]!.tokens.length
  const rows = sequences.length * length
  const batch = {
    sequences: sequences.length,
    length,
    tokens: new Int32Array(rows),
    positions: new Int32Array(rows),
    firstRow: new Int32Array(rows),
    targets: new Int32Array(rows),
    weights: new Float32Array(rows),
    domain: new Uint16Array(rows),
    normalizer,
  }
  sequences.forEach((sequence, b) => {
    const start = b * length
    batch.tokens.set(sequence.tokens, start)
    batch.positions.set(sequence.positions, start)
    batch.targets.set(sequence.targets, start)
    batch.domain.fill(sequence.domain, start, start + length)
    for (let t = 0; t < length; t++) {
      batch.firstRow[start + t] = start + sequence.firstRow[t]!
      batch.weights[start + t] = sequence.targets[t]! >= 0 ? 1 / normalizer : 0
    }
  })
  return batch
}
