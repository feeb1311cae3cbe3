import { record, willRecord } from '../autograd/index.ts'
import { native } from '../native.ts'
import { emptyLike, type Tensor } from '../tensor/index.ts'
import { expectMatrix, expectTensor, expectVector, idOf } from './check.ts'

export interface LayerNormOptions {
  /** Added to the variance; default 1e-5. */
  epsilon?: number
  /** [N, D], added to x first. */
  residual?: Tensor
}

/**
 * h = x + residual (h = x without one); y = (h − mean)·rstd·gamma + beta, with mean and rstd of each row, in f32.
 * x, residual [N, D]; gamma, beta [D] → [h, y], both [N, D].
 */
export function layerNorm(x: Tensor, gamma: Tensor, beta: Tensor, options: LayerNormOptions = {}): [h: Tensor, y: Tensor] {
  expectMatrix('layerNorm', { x }, 'x [N, D]')
  expectVector('layerNorm', { gamma, beta }, 'gamma and beta [D]')
  const { epsilon = 1e-5, residual } = options
  if (residual) expectTensor('layerNorm', 'residual', residual)
  const h = residual ? emptyLike(x) : x
  const y = emptyLike(x)
  const [mean, rstd] = willRecord(x, residual, gamma, beta)
    ? [emptyLike(x, [x.shape[0]!], 'f32'), emptyLike(x, [x.shape[0]!], 'f32')]
    : [undefined, undefined]
  native.layerNorm(x.id, idOf(residual), gamma.id, beta.id, epsilon, residual ? h.id : 0, y.id, idOf(mean), idOf(rstd))
  record(
    'layerNorm',
    [x, residual, gamma, beta],
    residual ? [y, h] : y,
    ([dy, dh], grads) => {
      if (!dy) return grads.give(dh!, x, residual)
      // The gradient of a sum is that of each of its terms: x and the residual share one tensor.
      const dsum = grads.wants(x) || grads.wants(residual) ? emptyLike(h) : undefined
      const [dgamma, dbeta] = [idOf(grads.main(gamma)), idOf(grads.main(beta))]
      native.layerNormBackward(dy.id, h.id, gamma.id, mean!.id, rstd!.id, idOf(dh), idOf(dsum), dgamma, dbeta)
      if (dsum) grads.give(dsum, x, residual)
    },
    mean && rstd ? [h, mean, rstd] : [],
  )
  return [h, y]
}
