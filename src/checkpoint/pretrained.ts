/**
 * Model folders in Hugging Face's layout: `model.safetensors`, or shards with `model.safetensors.index.json`. Folders come
 * from anywhere; an index can only name files beside itself, and must agree with what the files hold.
 */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AuroraError } from '../errors.ts'
import type { Tensor } from '../tensor/index.ts'
import { syncPath, writeFileAtomic } from './atomic.ts'
import { fileError } from './files.ts'
import { manifestName } from './manifest.ts'
import { refuseMegatron } from './megatron.ts'
import { planTensor, SafetensorsReader, type TensorToWrite, writeSafetensors } from './safetensors.ts'
import { maxHeaderBytes, type TensorInfo } from './safetensors-header.ts'
import { ShardedReader } from './sharded-reader.ts'
import { type BlockSource, isOptimizerState } from './source.ts'
import { readJson } from './untrusted.ts'

const singleName = 'model.safetensors'
const indexName = 'model.safetensors.index.json'

/**
 * Opens the weights of a model folder, or of a checkpoint, sharded or not. Files in Hugging Face's layout are opened and checked at once.
 */
export async function openPretrained(folder: string): Promise<BlockSource> {
  const files = await readdir(folder).catch(error => {
    throw fileError('read', folder, error)
  })
  await refuseMegatron(folder)
  if (files.includes(manifestName)) return ShardedReader.open(folder, name => !isOptimizerState(name))
  if (files.includes(singleName)) return SafetensorsReader.open(join(folder, singleName))
  if (files.includes(indexName)) return openShards(folder)
  const other = files.find(file => /\.(bin|pt|pth|h5|gguf)$/.test(file))
  throw new AuroraError({
    code: 'ERR_FILE_NOT_FOUND',
    message: `no weights in ${folder}`,
    expected: `${singleName} or ${indexName}`,
    found: files.length === 0 ? 'an empty folder' : files.slice(0, 8).join(', '),
    hint: other && `${other} has to be converted to safetensors first`,
  })
}

class IndexedFiles implements BlockSource {
  readonly #shards: ReadonlyMap<string, SafetensorsReader>
  readonly #shardOf: ReadonlyMap<string, string>
  readonly #folder: string

  constructor(folder: string, shards: ReadonlyMap<string, SafetensorsReader>, shardOf: ReadonlyMap<string, string>) {
    this.#folder = folder
    this.#shards = shards
    this.#shardOf = shardOf
  }

  get names(): string[] {
    return [...this.#shardOf.keys()]
  }

  has(name: string): boolean {
    return this.#shardOf.has(name)
  }

  info(name: string): TensorInfo {
    return this.#shard(name).info(name)
  }

  readBytes(name: string): Promise<Uint8Array> {
    return this.#shard(name).readBytes(name)
  }

  readInto(name: string, tensor: Tensor): Promise<void> {
    return this.#shard(name).readInto(name, tensor)
  }

  readBlock(name: string, start: readonly number[], size: readonly number[], tensor: Tensor): Promise<void> {
    return this.#shard(name).readBlock(name, start, size, tensor)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#shards.values()].map(shard => shard.close()))
  }

  #shard(name: string): SafetensorsReader {
    const shard = this.#shardOf.get(name)
    if (shard === undefined)
      throw new AuroraError({ code: 'ERR_CHECKPOINT_MISSING', message: `${this.#folder} has no tensor "${name}"` })
    return this.#shards.get(shard)!
  }
}

async function openShards(folder: string): Promise<BlockSource> {
  const path = join(folder, indexName)
  const shardOf = await readIndex(path)
  const shards = new Map<string, SafetensorsReader>()
  try {
    for (const shard of new Set(shardOf.values())) shards.set(shard, await SafetensorsReader.open(join(folder, shard)))
    checkIndex(path, shardOf, shards)
  } catch (error) {
    await Promise.all([...shards.values()].map(shard => shard.close()))
    throw error
  }
  return new IndexedFiles(folder, shards, shardOf)
}

/** Shard of each tensor, as the index says. */
async function readIndex(path: string): Promise<Map<string, string>> {
  const index = await readJson(path, maxHeaderBytes, (...what) => indexError(path, ...what))
  const map = (index as { weight_map?: unknown } | null)?.weight_map
  if (typeof map !== 'object' || map === null || Array.isArray(map))
    throw indexError(path, 'no weight_map', 'an object of file names')
  for (const [name, shard] of Object.entries(map)) {
    if (typeof shard !== 'string' || !/^[^/\\:\0]+\.safetensors$/.test(shard)) {
      throw indexError(
        path,
        `file of "${name}"`,
        'the plain name of a .safetensors file in the same folder',
        JSON.stringify(shard),
      )
    }
  }
  return new Map(Object.entries(map as Record<string, string>))
}

/** Every tensor of the index is in its shard, and the shards hold nothing else. */
function checkIndex(path: string, shardOf: ReadonlyMap<string, string>, shards: ReadonlyMap<string, SafetensorsReader>): void {
  const missing = [...shardOf]
    .filter(([name, shard]) => !shards.get(shard)!.has(name))
    .map(([name, shard]) => `${name} (${shard})`)
  const unlisted = [...shards].flatMap(([shard, reader]) =>
    reader.names.filter(name => shardOf.get(name) !== shard).map(name => `${name} (${shard})`),
  )
  const few = (names: string[]) => names.slice(0, 5).join(', ') + (names.length > 5 ? `, … ${names.length} in all` : '')
  if (missing.length > 0) throw indexError(path, 'tensors are not in the files that the index names', undefined, few(missing))
  if (unlisted.length > 0)
    throw indexError(path, 'files hold tensors that the index places elsewhere or not at all', undefined, few(unlisted))
}

export interface ShardOptions {
  /** Largest shard, in bytes of tensors; a larger tensor gets a shard of its own. Default 5·10⁹. */
  maxShardBytes?: number
  metadata?: Readonly<Record<string, string>>
}

/**
 * Writes the weights of a model folder: one file, or shards with their index when they are larger than `maxShardBytes`. Each
 * file is written atomically, the index last; weights of earlier saves under other names are removed after that.
 */
export async function writeSharded(folder: string, tensors: Iterable<TensorToWrite>, options: ShardOptions = {}): Promise<void> {
  const { maxShardBytes = 5e9, metadata = { format: 'pt' } } = options
  const shards: TensorToWrite[][] = []
  const names = new Set<string>()
  let room = 0
  let totalBytes = 0
  for (const tensor of tensors) {
    const { name, bytes } = planTensor(tensor)
    if (names.has(name)) throw new AuroraError({ code: 'ERR_CHECKPOINT_NAME', message: `tensor name "${name}" is used twice` })
    names.add(name)
    if (bytes > room || shards.length === 0) {
      shards.push([])
      room = maxShardBytes
    }
    shards.at(-1)!.push(tensor)
    room -= bytes
    totalBytes += bytes
  }
  const count = String(shards.length).padStart(5, '0')
  const fileOf = (i: number) =>
    shards.length <= 1 ? singleName : `model-${String(i + 1).padStart(5, '0')}-of-${count}.safetensors`
  const written = new Set<string>()
  for (const [i, shard] of (shards.length === 0 ? [[]] : shards).entries()) {
    await writeSafetensors(join(folder, fileOf(i)), shard, metadata)
    written.add(fileOf(i))
  }
  if (shards.length > 1) {
    const entries = shards.flatMap((shard, i) => shard.map(({ name }) => [name, fileOf(i)]))
    const index = { metadata: { total_size: totalBytes }, weight_map: Object.fromEntries(entries) }
    await writeFileAtomic(join(folder, indexName), `${JSON.stringify(index, null, 2)}\n`)
    written.add(indexName)
  }
  for (const file of await readdir(folder)) {
    const isWeights = file === singleName || file === indexName || /^model-\d{5}-of-\d{5}\.safetensors$/.test(file)
    if (isWeights && !written.has(file)) await rm(join(folder, file))
  }
  await syncPath(folder)
}

function indexError(path: string, message: string, expected?: string, found?: string): AuroraError {
  return new AuroraError({ code: 'ERR_CHECKPOINT_INDEX', message: `${path}: ${message}`, expected, found })
}
