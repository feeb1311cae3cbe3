import { record } from '../autograd/index.ts'
import { native } from '../native.ts'
import { type DType, emptyLike, type Tensor } from '../tensor/index.ts'
import { expectTensor } from './check.ts'

/** x in another dtype: f32 → bf16 rounds to nearest even, float → integer truncates and saturates. */
export function cast(x: Tensor, dtype: DType): Tensor {
  expectTensor('cast', 'x', x)
  const y = emptyLike(x, x.shape, dtype)
  native.cast(x.id, y.id)
  record('cast', [x], y, ([dy], grads) => {
    const dx = grads.into(x)
    if (dx) native.cast(dy!.id, dx.id)
  })
  return y
}
