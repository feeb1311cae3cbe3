/**
 * Fill-in-the-middle (arXiv 2207.14255), as StarCoder was trained: a piece of a document is cut at two random characters and
 * its middle moved to the end, so that the model learns to write between two given parts.
 *
 *     PSM  <fim_prefix> prefix <fim_suffix> suffix <fim_middle> middle
 *     SPM  <fim_prefix> <fim_suffix> suffix <fim_middle> prefix middle
 */
import { AuroraError } from '../errors.ts'
import { Purpose, philox, RandomStream, randomWords } from '../random/index.ts'
import type { FIMTokens, Tokenizer } from '../tokenizer/index.ts'
import type { DocumentStream, Piece } from './stream.ts'

export interface FIMOptions {
  /** Share of the pieces that are cut; StarCoder used 0.5. */
  probability: number
  /** Of these, the share in SPM form; the others are in PSM form. Default 0.5. */
  spm?: number
}

/** Random numbers of a piece: a function of the run's seed, the stream and the piece alone, whenever and wherever it is read. */
export function pieceRandom(stream: DocumentStream, { document, epoch, start }: Piece): RandomStream {
  const words = randomWords(stream.seed, Purpose.fim, epoch)
  const [key0, key1] = philox(words, document)
  return new RandomStream([key0, key1, start, Purpose.fim])
}

export class FillInTheMiddle {
  readonly #tokenizer: Tokenizer
  readonly #tokens: FIMTokens
  readonly #probability: number
  readonly #spm: number

  constructor(tokenizer: Tokenizer | undefined, { probability, spm = 0.5 }: FIMOptions) {
    if (!(probability >= 0 && probability <= 1) || !(spm >= 0 && spm <= 1)) {
      throw invalid('a probability is out of range', 'numbers from 0 to 1', `probability ${probability}, spm ${spm}`)
    }
    if (tokenizer?.fim === undefined) {
      throw invalid(
        'no fill-in-the-middle tokens',
        'mixture(…, { tokenizer }) with <fim_prefix>, <fim_middle>, <fim_suffix> and <fim_pad>',
      )
    }
    this.#tokenizer = tokenizer
    this.#tokens = tokenizer.fim
    this.#probability = probability
    this.#spm = spm
  }

  /** What fills a sequence that came out too short. */
  get pad(): number {
    return this.#tokens.pad
  }

  /** Returns the ids with their middle moved, or as they are: `random` decides. A closing eos stays at the end. */
  async apply(ids: Int32Array, random: RandomStream): Promise<Int32Array> {
    const isCut = random.uniform() < this.#probability
    const isSPM = random.uniform() < this.#spm
    const ends = ids.at(-1) === this.#tokenizer.eos
    const content = ends ? ids.subarray(0, -1) : ids
    if (!isCut || content.length === 0) return ids
    const parts = await this.#cut(content, random)
    if (parts === undefined) return ids
    const { prefix, middle, suffix } = parts
    const { prefix: p, middle: m, suffix: s } = this.#tokens
    const eos = ends ? [this.#tokenizer.eos] : []
    return isSPM ? concat([p, s], suffix, [m], prefix, middle, eos) : concat([p], prefix, [s], suffix, [m], middle, eos)
  }

  /**
   * Cuts at two uniform characters. A piece may begin or end inside a character, because sequences end between tokens; the
   * tokens with such a torn character stay whole, as part of prefix and suffix. Undefined when the rest is not text.
   */
  async #cut(ids: Int32Array, random: RandomStream) {
    const { head, body, tail } = this.#untorn(ids)
    let text: string
    try {
      text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.#tokenizer.decodeBytes(body))
    } catch {
      return undefined
    }
    const characters = Array.from(text)
    const [first, second] = [random.below(characters.length + 1), random.below(characters.length + 1)].sort((a, b) => a - b)
    const texts = [characters.slice(0, first), characters.slice(first, second), characters.slice(second)].map(part =>
      part.join(''),
    )
    // Markup tokens in the document must come out as they went in; where there are none, nothing in the text may become one.
    const specialTokens = body.some(id => this.#tokenizer.isSpecial(id)) ? 'parse' : 'text'
    const [prefix, middle, suffix] = await this.#tokenizer.encodeBatch(texts, { specialTokens })
    return { prefix: concat(head, prefix!), middle: middle!, suffix: concat(suffix!, tail) }
  }

  #untorn(ids: Int32Array): { head: Int32Array; body: Int32Array; tail: Int32Array } {
    let start = 0
    let end = ids.length
    while (start < end && beginsTorn(this.#tokenizer.tokenBytes(ids[start]!))) start++
    while (end > start && endsTorn(this.#tokenizer.decodeBytes(ids.subarray(Math.max(start, end - 4), end)))) end--
    return { head: ids.subarray(0, start), body: ids.subarray(start, end), tail: ids.subarray(end) }
  }
}

const isContinuation = (byte: number) => (byte & 0xc0) === 0x80

function beginsTorn(bytes: Uint8Array): boolean {
  return bytes.length > 0 && isContinuation(bytes[0]!)
}

/** Whether the last UTF-8 character lacks bytes. */
function endsTorn(bytes: Uint8Array): boolean {
  let lead = bytes.length - 1
  while (lead > bytes.length - 4 && lead > 0 && isContinuation(bytes[lead]!)) lead--
  const first = bytes[lead] ?? 0
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1
  return lead + length > bytes.length
}

function concat(...parts: ArrayLike<number>[]): Int32Array {
  const ids = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let position = 0
  for (const part of parts) {
    ids.set(part, position)
    position += part.length
  }
  return ids
}

function invalid(message: string, expected: string, found?: string): AuroraError {
  return new AuroraError({ code: 'ERR_INVALID_ARGUMENT', message: `fill-in-the-middle: ${message}`, expected, found })
}
