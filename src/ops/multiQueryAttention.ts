import { record, willRecord } from '../autograd/index.ts'
import { AuroraError } from '../errors.ts'
import { type HeadLayout as HeadWords, native } from '../native.ts'
import type { RandomWords } from '../random/index.ts'
import { emptyLike, type Tensor } from '../tensor/index.ts'
import { expectMatrix, expectVector } from './check.ts'

/**
 * How the heads lie in a row of a fused projection [N, (H + 2G)·K]: with one key head (multi-query) queries, key, value; with
 * as many as query heads (multi-head) query, key and value of head after head.
 */
export interface HeadLayout {
  /** Query heads H. */
  heads: number
  /** Key/value heads G: 1 or H. */
  keyHeads: number
  /** Head width K: a multiple of 8, at most 256. */
  width: number
}

export function headWords(layout: HeadLayout): HeadWords {
  return [layout.heads, layout.keyHeads, layout.width]
}

export interface AttentionOptions {
  /** Multiplies the scores; default 1/√K. */
  scale?: number
  /** Probability of dropping a softmax weight; default 0. */
  dropout?: number
  /** Random numbers of the dropout; required with it. */
  random?: RandomWords
  /** Place of these heads' first among the layer's, of which other ranks have the rest: dropout draws by it. Default 0. */
  firstHead?: number
}

/**
 * Causal attention within documents: row i attends to rows firstRow[i] … i of its batch.
 * y_i,h = Σ_j softmax_j(scale · q_i,h · k_j) v_j. qkv [N, (H + 2G)·K], firstRow i32 [N] → y [N, H·K].
 * Nothing of size N×N is stored: the backward pass computes the scores again.
 */
export function multiQueryAttention(qkv: Tensor, firstRow: Tensor, layout: HeadLayout, options: AttentionOptions = {}): Tensor {
  expectMatrix('multiQueryAttention', { qkv }, 'qkv [N, (H + 2G)·K]')
  expectVector('multiQueryAttention', { firstRow }, 'firstRow [N]')
  const { scale = 1 / Math.sqrt(layout.width), dropout = 0, random, firstHead = 0 } = options
  if (dropout > 0 && !random) {
    throw new AuroraError({
      code: 'ERR_INVALID_ARGUMENT',
      message: 'multiQueryAttention: dropout needs random numbers',
      expected: 'options.random with options.dropout > 0',
      found: 'none',
      hint: 'random: randomWords(seed, Purpose.dropout, step)',
    })
  }
  const rows = qkv.shape[0]!
  const words = headWords(layout)
  const noise: RandomWords = random ?? [0, 0, 0, 0]
  const y = emptyLike(qkv, [rows, layout.heads * layout.width])
  const logSumExp = willRecord(qkv) ? emptyLike(qkv, [layout.heads, rows], 'f32') : undefined
  native.attention(qkv.id, firstRow.id, words, scale, dropout, noise, y.id, logSumExp?.id ?? 0, firstHead)
  record(
    'multiQueryAttention',
    [qkv, firstRow],
    y,
    ([dy], grads) => {
      const dqkv = grads.into(qkv)
      if (!dqkv) return
      native.attentionBackward(dy!.id, qkv.id, firstRow.id, y.id, logSumExp!.id, words, scale, dropout, noise, dqkv.id, firstHead)
    },
    logSumExp ? [qkv, firstRow, y, logSumExp] : [],
  )
  return y
}
