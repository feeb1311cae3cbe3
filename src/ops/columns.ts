import { record } from '../autograd/index.ts'
import { native } from '../native.ts'
import { emptyLike, fill, type Tensor } from '../tensor/index.ts'
import { expectMatrix, shapeError } from './check.ts'

/** y = columns [start, start + width) of x. x [N, D] → y [N, width]. */
export function sliceColumns(x: Tensor, start: number, width: number): Tensor {
  expectMatrix('sliceColumns', { x }, 'x [N, D]')
  const y = emptyLike(x, [x.shape[0]!, width])
  native.copyColumns(x.id, start, y.id, 0, width)
  record('sliceColumns', [x], y, ([dy], grads) => {
    const dx = grads.into(x)
    if (!dx) return
    fill(dx, 0)
    native.copyColumns(dy!.id, 0, dx.id, start, width)
  })
  return y
}

/** y = matrices side by side: parts [N, Dᵢ] → y [N, Σ Dᵢ]. */
export function concatColumns(parts: readonly [Tensor, ...Tensor[]]): Tensor {
  for (const part of parts) expectMatrix('concatColumns', { part }, 'parts [N, D]')
  const rows = parts[0].shape[0]!
  if (parts.some(part => part.shape[0] !== rows)) {
    throw shapeError('concatColumns', 'parts of as many rows', parts.map(part => `[${part.shape.join(', ')}]`).join(', '))
  }
  const widths = parts.map(part => part.shape[1]!)
  const starts = widths.map((_, i) => widths.slice(0, i).reduce((sum, width) => sum + width, 0))
  const y = emptyLike(parts[0], [rows, widths.reduce((sum, width) => sum + width, 0)])
  parts.forEach((part, i) => {
    native.copyColumns(part.id, 0, y.id, starts[i]!, widths[i]!)
  })
  record('concatColumns', parts, y, ([dy], grads) => {
    parts.forEach((part, i) => {
      const dpart = grads.into(part)
      if (dpart) native.copyColumns(dy!.id, starts[i]!, dpart.id, 0, widths[i]!)
    })
  })
  return y
}
