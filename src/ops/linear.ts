import { record, willRecord } from '../autograd/index.ts'
import { type ActivationCode, native } from '../native.ts'
import { emptyLike, type Tensor } from '../tensor/index.ts'
import { expectMatrix, idOf } from './check.ts'

/** What is applied to a linear layer's output. gelu: x/2 (1 + erf(x/√2)); geluTanh: its tanh approximation. */
export type Activation = 'none' | 'gelu' | 'geluTanh'

/** As the native side numbers them. */
export const activationCode: Readonly<Record<Activation, ActivationCode>> = { none: 0, gelu: 1, geluTanh: 2 }

/** y = activation(x · weightᵀ + bias). x [N, D], weight [F, D] (out, in), bias [F] → y [N, F]. */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor, activation: Activation = 'none'): Tensor {
  expectMatrix('linear', { x, weight }, 'x [N, D] and weight [F, D]')
  const code = activationCode[activation]
  const y = emptyLike(x, [x.shape[0]!, weight.shape[0]!])
  const preactivation = activation !== 'none' && willRecord(x, weight, bias) ? emptyLike(y) : undefined
  native.linear(x.id, weight.id, idOf(bias), code, y.id, idOf(preactivation))
  record(
    'linear',
    [x, weight, bias],
    y,
    ([dy], grads) => {
      const [dx, dweight, dbias] = [grads.into(x), grads.main(weight), grads.main(bias)]
      if (dx || dweight || dbias)
        native.linearBackward(dy!.id, x.id, weight.id, idOf(preactivation), code, idOf(dx), idOf(dweight), idOf(dbias))
    },
    preactivation ? [x, preactivation] : [x],
  )
  return y
}
