import { native } from '../native.ts'
import { emptyLike, type Tensor } from '../tensor/index.ts'
import { expectMatrix, expectRank, expectVector } from './check.ts'
import { type HeadLayout, headWords } from './multiQueryAttention.ts'

/**
 * Copies the keys and values of row n of qkv to slot slots[n] of the caches. qkv [N, (H + 2G)·K]; slots i32 [N], b·T + t, negative:
 * skipped; keys, values [B, T, G·K]. No derivative.
 */
export function cacheWrite(qkv: Tensor, slots: Tensor, layout: HeadLayout, keys: Tensor, values: Tensor): void {
  expectMatrix('cacheWrite', { qkv }, 'qkv [N, (H + 2G)·K]')
  expectRank(3, 'cacheWrite', { keys, values }, 'keys and values [B, T, G·K]')
  native.cacheWrite(qkv.id, slots.id, headWords(layout), keys.id, values.id)
}

/**
 * One new token for each sequence: the queries of row b of qkv [B, (H + 2G)·K] attend to slots 0 … lengths[b] − 1 of its cache.
 * keys, values [B, T, G·K]; lengths i32 [B], 0 gives y = 0; scale multiplies the scores (default 1/√K) → y [B, H·K]. No derivative.
 */
export function attentionDecode(
  qkv: Tensor,
  keys: Tensor,
  values: Tensor,
  lengths: Tensor,
  layout: HeadLayout,
  scale: number = 1 / Math.sqrt(layout.width),
): Tensor {
  expectMatrix('attentionDecode', { qkv }, 'qkv [B, (H + 2G)·K]')
  expectRank(3, 'attentionDecode', { keys, values }, 'keys and values [B, T, G·K]')
  expectVector('attentionDecode', { lengths }, 'lengths [B]')
  const y = emptyLike(qkv, [qkv.shape[0]!, layout.heads * layout.width])
  native.attentionDecode(qkv.id, keys.id, values.id, lengths.id, headWords(layout), scale, y.id)
  return y
}
