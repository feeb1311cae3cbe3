/** Reading sharded checkpoints, whatever layout has written them and whatever layout wants them. */
import { constants } from 'node:buffer'
import { join } from 'node:path'
import { AuroraError } from '../errors.ts'
import type { Tensor } from '../tensor/index.ts'
import { type IndexedBlock, type ManifestTensor, readManifest, type ShardIndex } from './manifest.ts'
import { SafetensorsReader } from './safetensors.ts'
import { byteLength, type TensorInfo } from './safetensors-header.ts'
import type { BlockSource } from './source.ts'
import { readRegion, readRegionBytes, readWhole, type StoredBlock, type StoredTensor } from './stored-blocks.ts'

/** Shards that are open at a time: there may be more of them than a process may have files. */
const maxOpenFiles = 64

/** An open sharded checkpoint. Its manifest and the lengths of all files have been checked; a file's header is when it is first read. */
export class ShardedReader implements BlockSource {
  readonly folder: string
  readonly #tensors: ReadonlyMap<string, ManifestTensor>
  readonly #files: ShardFiles

  private constructor(folder: string, tensors: ReadonlyMap<string, ManifestTensor>, files: ShardFiles) {
    this.folder = folder
    this.#tensors = tensors
    this.#files = files
  }

  /**
   * @param wanted which tensors to show: all unless given
   * @throws AuroraError ERR_CHECKPOINT_MANIFEST, ERR_FILE_NOT_FOUND, ERR_FILE_TRUNCATED, ERR_CHECKPOINT_CORRUPT
   */
  static async open(folder: string, wanted: (name: string) => boolean = () => true): Promise<ShardedReader> {
    const { shards, tensors } = await readManifest(folder)
    const shown = new Map([...tensors].filter(([name]) => wanted(name)))
    return new ShardedReader(folder, shown, new ShardFiles(folder, shards))
  }

  get names(): string[] {
    return [...this.#tensors.keys()]
  }

  has(name: string): boolean {
    return this.#tensors.has(name)
  }

  info(name: string): TensorInfo {
    const { dtype, shape } = this.#tensor(name)
    return { dtype, shape, bytes: byteLength(dtype, shape) }
  }

  async readBytes(name: string): Promise<Uint8Array> {
    const stored = this.#stored(name)
    const { shape, bytes } = stored.info
    if (bytes > constants.MAX_LENGTH) {
      throw new AuroraError({
        code: 'ERR_TOO_LARGE',
        message: `tensor "${name}" of ${this.folder} does not fit into one array`,
        expected: `at most ${constants.MAX_LENGTH} bytes`,
        found: `${bytes}`,
        hint: 'read it into a tensor with readInto, or piece by piece with readBlock',
      })
    }
    const into = new Uint8Array(bytes)
    await readRegionBytes(stored, { start: shape.map(() => 0), size: shape }, into)
    return into
  }

  async readInto(name: string, tensor: Tensor): Promise<void> {
    await readWhole(this.#stored(name), tensor)
  }

  async readBlock(name: string, start: readonly number[], size: readonly number[], tensor: Tensor): Promise<void> {
    await readRegion(this.#stored(name), { start, size }, tensor)
  }

  async close(): Promise<void> {
    await this.#files.close()
  }

  #tensor(name: string): ManifestTensor {
    const tensor = this.#tensors.get(name)
    if (tensor) return tensor
    throw new AuroraError({
      code: 'ERR_CHECKPOINT_MISSING',
      message: `${this.folder} has no tensor "${name}"`,
      found: `${this.#tensors.size} tensors: ${this.names.slice(0, 5).join(', ')}${this.#tensors.size > 5 ? ', …' : ''}`,
    })
  }

  #stored(name: string): StoredTensor {
    const { blocks } = this.#tensor(name)
    const stored = blocks.map(({ file, key, start, size }): StoredBlock => {
      const read = (into: Uint8Array, from: number) => this.#files.use(file, shard => shard.readRange(key, from, into))
      return { start, size, read }
    })
    return { name, path: this.folder, info: this.info(name), blocks: stored }
  }
}

/** The shards of a folder, opened and checked against the manifest when they are needed. */
class ShardFiles {
  readonly #folder: string
  readonly #listed: ReadonlyMap<string, ShardIndex>
  /** Least recently used first. */
  readonly #open = new Map<string, { reader: Promise<SafetensorsReader>; uses: number }>()

  constructor(folder: string, shards: readonly ShardIndex[]) {
    this.#folder = folder
    this.#listed = new Map(shards.map(shard => [shard.file, shard]))
  }

  async use<T>(file: string, action: (reader: SafetensorsReader) => Promise<T>): Promise<T> {
    const entry = this.#open.get(file) ?? { reader: openShard(this.#folder, this.#listed.get(file)!), uses: 0 }
    this.#open.delete(file)
    this.#open.set(file, entry)
    entry.uses += 1
    try {
      return await action(await entry.reader)
    } finally {
      entry.uses -= 1
      await this.#closeIdle()
    }
  }

  async close(): Promise<void> {
    const open = [...this.#open.values()]
    this.#open.clear()
    await Promise.all(
      open.map(({ reader }) =>
        reader.then(
          shard => shard.close(),
          () => {},
        ),
      ),
    )
  }

  async #closeIdle(): Promise<void> {
    for (const [file, { reader, uses }] of this.#open) {
      if (this.#open.size <= maxOpenFiles) return
      if (uses > 0) continue
      this.#open.delete(file)
      await reader.then(
        shard => shard.close(),
        () => {},
      )
    }
  }
}

/** Opens a shard whose header says the same as the manifest. */
export async function openShard(folder: string, shard: ShardIndex): Promise<SafetensorsReader> {
  const path = join(folder, shard.file)
  const reader = await SafetensorsReader.open(path)
  const refuse = (message: string, expected: string, found: string) =>
    new AuroraError({ code: 'ERR_CHECKPOINT_CORRUPT', message: `${path}: ${message}`, expected, found })
  try {
    const text = ({ dtype, shape }: TensorInfo) => `${dtype} [${shape.join(', ')}]`
    const listed = ({ dtype, size }: IndexedBlock) => `${dtype} [${size.join(', ')}]`
    for (const block of shard.blocks) {
      const found = reader.has(block.key) ? text(reader.info(block.key)) : 'nothing'
      if (found !== listed(block)) throw refuse(`"${block.key}" is not what the manifest says`, listed(block), found)
    }
    if (reader.names.length !== shard.blocks.length) {
      throw refuse('tensors that the manifest does not list', `${shard.blocks.length} tensors`, `${reader.names.length}`)
    }
    return reader
  } catch (error) {
    await reader.close()
    throw error
  }
}
