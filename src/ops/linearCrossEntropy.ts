import { record, willRecord } from '../autograd/index.ts'
import { native } from '../native.ts'
import { emptyLike, fill, type Tensor } from '../tensor/index.ts'
import { expectMatrix, expectVector, idOf } from './check.ts'
import { recordRoot } from './root.ts'

export interface LinearCrossEntropyOptions {
  /** f32 [N]: the training objective is Σ weights[n]·losses[n]. Default: ones. */
  weights?: Tensor
  /** Also returns the most likely class of each row. */
  best?: boolean
}

/**
 * losses[n] = logsumexp(z_n) − z_n[targets[n]] with logits z = h · weightᵀ, which are never stored whole.
 * h [N, D], weight [V, D], targets i32 [N] in [0, V) or negative (ignored: loss 0) → losses f32 [N], best i32 [N].
 *
 * While recording, the gradients of Σ weights·losses are taken in this same pass, because the logits of a chunk of rows exist
 * only once: weight's is added to its main gradient at once, h's is kept for the backward pass. The losses must therefore be
 * the root of `Tape.backward`, with its unit seed; their scale belongs into `weights`.
 */
export function linearCrossEntropy(
  h: Tensor,
  weight: Tensor,
  targets: Tensor,
  options: LinearCrossEntropyOptions = {},
): { losses: Tensor; best: Tensor | undefined } {
  expectMatrix('linearCrossEntropy', { h, weight }, 'h [N, D] and weight [V, D]')
  expectVector('linearCrossEntropy', { targets }, 'targets [N]')
  const losses = emptyLike(h, [h.shape[0]!], 'f32')
  const best = options.best ? emptyLike(targets) : undefined
  if (!willRecord(h, weight)) {
    native.linearCrossEntropy(h.id, weight.id, targets.id, 0, losses.id, 0, 0, idOf(best))
    record('linearCrossEntropy', [h, weight], losses, () => {})
    return { losses, best }
  }
  const weights = options.weights ?? ones(losses)
  const dh = willRecord(h) ? emptyLike(h) : undefined
  native.linearCrossEntropy(h.id, weight.id, targets.id, weights.id, losses.id, idOf(dh), idOf(weight.gradient), idOf(best))
  if (!options.weights) weights.dispose()
  recordRoot('linearCrossEntropy', h, weight, losses, dh)
  return { losses, best }
}

function ones(like: Tensor): Tensor {
  const y = emptyLike(like)
  fill(y, 1)
  return y
}
