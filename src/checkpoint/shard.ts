/** One rank's part of a sharded checkpoint: its blocks, copied to the host in a moment, written to a file in their own time. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { AuroraError } from '../errors.ts'
import { type DType, elementBytes } from '../tensor/index.ts'
import { type Block, liesWithin, type Region, volume } from './blocks.ts'
import { type IndexedBlock, type ShardIndex, shardName } from './manifest.ts'
import { writeSafetensors } from './safetensors.ts'
import { chunkBytes, storedAs } from './stored-blocks.ts'

/** A block whose values are in host memory: what the tensor held when the snapshot was taken. */
export interface HostBlock extends Region {
  readonly name: string
  readonly shape: readonly number[]
  readonly dtype: DType
  /** Its bytes, in pieces of whole elements. */
  readonly pieces: readonly Uint8Array[]
}

/**
 * Copies blocks to host memory, which takes as much memory as they do. Once it has resolved, the tensors may change or go. What has been
 * enqueued before the call is in the copy, and nothing of what is enqueued after it.
 *
 * @throws AuroraError ERR_CHECKPOINT_SHAPE for a tensor that has not the block's dtype and number of elements
 */
export async function snapshot(blocks: readonly Block[]): Promise<HostBlock[]> {
  for (const block of blocks) checkTensor(block)
  return Promise.all(
    blocks.map(async ({ name, shape, dtype, start, size, tensor }) => ({
      name,
      shape: [...shape],
      dtype,
      start: [...start],
      size: [...size],
      pieces: await Promise.all(
        [...piecesOf(tensor.size, elementBytes[dtype])].map(([first, count]) => readPiece(tensor, first, count)),
      ),
    })),
  )
}

function readPiece(tensor: Block['tensor'], first: number, count: number): Promise<Uint8Array> {
  const piece = tensor.view(first, [count])
  try {
    return piece.readBytes()
  } finally {
    piece.dispose()
  }
}

/** First element and number of elements of each piece of at most 8 MiB. */
function* piecesOf(elements: number, width: number): Generator<[first: number, count: number]> {
  const most = chunkBytes / width
  for (let first = 0; first < elements; first += most) yield [first, Math.min(most, elements - first)]
}

/**
 * Writes a rank's blocks as `rank-00000.safetensors` into a folder that exists (rank 0 makes it), atomically. Blocks without elements
 * are left out. Returns what the manifest has to know of the file.
 *
 * @param blocks live tensors, which must not change until the promise has settled, or a snapshot of them
 * @throws AuroraError ERR_CHECKPOINT_SHAPE for a block that does not lie in its tensor, ERR_CHECKPOINT_NAME for two blocks of one tensor
 * that begin at the same element, ERR_DISK_FULL and others of the disk; the signal's reason when it is aborted. Nothing is left then.
 */
export async function writeShard(
  folder: string,
  rank: number,
  blocks: readonly (Block | HostBlock)[],
  { signal }: { signal?: AbortSignal } = {},
): Promise<ShardIndex> {
  signal?.throwIfAborted()
  const file = shardName(rank)
  const path = join(folder, file)
  const planned = blocks.map(block => {
    checkPlace(block)
    if ('tensor' in block) checkTensor(block)
    const { name, shape, start, size } = block
    const dtype = storedAs[block.dtype]
    const bytes = volume(size) * elementBytes[block.dtype]
    return { block, index: { name, dtype, shape, start, size, key: `${name}@${start.join(',')}`, bytes }, crc: 0 }
  })
  // A tensor without elements keeps one block, so that the checkpoint knows of it.
  const written = planned.filter(({ index }) => index.bytes > 0 || volume(index.shape) === 0)
  const tensors = written.map(part => ({
    name: part.index.key,
    dtype: part.index.dtype,
    shape: part.index.size,
    data: () => bytesOf(part, signal),
  }))
  // Rank 0 may have given the checkpoint up and removed the folder: then it must not come back.
  const metadata = { format: 'aurora-shard', rank: String(rank) }
  await writeSafetensors(path, tensors, metadata, { createFolder: false }).catch(error => {
    signal?.throwIfAborted()
    throw error
  })
  const { size: bytes } = await stat(path)
  const indexed = written.map(({ index, crc }): IndexedBlock => ({ ...index, crc32: hexadecimal(crc) }))
  return { file, bytes, blocks: indexed }
}

/** The bytes of a block, as the file gets them; their checksum is known afterwards. */
async function* bytesOf(part: { block: Block | HostBlock; crc: number }, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const { block } = part
  for await (const piece of 'tensor' in block ? livePieces(block) : block.pieces) {
    signal?.throwIfAborted()
    part.crc = crc32(piece, part.crc)
    yield piece
  }
}

async function* livePieces({ tensor, dtype }: Block): AsyncGenerator<Uint8Array> {
  for (const [first, count] of piecesOf(tensor.size, elementBytes[dtype])) yield readPiece(tensor, first, count)
}

export function hexadecimal(crc: number): string {
  return crc.toString(16).padStart(8, '0')
}

function checkPlace({ name, shape, start, size }: Block | HostBlock): void {
  if (liesWithin({ start, size }, shape)) return
  throw new AuroraError({
    code: 'ERR_CHECKPOINT_SHAPE',
    message: `a block of "${name}" does not lie in it`,
    expected: `a block of [${shape.join(', ')}]`,
    found: `[${size.join(', ')}] from [${start.join(', ')}] on`,
  })
}

function checkTensor({ name, dtype, size, tensor }: Block): void {
  if (tensor.dtype === dtype && tensor.size === volume(size)) return
  throw new AuroraError({
    code: 'ERR_CHECKPOINT_SHAPE',
    message: `the tensor of a block of "${name}" does not fit it`,
    expected: `${dtype}, ${volume(size)} elements for [${size.join(', ')}]`,
    found: `${tensor.dtype}, ${tensor.size} elements [${tensor.shape.join(', ')}]`,
  })
}
