import { record } from '../autograd/index.ts'
import { native } from '../native.ts'
import { emptyLike, type Tensor } from '../tensor/index.ts'
import { expectTensor } from './check.ts'

/** y = a + b, of equal shape. */
export function add(a: Tensor, b: Tensor): Tensor {
  expectTensor('add', 'a', a)
  expectTensor('add', 'b', b)
  const y = emptyLike(a)
  native.add(a.id, 1, b.id, 1, y.id)
  record('add', [a, b], y, ([dy], grads) => grads.give(dy!, a, b))
  return y
}

/** y = factor · x. */
export function scale(x: Tensor, factor: number): Tensor {
  expectTensor('scale', 'x', x)
  const y = emptyLike(x)
  native.add(x.id, factor, 0, 0, y.id)
  record('scale', [x], y, ([dy], grads) => {
    const dx = grads.into(x)
    if (dx) native.add(dy!.id, factor, 0, 0, dx.id)
  })
  return y
}
