/**
 * The header of a safetensors file: 8 bytes with its length (u64, little-endian), then JSON that gives each tensor's dtype,
 * shape and place in the data that follows. Everything in it is checked here, once, before anyone acts on it.
 */
import { AuroraError } from '../errors.ts'
import { duplicateKey, isObject, isSizes, shorten } from './untrusted.ts'

/** Bytes of one element. */
export const elementBytes = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
} as const

export type SafetensorsDType = keyof typeof elementBytes

/** The format's own limit on the header. */
export const maxHeaderBytes = 100_000_000

export interface TensorInfo {
  readonly dtype: SafetensorsDType
  readonly shape: readonly number[]
  /** Length in bytes. */
  readonly bytes: number
}

/** A tensor and its place: byte `offset` counts from the start of the file. */
export interface TensorEntry extends TensorInfo {
  readonly offset: number
}

export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorEntry>
  readonly metadata: Readonly<Record<string, string>>
}

/** Reads and checks a header; `fileBytes` is the length of the whole file. */
export function parseHeader(path: string, header: Uint8Array, fileBytes: number): SafetensorsHeader {
  const fields = parseJsonObject(path, header)
  const dataStart = 8 + header.byteLength
  const tensors = new Map<string, TensorEntry>()
  let metadata: Record<string, string> = {}
  for (const [name, value] of Object.entries(fields)) {
    if (name === '__metadata__') metadata = parseMetadata(path, value)
    else tensors.set(name, parseEntry(path, name, value, dataStart))
  }
  checkCoverage(path, tensors, dataStart, fileBytes)
  return { tensors, metadata }
}

/** The 8 + n first bytes of a file with these tensors, stored in this order. Padded so that the data begins at a multiple of 8. */
export function buildHeader(
  tensors: readonly { name: string; dtype: SafetensorsDType; shape: readonly number[] }[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const fields = new Map<string, unknown>()
  if (Object.keys(metadata).length > 0) fields.set('__metadata__', metadata)
  let end = 0
  for (const { name, dtype, shape } of tensors) {
    if (name === '__metadata__' || fields.has(name)) {
      throw new AuroraError({
        code: 'ERR_CHECKPOINT_NAME',
        message: `tensor name "${name}" is reserved or used twice`,
        expected: 'unique names',
      })
    }
    const begin = end
    end += byteLength(dtype, shape)
    fields.set(name, { dtype, shape, data_offsets: [begin, end] })
  }
  const body = [...fields].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')
  const json = new TextEncoder().encode(`{${body}}`)
  const length = Math.ceil(json.byteLength / 8) * 8
  if (length > maxHeaderBytes) {
    throw new AuroraError({
      code: 'ERR_CHECKPOINT_HEADER',
      message: 'safetensors header too long',
      expected: `≤ ${maxHeaderBytes} bytes`,
      found: `${length}`,
    })
  }
  const bytes = new Uint8Array(8 + length).fill(0x20)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true)
  bytes.set(json, 8)
  return bytes
}

/** Bytes of a tensor; NaN when the shape is not one or the product leaves the safe integers. */
export function byteLength(dtype: SafetensorsDType, shape: readonly number[]): number {
  let bytes: number = elementBytes[dtype]
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) return Number.NaN
    bytes *= size
    if (!Number.isSafeInteger(bytes)) return Number.NaN
  }
  return bytes
}

function parseEntry(path: string, name: string, value: unknown, dataStart: number): TensorEntry {
  const refuse = (expected: string, found: unknown) =>
    headerError(path, `tensor "${shorten(name)}" is ill-formed`, expected, shorten(JSON.stringify(found) ?? 'nothing'))
  if (!isObject(value)) throw refuse('an object with dtype, shape and data_offsets', value)
  const { dtype, shape, data_offsets: offsets } = value
  if (typeof dtype !== 'string' || !Object.hasOwn(elementBytes, dtype)) {
    throw refuse(`a dtype of ${Object.keys(elementBytes).join(', ')}`, dtype)
  }
  if (!isSizes(shape)) throw refuse('a shape of non-negative integers', shape)
  if (!isSizes(offsets) || offsets.length !== 2) throw refuse('data_offsets of two non-negative integers', offsets)
  const [begin, end] = offsets as [number, number]
  const bytes = byteLength(dtype as SafetensorsDType, shape)
  if (end - begin !== bytes) throw refuse(`${bytes} bytes for ${dtype} [${shorten(shape.join(', '))}]`, end - begin)
  return { dtype: dtype as SafetensorsDType, shape: Object.freeze(shape), bytes, offset: dataStart + begin }
}

/** The tensors must fill the data exactly: no gap, no overlap, nothing beyond the end. */
function checkCoverage(path: string, tensors: ReadonlyMap<string, TensorEntry>, dataStart: number, fileBytes: number): void {
  const ordered = [...tensors].sort(([, a], [, b]) => a.offset - b.offset || a.bytes - b.bytes)
  let end = dataStart
  for (const [name, { offset, bytes }] of ordered) {
    if (offset !== end) {
      const problem = offset < end ? 'overlaps another' : 'leaves a gap before it'
      throw headerError(path, `tensor "${shorten(name)}" ${problem}`, `its data at byte ${end}`, `${offset}`)
    }
    end += bytes
  }
  if (end !== fileBytes) {
    const code = end > fileBytes ? 'ERR_FILE_TRUNCATED' : 'ERR_CHECKPOINT_HEADER'
    throw new AuroraError({
      code,
      message: `${path}: length does not agree with the header`,
      expected: `${end} bytes`,
      found: `${fileBytes}`,
    })
  }
}

function parseMetadata(path: string, value: unknown): Record<string, string> {
  if (!isObject(value) || Object.values(value).some(entry => typeof entry !== 'string')) {
    throw headerError(path, '__metadata__ is ill-formed', 'an object of strings', shorten(JSON.stringify(value)))
  }
  return value as Record<string, string>
}

function parseJsonObject(path: string, bytes: Uint8Array): Record<string, unknown> {
  let text: string
  let value: unknown
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    value = JSON.parse(text)
  } catch (cause) {
    throw new AuroraError({
      code: 'ERR_CHECKPOINT_HEADER',
      message: `${path}: the header is not JSON in UTF-8`,
      found: shorten((cause as Error).message),
      cause,
    })
  }
  if (!isObject(value)) throw headerError(path, 'the header is not a JSON object', 'an object', shorten(text))
  const duplicate = duplicateKey(text)
  if (duplicate !== undefined) throw headerError(path, `name "${shorten(duplicate)}" occurs twice`, 'unique names', 'a duplicate')
  return value
}

function headerError(path: string, message: string, expected: string, found: string): AuroraError {
  return new AuroraError({ code: 'ERR_CHECKPOINT_HEADER', message: `${path}: ${message}`, expected, found })
}
