import { type GPTBigCode, rowsOf } from '../models/index.ts'
import { scope } from '../tensor/index.ts'

export interface TokenLossOptions {
  /** Tokens in one forward pass, default 4096. */
  rows?: number
  signal?: AbortSignal
}

/** Tokens of which each but the first is predicted from those before it. At most nPositions + 1, at least 2. */
export type ScoredSequence = ArrayLike<number>

/**
 * The model's loss, −ln p in nats, of every token of every sequence but the first: one Float32Array of length − 1 for each, in
 * order. Sequences share forward passes but see nothing of each other.
 */
export async function* tokenLosses(
  model: GPTBigCode,
  sequences: Iterable<ScoredSequence>,
  options: TokenLossOptions = {},
): AsyncGenerator<Float32Array> {
  const { rows = 4096, signal } = options
  let batch: ScoredSequence[] = []
  let size = 0
  for (const sequence of sequences) {
    if (batch.length > 0 && size + sequence.length - 1 > rows) {
      signal?.throwIfAborted()
      yield* await lossesOf(model, batch)
      batch = []
      size = 0
    }
    batch.push(sequence)
    size += sequence.length - 1
  }
  signal?.throwIfAborted()
  if (batch.length > 0) yield* await lossesOf(model, batch)
}

async function lossesOf(model: GPTBigCode, sequences: readonly ScoredSequence[]): Promise<Float32Array[]> {
  const ids = sequences.map(sequence => Int32Array.from(sequence))
  const rows = rowsOf(ids.map(sequence => sequence.subarray(0, -1)))
  const targets = new Int32Array(rows.tokens.length)
  let start = 0
  for (const sequence of ids) {
    targets.set(sequence.subarray(1), start)
    start += sequence.length - 1
  }
  const losses = await scope(async () => model.losses({ ...rows, targets, weights: new Float32Array(targets.length) }).read())
  let end = 0
  return ids.map(sequence => {
    end += sequence.length - 1
    return losses.subarray(end - sequence.length + 1, end) as Float32Array
  })
}
