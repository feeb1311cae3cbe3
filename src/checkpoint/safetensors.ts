/**
 * Reading and writing safetensors files, a chunk at a time: a file never is in memory as a whole, and reading goes through
 * pread rather than a memory map, so that a file that is cut short under our hands is an error and not a bus error.
 */
import { constants } from 'node:buffer'
import type { FileHandle } from 'node:fs/promises'
import { AuroraError } from '../errors.ts'
import type { Tensor } from '../tensor/index.ts'
import { type AtomicFileOptions, atomicFile } from './atomic.ts'
import { openFile, readExactly, writeFully } from './files.ts'
import {
  buildHeader,
  byteLength,
  elementBytes,
  maxHeaderBytes,
  parseHeader,
  type SafetensorsDType,
  type SafetensorsHeader,
  type TensorEntry,
  type TensorInfo,
} from './safetensors-header.ts'
import { chunkBytes, readRegion, readWhole, type StoredTensor, storedAs } from './stored-blocks.ts'

/** An open safetensors file whose header has been checked against the file. */
export class SafetensorsReader {
  readonly path: string
  readonly metadata: Readonly<Record<string, string>>
  readonly #file: FileHandle
  readonly #tensors: SafetensorsHeader['tensors']

  private constructor(path: string, file: FileHandle, header: SafetensorsHeader) {
    this.path = path
    this.#file = file
    this.#tensors = header.tensors
    this.metadata = header.metadata
  }

  /** Opens and checks a file; throws an AuroraError that says what is wrong with it. */
  static async open(path: string): Promise<SafetensorsReader> {
    const { file, size } = await openFile(path)
    try {
      const prefix = new Uint8Array(8)
      await readExactly(file, path, prefix, 0)
      const length = new DataView(prefix.buffer).getBigUint64(0, true)
      if (length > BigInt(maxHeaderBytes) || length > BigInt(size - 8)) {
        throw new AuroraError({
          code: 'ERR_CHECKPOINT_HEADER',
          message: `${path}: impossible header length`,
          expected: `at most ${Math.min(maxHeaderBytes, size - 8)} bytes`,
          found: `${length}`,
          hint: 'the file is cut short, or is not a safetensors file',
        })
      }
      const header = new Uint8Array(Number(length))
      await readExactly(file, path, header, 8)
      return new SafetensorsReader(path, file, parseHeader(path, header, size))
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** The tensors' names, in the header's order. */
  get names(): string[] {
    return [...this.#tensors.keys()]
  }

  has(name: string): boolean {
    return this.#tensors.has(name)
  }

  info(name: string): TensorInfo {
    const { dtype, shape, bytes } = this.#entry(name)
    return { dtype, shape, bytes }
  }

  /** The bytes of a tensor as they are in the file. */
  async readBytes(name: string): Promise<Uint8Array> {
    const entry = this.#entry(name)
    if (entry.bytes > constants.MAX_LENGTH) {
      throw new AuroraError({
        code: 'ERR_TOO_LARGE',
        message: `tensor "${name}" of ${this.path} does not fit into one array`,
        expected: `at most ${constants.MAX_LENGTH} bytes`,
        found: `${entry.bytes}`,
        hint: 'read it into a tensor with readInto, or piece by piece with chunks',
      })
    }
    const bytes = new Uint8Array(entry.bytes)
    await readExactly(this.#file, this.path, bytes, entry.offset)
    return bytes
  }

  /**
   * The bytes of a tensor in pieces of at most 8 MiB that hold whole elements. The array is filled anew at each turn: take
   * what is needed before asking for the next.
   */
  async *chunks(name: string): AsyncGenerator<{ start: number; bytes: Uint8Array }> {
    const entry = this.#entry(name)
    const buffer = new Uint8Array(Math.min(chunkBytes, entry.bytes))
    for (let start = 0; start < entry.bytes; start += chunkBytes) {
      const bytes = buffer.subarray(0, Math.min(chunkBytes, entry.bytes - start))
      await readExactly(this.#file, this.path, bytes, entry.offset + start)
      yield { start, bytes }
    }
  }

  /** Fills `tensor` (same shape; converted to its dtype; floating-point and integers do not mix). */
  readInto(name: string, tensor: Tensor): Promise<void> {
    return readWhole(this.#stored(name), tensor)
  }

  /** Fills `tensor` with a block of the tensor of that name; see {@link BlockSource}. */
  readBlock(name: string, start: readonly number[], size: readonly number[], tensor: Tensor): Promise<void> {
    return readRegion(this.#stored(name), { start, size }, tensor)
  }

  /** Fills `into` with the bytes of a tensor from its byte `from` on. */
  async readRange(name: string, from: number, into: Uint8Array): Promise<void> {
    const entry = this.#entry(name)
    if (!(from >= 0 && from + into.byteLength <= entry.bytes)) {
      throw new AuroraError({
        code: 'ERR_INVALID_ARGUMENT',
        message: `range of tensor "${name}" of ${this.path}`,
        expected: `within its ${entry.bytes} bytes`,
        found: `${into.byteLength} from byte ${from} on`,
      })
    }
    await readExactly(this.#file, this.path, into, entry.offset + from)
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  /** A tensor as one block. */
  #stored(name: string): StoredTensor {
    const { dtype, shape, bytes, offset } = this.#entry(name)
    const read = (into: Uint8Array, from: number) => readExactly(this.#file, this.path, into, offset + from)
    return {
      name,
      path: this.path,
      info: { dtype, shape, bytes },
      blocks: [{ start: shape.map(() => 0), size: shape, read }],
    }
  }

  #entry(name: string): TensorEntry {
    const entry = this.#tensors.get(name)
    if (entry === undefined) {
      throw new AuroraError({
        code: 'ERR_CHECKPOINT_MISSING',
        message: `${this.path} has no tensor "${name}"`,
        found: `${this.#tensors.size} tensors: ${this.names.slice(0, 5).join(', ')}${this.#tensors.size > 5 ? ', …' : ''}`,
      })
    }
    return entry
  }
}

/**
 * A tensor to be written. `data` is a live tensor, or a function that gives the bytes when their turn comes, at once or in
 * pieces, so that they need not all be in memory. With a tensor, `dtype` and `shape` may be left out: they are the tensor's own.
 */
export type TensorToWrite =
  | { name: string; data: Tensor; dtype?: SafetensorsDType; shape?: readonly number[] }
  | { name: string; data: () => TensorBytes; dtype: SafetensorsDType; shape: readonly number[] }

export type TensorBytes = Uint8Array | Promise<Uint8Array> | AsyncIterable<Uint8Array>

/** A tensor to be written, checked: what the header says of it and where its bytes come from. */
export interface PlannedTensor {
  readonly name: string
  readonly dtype: SafetensorsDType
  readonly shape: readonly number[]
  readonly bytes: number
  readonly data: TensorToWrite['data']
}

export function planTensor(tensor: TensorToWrite): PlannedTensor {
  const { name, data } = tensor
  const own = typeof data === 'function' ? undefined : data
  const dtype = tensor.dtype ?? storedAs[own!.dtype]
  const shape = tensor.shape ?? own!.shape
  const bytes = byteLength(dtype, shape)
  const disagrees = own !== undefined && (storedAs[own.dtype] !== dtype || own.size * elementBytes[dtype] !== bytes)
  if (Number.isNaN(bytes) || disagrees) {
    throw new AuroraError({
      code: 'ERR_CHECKPOINT_SHAPE',
      message: `tensor "${name}" cannot be written as ${dtype} [${shape.join(', ')}]`,
      expected: own ? `${storedAs[own.dtype]} [${own.shape.join(', ')}]` : 'non-negative integer sizes',
    })
  }
  return { name, dtype, shape, bytes, data }
}

/**
 * Writes a safetensors file, tensor by tensor, atomically.
 *
 * @throws AuroraError for a name used twice, for data of another length than dtype and shape say, and for failures of the disk.
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<TensorToWrite>,
  metadata?: Readonly<Record<string, string>>,
  options?: AtomicFileOptions,
): Promise<void> {
  const planned = [...tensors].map(planTensor)
  const header = buildHeader(planned, metadata)
  const write = async (file: FileHandle) => {
    await writeFully(file, header)
    for (const tensor of planned) await writeData(file, tensor)
  }
  await atomicFile(path, write, options)
}

async function writeData(file: FileHandle, { name, dtype, bytes, data }: PlannedTensor): Promise<void> {
  if (typeof data === 'function') {
    const content = await data()
    let written = 0
    for await (const piece of content instanceof Uint8Array ? [content] : content) {
      written += piece.byteLength
      // Before anything is written of a piece that is too long: it might be much too long.
      if (written > bytes) break
      await writeFully(file, piece)
    }
    if (written !== bytes) {
      throw new AuroraError({
        code: 'ERR_CHECKPOINT_SHAPE',
        message: `data of tensor "${name}"`,
        expected: `${bytes} bytes`,
        found: `${written}${written > bytes ? ' or more' : ''}`,
      })
    }
    return
  }
  const width = elementBytes[dtype]
  for (let start = 0; start < bytes; start += chunkBytes) {
    const piece = data.view(start / width, [Math.min(chunkBytes, bytes - start) / width])
    try {
      await writeFully(file, await piece.readBytes())
    } finally {
      piece.dispose()
    }
  }
}
