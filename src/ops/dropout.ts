import { record } from '../autograd/index.ts'
import { native } from '../native.ts'
import type { RandomWords } from '../random/index.ts'
import { emptyLike, type Tensor } from '../tensor/index.ts'
import { expectTensor } from './check.ts'

/**
 * y = x / (1 − p) where element first + i of `random`, uniform in [0, 1), is at least p, else 0. Its derivative is the same mask on dy.
 * @param first place of x's first element in a tensor of which other ranks have the rest: a multiple of 4; default 0
 */
export function dropout(x: Tensor, p: number, random: RandomWords, first = 0): Tensor {
  expectTensor('dropout', 'x', x)
  const y = emptyLike(x)
  native.dropout(x.id, p, random, y.id, first)
  record('dropout', [x], y, ([dy], grads) => {
    const dx = grads.into(x)
    if (dx) native.dropout(dy!.id, p, random, dx.id, first)
  })
  return y
}
