/**
 * The index of Megatron's datasets (`.idx`), little-endian:
 *
 *     0 "MMIDIDX\0\0" · 9 u64 version 1 · 17 u8 dtype · 18 u64 S sequences · 26 u64 D + 1 ·
 *     34 i32[S] lengths in tokens · i64[S] byte offsets into the .bin · i64[D + 1] first sequence of each document, and S
 */
import { AuroraError } from '../errors.ts'

export const magic = Uint8Array.from('MMIDIDX\0\0', character => character.charCodeAt(0))
export const headerBytes = 34

/** Codes in the index of the element types that tokens have. */
export const tokenTypes = { u16: { code: 8, bytes: 2 }, i32: { code: 4, bytes: 4 } } as const
export type TokenType = keyof typeof tokenTypes

/** Types of the same format that hold no tokens, or not as anyone writes them. */
const otherTypes: Record<number, string> = { 1: 'u8', 2: 'i8', 3: 'i16', 5: 'i64', 6: 'f64 or f32', 7: 'f32 or f64' }

export interface IndexHeader {
  type: TokenType
  sequences: number
  /** D + 1. */
  documentStarts: number
}

export function encodeHeader({ type, sequences, documentStarts }: IndexHeader): Uint8Array {
  const bytes = new Uint8Array(headerBytes)
  const view = new DataView(bytes.buffer)
  bytes.set(magic)
  view.setBigUint64(9, 1n, true)
  view.setUint8(17, tokenTypes[type].code)
  view.setBigUint64(18, BigInt(sequences), true)
  view.setBigUint64(26, BigInt(documentStarts), true)
  return bytes
}

/** Reads and checks a header; `fileBytes` is the length of the whole .idx file. */
export function decodeHeader(path: string, bytes: Uint8Array, fileBytes: number): IndexHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, headerBytes)
  if (magic.some((byte, i) => byte !== bytes[i])) throw indexError(path, 'not a Megatron index', 'MMIDIDX at its start')
  const version = view.getBigUint64(9, true)
  if (version !== 1n) throw indexError(path, 'unknown version', '1', `${version}`)
  const code = view.getUint8(17)
  const type = (Object.keys(tokenTypes) as TokenType[]).find(name => tokenTypes[name].code === code)
  if (type === undefined)
    throw indexError(path, 'elements are not tokens', '8 (u16) or 4 (i32)', `${code} (${otherTypes[code] ?? 'unknown'})`)
  const sequences = view.getBigUint64(18, true)
  const documentStarts = view.getBigUint64(26, true)
  const expected = BigInt(headerBytes) + 12n * sequences + 8n * documentStarts
  if (documentStarts < 1n || expected !== BigInt(fileBytes)) {
    throw indexError(path, 'length does not agree with the header', `${expected} bytes`, `${fileBytes}`)
  }
  return { type, sequences: Number(sequences), documentStarts: Number(documentStarts) }
}

export function indexError(path: string, message: string, expected?: string, found?: string): AuroraError {
  return new AuroraError({ code: 'ERR_DATASET', message: `${path}: ${message}`, expected, found })
}
