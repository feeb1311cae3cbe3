import { native } from '../native.ts'
import { emptyLike, type Tensor } from '../tensor/index.ts'
import { expectTensor } from './check.ts'

/** √Σ x², a tensor [1]; x f32 of any shape. Not finite when any element is not. No derivative. @param out receives it, instead of a fresh tensor */
export function l2Norm(x: Tensor, out: Tensor = emptyLike(x, [1])): Tensor {
  expectTensor('l2Norm', 'x', x)
  native.l2Norm(x.id, out.id)
  return out
}
