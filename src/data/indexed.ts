/** Megatron's indexed datasets: tokens in a .bin file, where to find them in an .idx file. */
import { closeSync, openSync, readSync } from 'node:fs'
import { basename } from 'node:path'
import { fileError, openFile, readExactly } from '../checkpoint/index.ts'
import { checkDocument, type TokenArray, type TokenDataset } from './dataset.ts'
import { decodeHeader, headerBytes, indexError, type TokenType, tokenTypes } from './indexed-format.ts'

/** The index in memory: 12 bytes a sequence, 8 a document. */
interface Index {
  readonly type: TokenType
  /** Tokens of each sequence. */
  readonly lengths: Int32Array
  /** Where each sequence begins in the .bin, in bytes. */
  readonly offsets: Float64Array
  /** Document i is sequences [starts[i], starts[i + 1]). */
  readonly starts: Float64Array
}

/** A .bin/.idx pair, opened for reading. Tokens are read from the file when asked for. */
export class IndexedDataset implements TokenDataset {
  readonly name: string
  readonly documents: number
  readonly tokens: number
  /** Element type of the .bin. */
  readonly type: TokenType
  readonly #binPath: string
  readonly #index: Index
  #file: number | undefined

  private constructor(name: string, binPath: string, index: Index, file: number) {
    this.name = name
    this.documents = index.starts.length - 1
    this.tokens = index.lengths.reduce((sum, length) => sum + length, 0)
    this.type = index.type
    this.#binPath = binPath
    this.#index = index
    this.#file = file
  }

  /**
   * Opens `prefix`.bin and `prefix`.idx (either file's own name will do) and checks them against each other.
   *
   * @param name the dataset's name in its domain. Default: the last part of the prefix
   */
  static async open(prefix: string, name = basename(stem(prefix))): Promise<IndexedDataset> {
    const path = stem(prefix)
    const { file: bin, size: binBytes } = await openFile(`${path}.bin`)
    await bin.close()
    const index = await readIndex(`${path}.idx`, binBytes)
    try {
      return new IndexedDataset(name, `${path}.bin`, index, openSync(`${path}.bin`, 'r'))
    } catch (error) {
      throw fileError('read', `${path}.bin`, error)
    }
  }

  length(document: number): number {
    checkDocument(this.name, document, this.documents)
    const { lengths, starts } = this.#index
    let tokens = 0
    for (let sequence = starts[document]!; sequence < starts[document + 1]!; sequence++) tokens += lengths[sequence]!
    return tokens
  }

  read(document: number, start = 0, end = Number.POSITIVE_INFINITY): TokenArray {
    const length = this.length(document)
    const [from, to] = [Math.min(start, length), Math.min(end, length)]
    const tokens = this.type === 'u16' ? new Uint16Array(Math.max(to - from, 0)) : new Int32Array(Math.max(to - from, 0))
    const { lengths, offsets, starts } = this.#index
    const width = tokenTypes[this.type].bytes
    // Tokens [position, position + lengths[sequence]) of the document are in this sequence.
    for (let sequence = starts[document]!, position = 0; position < to; position += lengths[sequence++]!) {
      const first = Math.max(from - position, 0)
      const last = Math.min(to - position, lengths[sequence]!)
      if (first >= last) continue
      const target = tokens.subarray(position + first - from, position + last - from)
      this.#readFile(new Uint8Array(target.buffer, target.byteOffset, target.byteLength), offsets[sequence]! + first * width)
    }
    return tokens
  }

  /** Lengths of a document's sequences; Megatron's own tools write one sequence a document unless told to split sentences. */
  sequenceLengths(document: number): Int32Array {
    checkDocument(this.name, document, this.documents)
    return this.#index.lengths.slice(this.#index.starts[document], this.#index.starts[document + 1])
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #readFile(into: Uint8Array, position: number): void {
    if (this.#file === undefined) throw indexError(this.#binPath, 'the dataset is closed')
    let done = 0
    while (done < into.byteLength) {
      let bytesRead: number
      try {
        bytesRead = readSync(this.#file, into, done, into.byteLength - done, position + done)
      } catch (error) {
        throw fileError('read', this.#binPath, error)
      }
      if (bytesRead === 0)
        throw indexError(this.#binPath, 'the file has become shorter', `${into.byteLength} bytes at ${position}`, `${done}`)
      done += bytesRead
    }
  }
}

/** The common part of the names of both files. */
export function stem(prefix: string): string {
  return prefix.replace(/\.(bin|idx)$/, '')
}

async function readIndex(path: string, binBytes: number): Promise<Index> {
  const { file, size } = await openFile(path)
  try {
    if (size < headerBytes) throw indexError(path, 'too short for an index', `at least ${headerBytes} bytes`, `${size}`)
    const head = new Uint8Array(headerBytes)
    await readExactly(file, path, head, 0)
    const { type, sequences, documentStarts } = decodeHeader(path, head, size)
    const width = tokenTypes[type].bytes
    const lengths = new Int32Array(sequences)
    const offsets = new Float64Array(sequences)
    const starts = new Float64Array(documentStarts)
    let tokens = 0
    const each = async (position: number, count: number, bytes: 4 | 8, take: (value: number, i: number) => void) => {
      const buffer = new Uint8Array(Math.min(count, chunkElements) * bytes)
      for (let first = 0; first < count; first += chunkElements) {
        const chunk = buffer.subarray(0, Math.min(count - first, chunkElements) * bytes)
        await readExactly(file, path, chunk, position + first * bytes)
        const view = new DataView(chunk.buffer, 0, chunk.byteLength)
        for (let i = 0; i * bytes < chunk.byteLength; i++)
          take(bytes === 4 ? view.getInt32(4 * i, true) : int64(view, 8 * i), first + i)
      }
    }
    await each(headerBytes, sequences, 4, (value, i) => {
      if (value < 0) throw indexError(path, `length of sequence ${i}`, 'an integer ≥ 0', `${value}`)
      lengths[i] = value
      tokens += value
    })
    // Overlapping sequences could make a small file claim to be of any size.
    if (tokens * width > binBytes) throw indexError(path, 'more tokens than the .bin holds', `${binBytes / width}`, `${tokens}`)
    await each(headerBytes + 4 * sequences, sequences, 8, (value, i) => {
      if (!(value >= 0 && value + lengths[i]! * width <= binBytes)) {
        throw indexError(
          path,
          `sequence ${i} lies outside the .bin`,
          `its ${lengths[i]! * width} bytes within ${binBytes}`,
          `offset ${value}`,
        )
      }
      offsets[i] = value
    })
    await each(headerBytes + 12 * sequences, documentStarts, 8, (value, i) => {
      const isInOrder = i === 0 ? value === 0 : value >= starts[i - 1]! && value <= sequences
      const isComplete = i < documentStarts - 1 || value === sequences
      if (!isInOrder || !isComplete)
        throw indexError(path, `start of document ${i}`, `ascending from 0 to ${sequences}`, `${value}`)
      starts[i] = value
    })
    return { type, lengths, offsets, starts }
  } finally {
    await file.close()
  }
}

/** Index entries read at a time. */
const chunkElements = 1 << 20

/** A signed 64-bit integer; beyond ±2⁵³ it is not exact, and larger than any file. */
function int64(view: DataView, position: number): number {
  return view.getInt32(position + 4, true) * 2 ** 32 + view.getUint32(position, true)
}
