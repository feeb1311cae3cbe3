/** Random layouts of logical tensors: what a run of some ranks might hold. */
import {
  type Block,
  blocksOfInterval,
  commitManifest,
  type Gather,
  type Region,
  snapshot,
  writeShard,
} from '../../src/checkpoint/index.ts'
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
  for (let attempt = 0; attempt < 4 * count && pieces.length > 0 && pieces.length < count; attempt++) {
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

/** Values that bf16 holds exactly. */
export function randomLogical(name: string, dtype: DType, shape: number[]): Logical {
  const array = { f32: Float32Array, bf16: Float32Array, i32: Int32Array, u16: Uint16Array, u8: Uint8Array }[dtype]
  const values = new array(volume(shape)).map(() => random.below(256) - (dtype.startsWith('u') ? 0 : 128))
  return { name, dtype, shape, values }
}

/** A layout: the blocks of some logical tensors, randomly cut and dealt out to the ranks. */
export function deal(logicals: readonly Logical[], world: number): Block[][] {
  const ranks: Block[][] = Array.from({ length: world }, () => [])
  for (const logical of logicals) {
    for (const region of cutRandomly(logical.shape, 1 + random.below(2 * world))) {
      ranks[random.below(world)]!.push(blockOf(logical, region))
    }
  }
  return ranks
}

/** Writes the files of a sharded checkpoint into a folder that exists, by all ranks at once. */
export async function writeCheckpoint(folder: string, ranks: readonly Block[][]): Promise<void> {
  const indexes = await Promise.all(
    ranks.map(async (blocks, rank) => writeShard(folder, rank, random.below(2) ? await snapshot(blocks) : blocks)),
  )
  await commitManifest(folder, JSON.parse(JSON.stringify(indexes)))
}

/** `gather` among ranks that are promises of one process. */
export function gatherAmong(world: number): (rank: number) => Gather {
  const rooms = new Map<string, { values: unknown[]; count: number; all: PromiseWithResolvers }>()
  return rank =>
    async <T>(key: string, value: T) => {
      const room = rooms.get(key) ?? { values: [], count: 0, all: withResolvers() }
      rooms.set(key, room)
      room.values[rank] = JSON.parse(JSON.stringify(value))
      if (++room.count === world) {
        rooms.delete(key)
        room.all.resolve()
      }
      await room.all.promise
      return room.values as T[]
    }
}

interface PromiseWithResolvers {
  promise: Promise<void>
  resolve(): void
}

function withResolvers(): PromiseWithResolvers {
  let resolve = () => {}
  const promise = new Promise<void>(done => {
    resolve = done
  })
  return { promise, resolve }
}
