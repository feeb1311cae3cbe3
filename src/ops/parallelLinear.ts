/**
 * The two products of tensor parallelism (Megatron-LM, arXiv 1909.08053): one whose weight is cut by outputs, then one whose weight is cut by
 * inputs, so that nothing is exchanged between them.
 */
import { record, willRecord } from '../autograd/index.ts'
import { native } from '../native.ts'
import { emptyLike, type Tensor } from '../tensor/index.ts'
import { expectMatrix, idOf } from './check.ts'
import { type OverlappedExchange, rowsOf, withRows } from './exchange.ts'
import { type Activation, activationCode } from './linear.ts'

/**
 * This rank's columns of activation(x · weightᵀ + bias), with weight and bias the rank's rows of the layer's: x [N, D], or under sequence
 * parallelism the rank's rows [N/R, D]; weight [F, D], bias [F] → y [N, F]. The gradient of x is the sum over the ranks; those of weight and bias
 * are computed beside its exchange. Gathered rows are not kept for the backward pass but gathered again.
 */
export function columnParallelLinear(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  activation: Activation,
  exchange: OverlappedExchange,
): Tensor {
  expectMatrix('columnParallelLinear', { x, weight }, 'x [N, D] and weight [F, D]')
  const code = activationCode[activation]
  const size: [number, number] = [exchange.rowCount(x), x.shape[1]!]
  const y = emptyLike(x, [size[0], weight.shape[0]!])
  const preactivation = activation !== 'none' && willRecord(x, weight, bias) ? emptyLike(y) : undefined
  exchange.forRows(x, (rows, first) => {
    const [ys, preactivations] = [y, preactivation].map(of => of && rowsOf(of, first, rows.shape[0]!))
    native.linear(rows.id, weight.id, idOf(bias), code, ys!.id, idOf(preactivations))
  })
  record(
    'columnParallelLinear',
    [x, weight, bias],
    y,
    ([dy], grads) => {
      const [dweight, dbias] = [grads.main(weight), grads.main(bias)]
      const gathering = exchange.gathering(x)
      const { rows } = gathering
      const parameters = () => {
        gathering.wait()
        if (dweight || dbias)
          native.linearBackward(dy!.id, rows.id, weight.id, idOf(preactivation), code, 0, idOf(dweight), idOf(dbias))
      }
      if (grads.wants(x)) {
        // Of x only the shape matters here: its rows may still be on their way.
        const input = (dx: Tensor, first: number) => {
          const [dys, xs, preactivations] = [dy, rows, preactivation].map(of => of && rowsOf(of, first, dx.shape[0]!))
          native.linearBackward(dys!.id, xs!.id, weight.id, idOf(preactivations), code, dx.id, 0, 0)
        }
        grads.give(exchange.sumOf(x, size, input, parameters), x)
      } else parameters()
      gathering.dispose()
    },
    preactivation ? [x, preactivation] : [x],
  )
  return y
}

/**
 * x · weightᵀ + bias, summed over the ranks, of which each has some columns of x and of weight; the bias is one rank's. x [N, D], weight [F, D],
 * bias [F] → y [N, F], or under sequence parallelism the rank's rows [N/R, F].
 */
export function rowParallelLinear(x: Tensor, weight: Tensor, bias: Tensor | undefined, exchange: OverlappedExchange): Tensor {
  expectMatrix('rowParallelLinear', { x, weight }, 'x [N, D] and weight [F, D]')
  const y = exchange.sumOf(x, [x.shape[0]!, weight.shape[0]!], (part, first) =>
    native.linear(rowsOf(x, first, part.shape[0]!).id, weight.id, idOf(bias), activationCode.none, part.id, 0),
  )
  record(
    'rowParallelLinear',
    [x, weight, bias],
    y,
    ([dy], grads) => {
      const [dx, dweight, dbias] = [grads.into(x), grads.main(weight), grads.main(bias)]
      if (!dx && !dweight && !dbias) return
      withRows(exchange, dy!, rows =>
        native.linearBackward(rows.id, x.id, weight.id, 0, activationCode.none, idOf(dx), idOf(dweight), idOf(dbias)),
      )
    },
    [x],
  )
  return y
}
