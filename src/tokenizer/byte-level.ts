/**
 * Byte-level BPE writes each byte as a printable character, so that vocabularies are readable text. This is GPT-2's table,
 * which all its descendants share: printable Latin-1 bytes stand for themselves, the others for U+0100, U+0101, ….
 */

/** Character of each byte. */
export const byteCharacters: readonly string[] = buildTable()

const bytesByCharacter = new Map(byteCharacters.map((character, byte) => [character, byte]))

function buildTable(): string[] {
  let next = 0x100
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
    return String.fromCharCode(printable ? byte : next++)
  })
}

/** The bytes that a vocabulary entry stands for; undefined when it holds a character outside the table. */
export function tokenToBytes(token: string): number[] | undefined {
  const bytes: number[] = []
  for (const character of token) {
    const byte = bytesByCharacter.get(character)
    if (byte === undefined) return undefined
    bytes.push(byte)
  }
  return bytes
}

/** The bytes of every token of a vocabulary, in one buffer. */
export class TokenBytes {
  readonly #bytes: Uint8Array
  /** Token i is bytes [starts[i], starts[i + 1]). */
  readonly #starts: Uint32Array

  constructor(tokens: readonly (Uint8Array | readonly number[])[]) {
    this.#starts = new Uint32Array(tokens.length + 1)
    tokens.forEach((bytes, id) => {
      this.#starts[id + 1] = this.#starts[id]! + bytes.length
    })
    this.#bytes = new Uint8Array(this.#starts[tokens.length]!)
    tokens.forEach((bytes, id) => {
      this.#bytes.set(bytes, this.#starts[id])
    })
  }

  get size(): number {
    return this.#starts.length - 1
  }

  /** The bytes of one token (a view). */
  of(id: number): Uint8Array {
    return this.#bytes.subarray(this.#starts[id], this.#starts[id + 1])
  }

  /** The bytes of a run of tokens. */
  concat(ids: ArrayLike<number>): Uint8Array {
    let length = 0
    for (let i = 0; i < ids.length; i++) length += this.#starts[ids[i]! + 1]! - this.#starts[ids[i]!]!
    const bytes = new Uint8Array(length)
    let position = 0
    for (let i = 0; i < ids.length; i++) {
      const token = this.of(ids[i]!)
      bytes.set(token, position)
      position += token.length
    }
    return bytes
  }
}
