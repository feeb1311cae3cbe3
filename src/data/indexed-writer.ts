/** Writes Megatron's indexed datasets, a document at a time. */
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileError, syncPath, temporaryBeside, writeFully } from '../checkpoint/index.ts'
import { AuroraError } from '../errors.ts'
import { stem } from './indexed.ts'
import { encodeHeader, type TokenType, tokenTypes } from './indexed-format.ts'

const bufferBytes = 1 << 20

/** Vocabularies below this size are stored in 16 bits, as Megatron does. */
const u16Vocabulary = 65500

/** Element type for a vocabulary. */
export function tokenTypeFor(vocabSize: number): TokenType {
  return vocabSize < u16Vocabulary ? 'u16' : 'i32'
}

/** The files get their names when `finish` has everything on the disk; the .idx last, so that it stands for a complete pair. */
export class IndexedWriter {
  readonly #path: string
  readonly #type: TokenType
  readonly #binTemporary: string
  readonly #bin: FileHandle
  readonly #lengths: number[] = []
  readonly #starts: number[] = [0]
  #pending: Uint8Array[] = []
  #pendingBytes = 0
  #tokens = 0

  private constructor(path: string, type: TokenType, binTemporary: string, bin: FileHandle) {
    this.#path = path
    this.#type = type
    this.#binTemporary = binTemporary
    this.#bin = bin
  }

  /** Starts `prefix`.bin and `prefix`.idx; a pair that is there stays until `finish`. */
  static async create(prefix: string, type: TokenType): Promise<IndexedWriter> {
    const path = stem(prefix)
    const temporary = temporaryBeside(`${path}.bin`)
    try {
      await mkdir(dirname(path), { recursive: true })
      return new IndexedWriter(path, type, temporary, await open(temporary, 'wx'))
    } catch (error) {
      throw fileError('write', `${path}.bin`, error)
    }
  }

  /** Documents ended so far. */
  get documents(): number {
    return this.#starts.length - 1
  }

  get tokens(): number {
    return this.#tokens
  }

  /** Appends a sequence; by default it is a document of its own, else one follows that belongs to the same document. */
  async add(ids: ArrayLike<number>, endsDocument = true): Promise<void> {
    const stored = this.#type === 'u16' ? Uint16Array.from(ids) : Int32Array.from(ids)
    for (let i = 0; i < ids.length; i++) {
      if (stored[i] !== ids[i] || stored[i]! < 0) {
        throw new AuroraError({
          code: 'ERR_TOKEN',
          message: `${this.#path}.bin: not a token in ${this.#type}`,
          found: String(ids[i]),
        })
      }
    }
    this.#pending.push(new Uint8Array(stored.buffer))
    this.#pendingBytes += stored.byteLength
    this.#tokens += stored.length
    this.#lengths.push(stored.length)
    if (endsDocument) this.#starts.push(this.#lengths.length)
    if (this.#pendingBytes >= bufferBytes) await this.#flush()
  }

  /** Writes the index and gives both files their names. */
  async finish(): Promise<void> {
    const idxTemporary = temporaryBeside(`${this.#path}.idx`)
    try {
      if (this.#starts.at(-1) !== this.#lengths.length) this.#starts.push(this.#lengths.length)
      await this.#flush()
      await this.#bin.sync()
      await this.#bin.close()
      const idx = await open(idxTemporary, 'wx')
      try {
        await this.#writeIndex(idx)
        await idx.sync()
      } finally {
        await idx.close()
      }
      // An old index must never be seen with the new tokens.
      await rm(`${this.#path}.idx`, { force: true })
      await rename(this.#binTemporary, `${this.#path}.bin`)
      await rename(idxTemporary, `${this.#path}.idx`)
      await syncPath(dirname(this.#path))
    } catch (error) {
      await rm(idxTemporary, { force: true })
      await this.abort()
      throw fileError('write', `${this.#path}.idx`, error)
    }
  }

  /** Gives up and leaves nothing behind. */
  async abort(): Promise<void> {
    await this.#bin.close().catch(() => undefined)
    await rm(this.#binTemporary, { force: true })
  }

  async #flush(): Promise<void> {
    try {
      await writeFully(this.#bin, Buffer.concat(this.#pending))
    } catch (error) {
      throw fileError('write', `${this.#path}.bin`, error)
    }
    this.#pending = []
    this.#pendingBytes = 0
  }

  async #writeIndex(idx: FileHandle): Promise<void> {
    const sequences = this.#lengths.length
    await writeFully(idx, encodeHeader({ type: this.#type, sequences, documentStarts: this.#starts.length }))
    await writeFully(idx, new Uint8Array(Int32Array.from(this.#lengths).buffer))
    const offsets = new BigInt64Array(sequences)
    for (let i = 1; i < sequences; i++)
      offsets[i] = offsets[i - 1]! + BigInt(this.#lengths[i - 1]! * tokenTypes[this.#type].bytes)
    await writeFully(idx, new Uint8Array(offsets.buffer))
    await writeFully(idx, new Uint8Array(BigInt64Array.from(this.#starts, BigInt).buffer))
  }
}
