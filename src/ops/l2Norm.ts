import { native } from '../native.ts'
import { emptyLike, type Tensor } from '../tensor/index.ts'
import { expectTensor } from './check.ts'

/** √Σ x² → f32 [1]; x f32 of any shape. Not finite when an element is not. No derivative. */
export function l2Norm(x: Tensor): Tensor {
  expectTensor('l2Norm', 'x', x)
  const norm = emptyLike(x, [1], 'f32')
  native.l2Norm(x.id, norm.id)
  return norm
}
