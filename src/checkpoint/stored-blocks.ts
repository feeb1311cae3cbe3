/** Reading a region of a tensor that is stored in blocks: from any number of files, cut otherwise than it is wanted. */
import { AuroraError } from '../errors.ts'
import type { DType, Tensor } from '../tensor/index.ts'
import { intersect, liesWithin, type Region, slabs, volume } from './blocks.ts'
import { elementBytes, type SafetensorsDType, type TensorInfo } from './safetensors-header.ts'

/** Bytes that are on their way between file and tensor at a time; a multiple of every element's size. */
export const chunkBytes = 8 * 1024 * 1024

/** Rows of a block that lie no further apart than this in their file are read together: reading the gap costs less than another call. */
const gapBytes = 32 * 1024

/** File encodings that tensors take, by their name in the file. */
const encodings: Partial<Record<SafetensorsDType, DType | 'f16'>> = {
  F32: 'f32',
  F16: 'f16',
  BF16: 'bf16',
  I32: 'i32',
  U16: 'u16',
  U8: 'u8',
}
/** Name in the file of each dtype. */
export const storedAs: Record<DType, SafetensorsDType> = { f32: 'F32', bf16: 'BF16', i32: 'I32', u16: 'U16', u8: 'U8' }
const isFloat = (encoding: DType | 'f16') => encoding === 'f32' || encoding === 'bf16' || encoding === 'f16'

/** A block as it lies in a file. */
export interface StoredBlock extends Region {
  /** Fills `into` with the block's bytes from byte `from` on. */
  read(into: Uint8Array, from: number): Promise<void>
}

/** A stored tensor: what it is, and the blocks that hold each of its elements once. */
export interface StoredTensor {
  /** For messages. */
  readonly name: string
  /** For messages: the file or the folder. */
  readonly path: string
  readonly info: TensorInfo
  readonly blocks: readonly StoredBlock[]
}

/** Fills `into` with the bytes of the region, in row-major order, in the stored dtype. */
export async function readRegionBytes(stored: StoredTensor, region: Region, into: Uint8Array): Promise<void> {
  const width = elementBytes[stored.info.dtype]
  for (const block of stored.blocks) {
    const common = intersect(block, region)
    if (common) await copyCommon(block, common, region, width, into)
  }
}

/**
 * Fills `tensor` with the region [start, start + size) of a stored tensor, converted to its dtype. The tensor may have any shape of as
 * many elements. At most 16 MiB of host memory are in use meanwhile.
 *
 * @throws AuroraError ERR_CHECKPOINT_SHAPE, ERR_CHECKPOINT_DTYPE (floating-point and integers do not mix), and those of reading
 */
export async function readRegion(stored: StoredTensor, region: Region, tensor: Tensor): Promise<void> {
  const { dtype, shape } = stored.info
  const encoding = encodings[dtype]
  if (encoding === undefined || isFloat(encoding) !== isFloat(tensor.dtype)) {
    throw new AuroraError({
      code: 'ERR_CHECKPOINT_DTYPE',
      message: `tensor "${stored.name}" of ${stored.path} cannot be read into a ${tensor.dtype} tensor`,
      expected: isFloat(tensor.dtype) ? 'F32, F16 or BF16' : 'I32, U16 or U8',
      found: dtype,
    })
  }
  const { start, size } = region
  if (!liesWithin(region, shape) || volume(size) !== tensor.size) {
    throw new AuroraError({
      code: 'ERR_CHECKPOINT_SHAPE',
      message: `block of tensor "${stored.name}" of ${stored.path}`,
      expected: `a block of ${tensor.size} elements, as the tensor [${tensor.shape.join(', ')}] has, within [${shape.join(', ')}]`,
      found: `[${size.join(', ')}] from [${start.join(', ')}] on`,
    })
  }
  const width = elementBytes[dtype]
  const buffer = new Uint8Array(Math.min(chunkBytes, volume(size) * width))
  for (const slab of slabs(size, chunkBytes / width)) {
    const count = volume(slab.size)
    const bytes = buffer.subarray(0, count * width)
    await readRegionBytes(stored, { start: slab.start.map((first, axis) => first + start[axis]!), size: slab.size }, bytes)
    const piece = tensor.view(slab.offset, [count])
    try {
      piece.writeBytes(bytes, encoding)
    } finally {
      piece.dispose()
    }
  }
}

/** As readRegion, of a whole tensor into one of the same shape. */
export async function readWhole(stored: StoredTensor, tensor: Tensor): Promise<void> {
  const { shape } = stored.info
  if (shape.length !== tensor.shape.length || shape.some((size, axis) => size !== tensor.shape[axis])) {
    throw new AuroraError({
      code: 'ERR_CHECKPOINT_SHAPE',
      message: `tensor "${stored.name}" of ${stored.path} has another shape`,
      expected: `[${tensor.shape.join(', ')}]`,
      found: `[${shape.join(', ')}]`,
    })
  }
  await readRegion(stored, { start: shape.map(() => 0), size: shape }, tensor)
}

/** Copies what a block and the wanted region have in common, in runs that are contiguous in both. */
async function copyCommon(block: StoredBlock, common: Region, wanted: Region, width: number, into: Uint8Array): Promise<void> {
  // Behind the last axis along which one of the two has more than the common part, both lie contiguous.
  const axes = common.size.map((_, axis) => axis)
  const cut = axes.findLast(a => common.size[a] !== block.size[a] || common.size[a] !== wanted.size[a]) ?? 0
  const run = volume(common.size.slice(cut)) * width
  const placeIn = (region: Region, indices: readonly number[]) =>
    indices.reduce((place, index, axis) => place * region.size[axis]! + index - region.start[axis]!, 0) * width
  let group: { from: number; to: number }[] = []
  for (const indices of rowsOf(common, cut)) {
    const from = placeIn(block, indices)
    const last = group.at(-1)
    if (last && (from - last.from - run > gapBytes || from + run - group[0]!.from > chunkBytes)) {
      await copyRuns(block, group, run, into)
      group = []
    }
    group.push({ from, to: placeIn(wanted, indices) })
  }
  await copyRuns(block, group, run, into)
}

/** First indices of a region's runs, whose axes before `cut` are single indices, in row-major order. */
function* rowsOf({ start, size }: Region, cut: number): Generator<readonly number[]> {
  const count = volume(size.slice(0, cut))
  const indices = [...start]
  for (let row = 0; row < count; row++) {
    yield indices
    for (let axis = cut - 1; axis >= 0; axis--) {
      if (++indices[axis]! < start[axis]! + size[axis]!) break
      indices[axis] = start[axis]!
    }
  }
}

/** Copies runs of `run` bytes through one read; a single one goes where it belongs without a detour. */
async function copyRuns(
  block: StoredBlock,
  runs: readonly { from: number; to: number }[],
  run: number,
  into: Uint8Array,
): Promise<void> {
  if (runs.length === 1) return block.read(into.subarray(runs[0]!.to, runs[0]!.to + run), runs[0]!.from)
  const first = runs[0]!.from
  const bytes = new Uint8Array(runs.at(-1)!.from + run - first)
  await block.read(bytes, first)
  for (const { from, to } of runs) into.set(bytes.subarray(from - first, from - first + run), to)
}
