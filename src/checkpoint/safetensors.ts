/**
 * Reading and writing safetensors files, a chunk at a time: a file never is in memory as a whole, and reading goes through
 * pread rather than a memory map, so that a file that is cut short under our hands is an error and not a bus error.
 */
import { constants } from 'node:buffer'
import type { FileHandle } from 'node:fs/promises'
import { AuroraError } from '../errors.ts'
import type { DType, Tensor } from '../tensor/index.ts'
import { atomicFile } from './atomic.ts'
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

/** Bytes that are on their way between file and tensor at a time; a multiple of every element's size. */
const chunkBytes = 8 * 1024 * 1024

/** File encodings that tensors take, by their name in the file. */
const encodings: Partial<Record<SafetensorsDType, DType | 'f16'>> = {
  F32: 'f32',
  F16: 'f16',
  BF16: 'bf16',
  I32: 'i32',
  U16: 'u16',
  U8: 'u8',
}
const storedAs: Record<DType, SafetensorsDType> = { f32: 'F32', bf16: 'BF16', i32: 'I32', u16: 'U16', u8: 'U8' }
const isFloat = (encoding: DType | 'f16') => encoding === 'f32' || encoding === 'bf16' || encoding === 'f16'

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
  async readInto(name: string, tensor: Tensor): Promise<void> {
    const { dtype, shape } = this.#entry(name)
    const encoding = encodings[dtype]
    if (encoding === undefined || isFloat(encoding) !== isFloat(tensor.dtype)) {
      throw new AuroraError({
        code: 'ERR_CHECKPOINT_DTYPE',
        message: `tensor "${name}" of ${this.path} cannot be read into a ${tensor.dtype} tensor`,
        expected: isFloat(tensor.dtype) ? 'F32, F16 or BF16' : 'I32, U16 or U8',
        found: dtype,
      })
    }
    if (shape.length !== tensor.shape.length || shape.some((size, axis) => size !== tensor.shape[axis])) {
      throw new AuroraError({
        code: 'ERR_CHECKPOINT_SHAPE',
        message: `tensor "${name}" of ${this.path} has another shape`,
        expected: `[${tensor.shape.join(', ')}]`,
        found: `[${shape.join(', ')}]`,
      })
    }
    const width = elementBytes[dtype]
    for await (const { start, bytes } of this.chunks(name)) {
      const piece = tensor.view(start / width, [bytes.byteLength / width])
      try {
        piece.writeBytes(bytes, encoding)
      } finally {
        piece.dispose()
      }
    }
  }

  async close(): Promise<void> {
    await this.#file.close()
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
 * A tensor to be written. `data` is a live tensor, or a function that gives the bytes when their turn comes, so that they
 * need not all be in memory. With a tensor, `dtype` and `shape` may be left out: they are the tensor's own.
 */
export type TensorToWrite =
  | { name: string; data: Tensor; dtype?: SafetensorsDType; shape?: readonly number[] }
  | { name: string; data: () => Uint8Array | Promise<Uint8Array>; dtype: SafetensorsDType; shape: readonly number[] }

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
): Promise<void> {
  const planned = [...tensors].map(planTensor)
  const header = buildHeader(planned, metadata)
  await atomicFile(path, async file => {
    await writeFully(file, header)
    for (const tensor of planned) await writeData(file, tensor)
  })
}

async function writeData(file: FileHandle, { name, dtype, bytes, data }: PlannedTensor): Promise<void> {
  if (typeof data === 'function') {
    const content = await data()
    if (content.byteLength !== bytes) {
      throw new AuroraError({
        code: 'ERR_CHECKPOINT_SHAPE',
        message: `data of tensor "${name}"`,
        expected: `${bytes} bytes`,
        found: `${content.byteLength}`,
      })
    }
    await writeFully(file, content)
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
