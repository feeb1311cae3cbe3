/** Random layouts of logical tensors: what a run of some ranks might hold. */
import { type Block, blocksOfInterval, type Region } from '../../src/checkpoint/index.ts'
import { type DType, keep, type TypedArray, tensor } from '../../src/tensor/index.ts'
import { random } from '../support/random.ts'

export interface Logical {
  name: string
  shape: number[]
  dtype: DType
  /** In row-major order. */
  values: TypedArray
}

const volume = (size: readonly number[]) => size.reduce((product, length) => product * length, 1)

/** One to `axes` axes of one to `longest` elements. */
export function randomShape(axes: number, longest: number): number[] {
  return Array.from({ length: 1 + random.below(axes) }, () => 1 + random.below(longest))
}

/** A region cut again and again, straight through or as a flat interval is, until there are `count` pieces or nothing to cut. */
export function cutRandomly(shape: readonly number[], count: number): Region[] {
  const pieces: Region[] = [{ start: shape.map(() => 0), size: shape }]
  for (let attempt = 0; attempt < 4 * count && pieces.length < count; attempt++) {
    const [piece] = pieces.splice(random.below(pieces.length), 1) as [Region]
    const { start, size } = piece
    const axis = random.below(size.length)
    if (random.below(3) === 0) {
      const total = volume(size)
      const at = random.below(total + 1)
      pieces.push(...blocksOfInterval(piece, 0, at), ...blocksOfInterval(piece, at, total))
    } else if (size[axis]! > 1) {
      const at = 1 + random.below(size[axis]! - 1)
      const half = (first: number, length: number) => ({ start: start.with(axis, first), size: size.with(axis, length) })
      pieces.push(half(start[axis]!, at), half(start[axis]! + at, size[axis]! - at))
    } else pieces.push(piece)
  }
  return pieces.map(({ start, size }) => ({ start, size }))
}

/** The values of a region, in its row-major order. */
export function valuesOf({ shape, values }: Logical, { start, size }: Region): TypedArray {
  const part = new (values.constructor as Float32ArrayConstructor)(volume(size))
  for (let i = 0; i < part.length; i++) {
    const place = shape.reduce((sum, length, axis) => {
      const index = Math.floor(i / volume(size.slice(axis + 1))) % size[axis]!
      return sum * length + start[axis]! + index
    }, 0)
    part[i] = values[place]!
  }
  return part
}

/** A block of a logical tensor, as some rank holds it. */
export function blockOf(logical: Logical, { start, size }: Region): Block {
  const { name, shape, dtype } = logical
  return { name, shape, dtype, start, size, tensor: keep(tensor(valuesOf(logical, { start, size }), [volume(size)], { dtype })) }
}
