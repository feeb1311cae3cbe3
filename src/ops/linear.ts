import { record, willRecord } from '../autograd/index.ts'
import { type ActivationCode, native } from '../native.ts'
import { emptyLike, type Tensor } from '../tensor/index.ts'
import { expectMatrix, idOf } from './check.ts'
import { type RowExchange, withRows } from './exchange.ts'

/** What is applied to a linear layer's output. gelu: x/2 (1 + erf(x/√2)); geluTanh: its tanh approximation. */
export type Activation = 'none' | 'gelu' | 'geluTanh'

const activationCode: Readonly<Record<Activation, ActivationCode>> = { none: 0, gelu: 1, geluTanh: 2 }

/**
 * y = activation(x · weightᵀ + bias). x [N, D], weight [F, D] (out, in), bias [F] → y [N, F].
 * @param exchange weight and bias are some rows of a layer's, and y some columns: see RowExchange. Gathered rows are not kept for the backward
 *   pass but gathered again.
 */
export function linear(
  x: Tensor,
  weight: Tensor,
  bias?: Tensor,
  activation: Activation = 'none',
  exchange?: RowExchange,
): Tensor {
  expectMatrix('linear', { x, weight }, 'x [N, D] and weight [F, D]')
  const code = activationCode[activation]
  const keeps = activation !== 'none' && willRecord(x, weight, bias)
  const [y, preactivation] = withRows(exchange, x, rows => {
    const y = emptyLike(x, [rows.shape[0]!, weight.shape[0]!])
    const preactivation = keeps ? emptyLike(y) : undefined
    native.linear(rows.id, weight.id, idOf(bias), code, y.id, idOf(preactivation))
    return [y, preactivation]
  })
  record(
    'linear',
    [x, weight, bias],
    y,
    ([dy], grads) => {
      const backward = (rows: Tensor, drows: Tensor | undefined, parameters: boolean) => {
        const [dweight, dbias] = parameters ? [idOf(grads.main(weight)), idOf(grads.main(bias))] : [0, 0]
        if (!drows && !dweight && !dbias) return
        native.linearBackward(dy!.id, rows.id, weight.id, idOf(preactivation), code, idOf(drows), dweight, dbias)
      }
      if (!exchange) return backward(x, grads.into(x), true)
      withRows(exchange, x, rows => {
        if (!grads.wants(x)) return backward(rows, undefined, true)
        const share = emptyLike(rows)
        backward(rows, share, false)
        // The parameters' gradients are computed while the ranks exchange the input's.
        grads.give(
          exchange.reduce(share, () => backward(rows, undefined, true)),
          x,
        )
      })
    },
    preactivation ? [x, preactivation] : [x],
  )
  return y
}
