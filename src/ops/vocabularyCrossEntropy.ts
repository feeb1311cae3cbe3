import { willRecord } from '../autograd/index.ts'
import { native } from '../native.ts'
import { empty, emptyLike, type Tensor } from '../tensor/index.ts'
import { expectMatrix, expectVector, idOf } from './check.ts'
import { type RowExchange, withRows } from './exchange.ts'
import { recordRoot } from './root.ts'

/** Rows whose exponentials are held at once: with fewer, weights and their gradient pass through memory more often than the products take time for. */
const chunkRows = 1024
const chunkBytes = 2 ** 27

/** Where this rank's slice of the vocabulary stands among the others, and how they exchange what a softmax needs of each. */
export interface VocabularySlices {
  /** Slices R. */
  count: number
  /** This rank's. */
  slice: number
  /** partials f32 [3, n] of this slice → those of all slices, [R, 3, n]. */
  gatherPartials(partials: Tensor, all: Tensor): void
  exchange: RowExchange
}

/**
 * linearCrossEntropy with the vocabulary cut into slices: h [N(/R), D] (see RowExchange), weight [V, D] this rank's rows, targets i32 [N] counted from
 * the slice's first row: in [0, V) here, −1 none, below −1 in another slice; weights f32 [N] → losses f32 [N], the same on every rank.
 *
 * The logits of a slice exist for a chunk of rows at a time, so the gradients of Σ weights·losses are taken in this pass, as
 * linearCrossEntropy does: the losses must be the root of `Tape.backward`, with its unit seed.
 */
export function vocabularyCrossEntropy(
  h: Tensor,
  weight: Tensor,
  targets: Tensor,
  weights: Tensor,
  slices: VocabularySlices,
): Tensor {
  expectMatrix('vocabularyCrossEntropy', { h, weight }, 'h [N, D] and weight [V, D]')
  expectVector('vocabularyCrossEntropy', { targets, weights }, 'targets and weights [N]')
  const [rowCount, width, size] = [targets.shape[0]!, h.shape[1]!, weight.shape[0]!]
  const differentiate = willRecord(h, weight)
  const losses = emptyLike(h, [rowCount], 'f32')
  const share = differentiate && willRecord(h) ? emptyLike(h, [rowCount, width]) : undefined
  const atOnce = Math.max(1, Math.min(chunkRows, Math.floor(chunkBytes / (4 * size))))
  withRows(slices.exchange, h, all => {
    for (let start = 0; start < rowCount; start += atOnce) {
      const n = Math.min(atOnce, rowCount - start)
      const matrix = (of: Tensor | undefined) => of?.view(start * width, [n, width])
      const vector = (of: Tensor) => of.view(start, [n])
      const [rows, chunkTargets, chunkWeights, chunkLosses, chunkShare] = [
        matrix(all)!,
        vector(targets),
        vector(weights),
        vector(losses),
        matrix(share),
      ]
      const f32 = { dtype: 'f32', device: h.device } as const
      const [exponentials, own, partials] = [empty([n, size], f32), empty([3, n], f32), empty([slices.count, 3, n], f32)]
      native.vocabularyExponentials(rows.id, weight.id, chunkTargets.id, exponentials.id, own.id)
      slices.gatherPartials(own, partials)
      native.vocabularyCrossEntropy(
        rows.id,
        weight.id,
        chunkTargets.id,
        partials.id,
        slices.slice,
        differentiate ? chunkWeights.id : 0,
        exponentials.id,
        chunkLosses.id,
        idOf(chunkShare),
        differentiate ? idOf(weight.gradient) : 0,
      )
      for (const used of [rows, chunkTargets, chunkWeights, chunkLosses, chunkShare, exponentials, own, partials]) used?.dispose()
    }
  })
  const dh = share && slices.exchange.reduce(share)
  recordRoot('vocabularyCrossEntropy', h, weight, losses, dh)
  return losses
}
