/**
 * The manifest of a sharded checkpoint: which file holds which blocks of which tensors. It is written last, checked as a whole when it
 * is written and again when it is read, where it may come from anywhere.
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AuroraError } from '../errors.ts'
import { writeFileAtomic } from './atomic.ts'
import { coverFault, liesWithin, type Region } from './blocks.ts'
import { fileError } from './files.ts'
import { byteLength, elementBytes, maxHeaderBytes, type SafetensorsDType } from './safetensors-header.ts'
import { isLength, isObject, isSizes, readJson, shorten } from './untrusted.ts'

export const manifestName = 'manifest.json'

/** More blocks of one tensor than any layout makes: 4096 ranks with some pieces each. */
const maxBlocksOfTensor = 65_536

/** A block in a shard's file. */
export interface IndexedBlock extends Region {
  /** Of the logical tensor. */
  readonly name: string
  readonly dtype: SafetensorsDType
  /** Of the logical tensor. */
  readonly shape: readonly number[]
  /** Its name in the file. */
  readonly key: string
  readonly bytes: number
  /** CRC-32 (IEEE 802.3, as zlib's) of its bytes, 8 hexadecimal digits: finds accidents, not forgeries. */
  readonly crc32: string
}

/** What one rank has written. Plain data, which a rank can send to rank 0 as JSON. */
export interface ShardIndex {
  /** Plain name of the file, `rank-00000.safetensors`. */
  readonly file: string
  /** Length of the file. */
  readonly bytes: number
  readonly blocks: readonly IndexedBlock[]
}

/** A logical tensor and where its blocks are. */
export interface ManifestTensor {
  readonly dtype: SafetensorsDType
  readonly shape: readonly number[]
  readonly blocks: readonly (IndexedBlock & { readonly file: string })[]
}

export function shardName(rank: number): string {
  if (!Number.isInteger(rank) || rank < 0 || rank > 99_999) {
    throw new AuroraError({ code: 'ERR_INVALID_ARGUMENT', message: 'bad rank', expected: '0 … 99999', found: String(rank) })
  }
  return `rank-${String(rank).padStart(5, '0')}.safetensors`
}

/**
 * Writes the manifest into a folder that all ranks have written their shards into: by rank 0, when it has all their indexes.
 *
 * @throws AuroraError ERR_CHECKPOINT_MANIFEST unless the blocks hold each element of each tensor exactly once,
 * ERR_FILE_NOT_FOUND or ERR_FILE_TRUNCATED when a shard is not there as its index says
 */
export async function commitManifest(folder: string, shards: readonly ShardIndex[]): Promise<void> {
  const path = join(folder, manifestName)
  tensorsOf(path, checkShards(path, shards))
  await checkFiles(folder, shards)
  await writeFileAtomic(path, `${JSON.stringify({ format: 1, shards })}\n`)
}

/** Reads and checks a manifest, and that the files are there in the lengths that it says. */
export async function readManifest(
  folder: string,
): Promise<{ shards: readonly ShardIndex[]; tensors: ReadonlyMap<string, ManifestTensor> }> {
  const path = join(folder, manifestName)
  const json = await readJson(path, maxHeaderBytes, (...what) => manifestError(path, ...what))
  const { format, shards: listed } = isObject(json) ? json : {}
  if (format !== 1) throw manifestError(path, 'unknown format', 'format 1', shorten(JSON.stringify(format) ?? 'none'))
  const shards = checkShards(path, listed)
  const tensors = tensorsOf(path, shards)
  await checkFiles(folder, shards)
  return { shards, tensors }
}

/** Each shard and block by itself. */
function checkShards(path: string, value: unknown): readonly ShardIndex[] {
  if (!Array.isArray(value)) throw manifestError(path, 'shards', 'an array', typeof value)
  const files = new Set<string>()
  for (const shard of value as unknown[]) {
    const { file, bytes, blocks } = isObject(shard) ? shard : {}
    // A plain name of just this form: a manifest cannot make anyone read beside its folder.
    if (typeof file !== 'string' || !/^rank-\d{5}\.safetensors$/.test(file)) {
      throw manifestError(
        path,
        'name of a file',
        'rank-00000.safetensors, rank-00001.safetensors, …',
        shorten(String(JSON.stringify(file))),
      )
    }
    if (files.has(file)) throw manifestError(path, `${file} is listed twice`)
    files.add(file)
    if (!isLength(bytes) || !Array.isArray(blocks)) throw manifestError(path, file, 'its length in bytes and an array of blocks')
    const keys = new Set<string>()
    for (const block of blocks as unknown[]) {
      checkBlock(path, file, block)
      if (keys.has(block.key)) throw manifestError(path, `${file}: key "${shorten(block.key)}" is listed twice`)
      keys.add(block.key)
    }
  }
  return value as ShardIndex[]
}

function checkBlock(path: string, file: string, block: unknown): asserts block is IndexedBlock {
  const { name, dtype, shape, start, size, key, bytes, crc32 } = isObject(block) ? block : {}
  const label = typeof name === 'string' ? `${file}: block of "${shorten(name)}"` : `${file}: a block`
  const refuse = (expected: string, found: unknown) =>
    manifestError(path, label, expected, shorten(JSON.stringify(found) ?? 'nothing'))
  if (typeof name !== 'string' || typeof key !== 'string') throw refuse('a name and a key', { name, key })
  if (typeof dtype !== 'string' || !Object.hasOwn(elementBytes, dtype)) throw refuse('a dtype of safetensors', dtype)
  if (!isSizes(shape) || Number.isNaN(byteLength(dtype as SafetensorsDType, shape))) {
    throw refuse('a shape of non-negative integers whose bytes can be counted', shape)
  }
  const lies = isSizes(start) && isSizes(size) && liesWithin({ start, size }, shape)
  if (!lies) throw refuse(`start and size of a block within [${shorten(shape.join(', '))}]`, { start, size })
  const expected = byteLength(dtype as SafetensorsDType, size)
  if (bytes !== expected) throw refuse(`${expected} bytes for ${dtype} [${shorten(size.join(', '))}]`, bytes)
  if (typeof crc32 !== 'string' || !/^[0-9a-f]{8}$/.test(crc32)) throw refuse('a crc32 of 8 hexadecimal digits', crc32)
}

/** The blocks by tensor; all of a tensor agree, and together they are the tensor. */
function tensorsOf(path: string, shards: readonly ShardIndex[]): ReadonlyMap<string, ManifestTensor> {
  const tensors = new Map<
    string,
    { dtype: SafetensorsDType; shape: readonly number[]; blocks: (IndexedBlock & { file: string })[] }
  >()
  for (const { file, blocks } of shards) {
    for (const block of blocks) {
      const { name, dtype, shape } = block
      const tensor = tensors.get(name) ?? { dtype, shape, blocks: [] }
      tensors.set(name, tensor)
      if (tensor.dtype !== dtype || tensor.shape.join() !== shape.join()) {
        throw manifestError(
          path,
          `"${shorten(name)}" is not the same tensor in ${tensor.blocks[0]!.file} and ${file}`,
          `${tensor.dtype} [${tensor.shape.join(', ')}]`,
          `${dtype} [${shape.join(', ')}]`,
        )
      }
      tensor.blocks.push({ ...block, file })
    }
  }
  for (const [name, { shape, blocks }] of tensors) {
    if (blocks.length > maxBlocksOfTensor) {
      throw manifestError(path, `"${shorten(name)}" has too many blocks`, `at most ${maxBlocksOfTensor}`, `${blocks.length}`)
    }
    const fault = coverFault(shape, blocks)
    if (!fault) continue
    const problem = fault.kind === 'missing' ? 'lacks an element' : 'has an element twice'
    const where = fault.region === undefined ? '' : ` (${blocks[fault.region]!.file})`
    throw manifestError(
      path,
      `"${shorten(name)}" [${shape.join(', ')}] ${problem}`,
      'blocks that hold each element once',
      `element [${fault.at.join(', ')}] ${fault.kind === 'missing' ? 'in no block' : `in two blocks${where}`}`,
    )
  }
  return tensors
}

/** Every shard is there, in its length. */
async function checkFiles(folder: string, shards: readonly ShardIndex[]): Promise<void> {
  for (const { file, bytes } of shards) {
    const path = join(folder, file)
    const { size } = await stat(path).catch(error => {
      if (error.code !== 'ENOENT') throw fileError('read', path, error)
      throw new AuroraError({
        code: 'ERR_FILE_NOT_FOUND',
        message: `${path}, which the manifest lists, does not exist`,
        expected: `${bytes} bytes`,
        hint: 'the folder must be on a file system that all hosts share, and be copied as a whole',
        cause: error,
      })
    })
    if (size === bytes) continue
    throw new AuroraError({
      code: size < bytes ? 'ERR_FILE_TRUNCATED' : 'ERR_CHECKPOINT_CORRUPT',
      message: `${path}: its length is not what the manifest says`,
      expected: `${bytes} bytes`,
      found: `${size}`,
    })
  }
}

function manifestError(path: string, message: string, expected?: string, found?: string): AuroraError {
  return new AuroraError({ code: 'ERR_CHECKPOINT_MANIFEST', message: `${path}: ${message}`, expected, found })
}
