import { record } from '../autograd/index.ts'
import { native } from '../native.ts'
import { emptyLike, type Tensor } from '../tensor/index.ts'
import { expectMatrix, expectVector } from './check.ts'

/** y[m] = x[rows[m]]. x [N, D], rows i32 [M] in [0, N) → y [M, D]. Rows may repeat; one outside fails with ERR_INDEX at the next await. */
export function gatherRows(x: Tensor, rows: Tensor): Tensor {
  expectMatrix('gatherRows', { x }, 'x [N, D]')
  expectVector('gatherRows', { rows }, 'rows [M]')
  const y = emptyLike(x, [rows.shape[0]!, x.shape[1]!])
  native.gatherRows(x.id, rows.id, y.id)
  record(
    'gatherRows',
    [x, rows],
    y,
    ([dy], grads) => {
      const dx = grads.into(x)
      if (dx) native.gatherRowsBackward(dy!.id, rows.id, dx.id)
    },
    [rows],
  )
  return y
}
