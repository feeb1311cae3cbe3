/** A sharded checkpoint as a model folder in Hugging Face's layout, without the model ever being in memory. */
import { existsSync } from 'node:fs'
import { copyFile, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AuroraError } from '../errors.ts'
import { type DType, elementBytes, empty } from '../tensor/index.ts'
import { atomicFolder, writeFileAtomic } from './atomic.ts'
import { slabs } from './blocks.ts'
import { fileError } from './files.ts'
import { openPretrained, writeSharded } from './pretrained.ts'
import type { TensorToWrite } from './safetensors.ts'
import type { SafetensorsDType } from './safetensors-header.ts'
import type { BlockSource } from './source.ts'
import { chunkBytes, storedAs } from './stored-blocks.ts'

export interface ExportOptions {
  /** Of the floating-point weights in the file; default: as they are stored. */
  dtype?: 'f32' | 'bf16'
  /** Larger models are cut into shards of at most this many bytes; default 5 GB. */
  maxShardBytes?: number
  /** Its files are written beside the weights; default: those of the checkpoint are copied. */
  tokenizer?: { save(folder: string): Promise<unknown> }
  /** After every 8 MiB or less; `bytes` are those written. */
  onProgress?(progress: { bytes: number; totalBytes: number }): void
  /** Ends the work and leaves nothing behind; the promise rejects with the signal's reason. */
  signal?: AbortSignal
}

/** What may lie beside the weights and belongs to the model rather than to the run. */
const modelFile =
  /^(tokenizer(_config)?\.json|special_tokens_map\.json|added_tokens\.json|vocab\.json|merges\.txt|generation_config\.json)$/

/** What a stored dtype is written as; F16, which tensors do not hold, as f32 unless a dtype is asked for. */
const heldAs: Partial<Record<SafetensorsDType, DType>> = {
  F32: 'f32',
  F16: 'f32',
  BF16: 'bf16',
  I32: 'i32',
  U16: 'u16',
  U8: 'u8',
}

/**
 * Writes the weights of a sharded checkpoint (or any model folder) as a new model folder: config.json, safetensors, tokenizer. It goes
 * through 8 MiB at a time. Tensors are in the order of their names, so that the same weights give the same file from every layout.
 *
 * @returns the number of parameters
 * @throws AuroraError ERR_EXISTS when the target is there, ERR_DISK_FULL and others of the disk, and those of opening and reading.
 * Nothing is left of the target then.
 */
export async function exportSharded(folder: string, target: string, options: ExportOptions = {}): Promise<number> {
  if (existsSync(target)) {
    throw new AuroraError({
      code: 'ERR_EXISTS',
      message: `${target} exists`,
      expected: 'a new folder',
      hint: 'remove it or choose another',
    })
  }
  const source = await openPretrained(folder)
  try {
    const planned = source.names.sort(byName.compare).map(name => ({ name, dtype: dtypeOf(source, name, options.dtype) }))
    const sizes = planned.map(({ name }) => source.info(name).shape.reduce((product, length) => product * length, 1))
    const totalBytes = planned.reduce((sum, { dtype }, i) => sum + sizes[i]! * elementBytes[dtype], 0)
    let bytes = 0
    const written = (count: number) => {
      bytes += count
      options.onProgress?.({ bytes, totalBytes })
    }
    await atomicFolder(target, async out => {
      const tensors = planned.map(({ name, dtype }): TensorToWrite => {
        const data = () => piecesOf(source, name, dtype, written, options.signal)
        return { name, dtype: storedAs[dtype], shape: source.info(name).shape, data }
      })
      await writeSharded(out, tensors, { maxShardBytes: options.maxShardBytes })
      await writeConfig(folder, out, options.dtype)
      await (options.tokenizer ? options.tokenizer.save(out) : copyModelFiles(folder, out))
    })
    return sizes.reduce((sum, size) => sum + size, 0)
  } catch (error) {
    options.signal?.throwIfAborted()
    throw error
  } finally {
    await source.close()
  }
}

/** Layer 2 before layer 10. */
const byName = new Intl.Collator('en', { numeric: true })

function dtypeOf(source: BlockSource, name: string, wanted: 'f32' | 'bf16' | undefined): DType {
  const { dtype: stored } = source.info(name)
  const held = heldAs[stored]
  if (held === undefined) {
    throw new AuroraError({
      code: 'ERR_CHECKPOINT_DTYPE',
      message: `tensor "${name}" cannot be exported`,
      expected: Object.keys(heldAs).join(', '),
      found: stored,
    })
  }
  return wanted !== undefined && (held === 'f32' || held === 'bf16') ? wanted : held
}

async function* piecesOf(
  source: BlockSource,
  name: string,
  dtype: DType,
  written: (bytes: number) => void,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  for (const { start, size } of slabs(source.info(name).shape, chunkBytes / elementBytes[dtype])) {
    signal?.throwIfAborted()
    const piece = empty(size, { dtype, device: 'cpu' })
    try {
      await source.readBlock(name, start, size, piece)
      const bytes = await piece.readBytes()
      yield bytes
      written(bytes.byteLength)
    } finally {
      piece.dispose()
    }
  }
}

/** The checkpoint's config.json, which says in what dtype the weights are. */
async function writeConfig(folder: string, out: string, dtype: 'f32' | 'bf16' | undefined): Promise<void> {
  const path = join(folder, 'config.json')
  let config: unknown
  try {
    config = JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw fileError('read', path, cause)
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new AuroraError({ code: 'ERR_CONFIG', message: `${path} is not a model's configuration`, expected: 'a JSON object' })
  }
  const said = dtype && { torch_dtype: dtype === 'bf16' ? 'bfloat16' : 'float32' }
  await writeFileAtomic(join(out, 'config.json'), `${JSON.stringify({ ...config, ...said }, undefined, 2)}\n`)
}

async function copyModelFiles(folder: string, out: string): Promise<void> {
  for (const file of await readdir(folder)) {
    if (!modelFile.test(file)) continue
    await copyFile(join(folder, file), join(out, file)).catch(error => {
      throw fileError('copy', join(folder, file), error)
    })
  }
}
