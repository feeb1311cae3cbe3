/** A checkpoint as one source, weights and optimizer together, whoever has written it. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { AuroraError } from '../errors.ts'
import type { Tensor } from '../tensor/index.ts'
import { manifestName } from './manifest.ts'
import { openPretrained } from './pretrained.ts'
import { SafetensorsReader } from './safetensors.ts'
import type { TensorInfo } from './safetensors-header.ts'
import { ShardedReader } from './sharded-reader.ts'
import type { BlockSource } from './source.ts'

/** The optimizer's state in the checkpoint of a single process: moments and master weights, beside the model's own files. */
export const optimizerName = 'optimizer.safetensors'

/** Whether a folder is the checkpoint of a parallel run, as `saveSharded` writes it. */
export function isSharded(folder: string): boolean {
  return existsSync(join(folder, manifestName))
}

/**
 * Opens a checkpoint: a sharded one, or a folder in Hugging Face's layout with optimizer.safetensors beside it (a model without one has
 * weights only). Optimizer state has the names `exp_avg.<parameter>`, `exp_avg_sq.<parameter>` and `master.<parameter>`.
 */
export async function openCheckpoint(folder: string): Promise<BlockSource> {
  if (isSharded(folder)) return ShardedReader.open(folder)
  const weights = await openPretrained(folder)
  const path = join(folder, optimizerName)
  if (!existsSync(path)) return weights
  try {
    return new JoinedSources(folder, [weights, await SafetensorsReader.open(path)])
  } catch (error) {
    await weights.close()
    throw error
  }
}

/** Several sources as one. */
class JoinedSources implements BlockSource {
  readonly #folder: string
  readonly #sources: readonly BlockSource[]

  constructor(folder: string, sources: readonly BlockSource[]) {
    this.#folder = folder
    this.#sources = sources
  }

  get names(): string[] {
    return [...new Set(this.#sources.flatMap(({ names }) => names))]
  }

  has(name: string): boolean {
    return this.#sources.some(source => source.has(name))
  }

  info(name: string): TensorInfo {
    return this.#of(name).info(name)
  }

  readBytes(name: string): Promise<Uint8Array> {
    return this.#of(name).readBytes(name)
  }

  readInto(name: string, tensor: Tensor): Promise<void> {
    return this.#of(name).readInto(name, tensor)
  }

  readBlock(name: string, start: readonly number[], size: readonly number[], tensor: Tensor): Promise<void> {
    return this.#of(name).readBlock(name, start, size, tensor)
  }

  async close(): Promise<void> {
    await Promise.all(this.#sources.map(source => source.close()))
  }

  #of(name: string): BlockSource {
    const source = this.#sources.find(candidate => candidate.has(name))
    if (source) return source
    throw new AuroraError({ code: 'ERR_CHECKPOINT_MISSING', message: `${this.#folder} has no tensor "${name}"` })
  }
}
