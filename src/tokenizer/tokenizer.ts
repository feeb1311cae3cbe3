/**
 * The tokenizer of a StarCoder-family model. Encoding is done by Hugging Face's Rust library, off the event loop; decoding
 * goes through the byte-level table and is exact to the byte, also for ids that cut a character in two.
 */
import { readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Tokenizer as Encoder } from 'tokenizers'
import { fileError, writeFileAtomic } from '../checkpoint/index.ts'
import { AuroraError } from '../errors.ts'
import { TokenBytes } from './byte-level.ts'
import { maxTokenizerBytes, parseDefinition, type TokenizerDefinition } from './definition.ts'
import { StreamDecoder } from './stream-decoder.ts'
import { trainBPE, WordCounter } from './train-bpe.ts'

export interface EncodeOptions {
  /**
   * What the text of a special token, such as `<|endoftext|>`, becomes where it stands in the input: 'parse' gives the
   * special token (default, as in the model's own library), 'text' spells it with ordinary ones, so that foreign text
   * can never end a document or forge a control token.
   */
  specialTokens?: 'parse' | 'text'
}

export interface DecodeOptions {
  /** Leaves special tokens out. Default false. */
  skipSpecialTokens?: boolean
}

export interface TokenizerTraining {
  /** Entries in all, the special tokens and 256 bytes included: at least their number. */
  vocabSize: number
  /** In order of id. The first ends a document. Default: {@link defaultSpecialTokens}. */
  specialTokens?: readonly string[]
  /** Pairs that occur less often are not merged. Default 2. */
  minFrequency?: number
}

/** Ids of the fill-in-the-middle tokens. */
export interface FIMTokens {
  readonly prefix: number
  readonly middle: number
  readonly suffix: number
  readonly pad: number
}

const endOfText = '<|endoftext|>'
export const defaultSpecialTokens = [endOfText, '<fim_prefix>', '<fim_middle>', '<fim_suffix>', '<fim_pad>'] as const

export class Tokenizer {
  /** One more than the highest id. */
  readonly vocabSize: number
  /** Id of `<|endoftext|>`, which ends every document (and is the model's bos as well). */
  readonly eos: number
  /** Ids by content. */
  readonly specialTokens: ReadonlyMap<string, number>
  /** Undefined when the vocabulary has no such tokens. */
  readonly fim: FIMTokens | undefined
  readonly #definition: TokenizerDefinition
  readonly #bytes: TokenBytes
  readonly #special: ReadonlySet<number>
  readonly #encoder: Encoder
  #plainEncoder: Encoder | undefined

  private constructor(path: string, definition: TokenizerDefinition) {
    this.#definition = definition
    this.#bytes = new TokenBytes(definition.bytes)
    this.#encoder = buildEncoder(path, definition.encoder)
    this.vocabSize = definition.tokens.length
    this.specialTokens = new Map(
      [...definition.added].filter(([, { special }]) => special).map(([content, { id }]) => [content, id]),
    )
    this.#special = new Set(this.specialTokens.values())
    this.eos = this.idOf(endOfText)
    this.fim = findFIM(this.specialTokens)
  }

  /** Reads `path`: a tokenizer.json, or a folder that holds one. */
  static async fromFile(path: string): Promise<Tokenizer> {
    let text: string
    try {
      const file = (await stat(path)).isDirectory() ? join(path, 'tokenizer.json') : path
      const { size } = await stat(file)
      if (size > maxTokenizerBytes) {
        throw new AuroraError({
          code: 'ERR_TOKENIZER',
          message: `${file}: too large`,
          expected: `≤ ${maxTokenizerBytes} bytes`,
          found: `${size}`,
        })
      }
      text = await readFile(file, 'utf8')
    } catch (error) {
      throw fileError('read', path, error)
    }
    return Tokenizer.fromJSON(text, path)
  }

  /** From the text of a tokenizer.json; `path` is for messages. */
  static fromJSON(text: string, path = 'tokenizer.json'): Tokenizer {
    return new Tokenizer(path, parseDefinition(path, text))
  }

  /**
   * Trains a byte-level BPE in StarCoder's form (digits one by one, GPT-2's pattern, no prefix space) on `texts`. The same
   * texts give the same tokenizer, whatever their order and the machine.
   */
  static async train(texts: Iterable<string> | AsyncIterable<string>, options: TokenizerTraining): Promise<Tokenizer> {
    const { vocabSize, specialTokens = defaultSpecialTokens, minFrequency = 2 } = options
    if (!Number.isInteger(vocabSize) || vocabSize < 256 + specialTokens.length) {
      throw new AuroraError({
        code: 'ERR_INVALID_ARGUMENT',
        message: 'Tokenizer.train: vocabSize too small',
        expected: `an integer ≥ ${256 + specialTokens.length}: 256 bytes and ${specialTokens.length} special tokens`,
        found: String(vocabSize),
      })
    }
    const counter = new WordCounter()
    for await (const text of texts) counter.add(text)
    const { tokens, merges } = trainBPE(counter.counts, { vocabSize, specialTokens, minFrequency })
    const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }
    return Tokenizer.fromJSON(
      JSON.stringify({
        version: '1.0',
        truncation: null,
        padding: null,
        added_tokens: specialTokens.map((content, id) => ({
          id,
          content,
          single_word: false,
          lstrip: false,
          rstrip: false,
          normalized: false,
          special: true,
        })),
        normalizer: null,
        pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel] },
        post_processor: null,
        decoder: byteLevel,
        model: {
          type: 'BPE',
          dropout: null,
          unk_token: null,
          continuing_subword_prefix: null,
          end_of_word_suffix: null,
          fuse_unk: false,
          byte_fallback: false,
          vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
          merges,
        },
      }),
    )
  }

  /** Ids of a text; nothing is added at its ends. */
  async encode(text: string, { specialTokens = 'parse' }: EncodeOptions = {}): Promise<Int32Array> {
    const encoding = await this.#encoderFor(specialTokens).encode(text, null, { addSpecialTokens: false })
    return Int32Array.from(encoding.getIds())
  }

  /** Ids of many texts, in their order; uses all cores. */
  async encodeBatch(texts: readonly string[], { specialTokens = 'parse' }: EncodeOptions = {}): Promise<Int32Array[]> {
    const encodings = await this.#encoderFor(specialTokens).encodeBatch([...texts], { addSpecialTokens: false })
    return encodings.map(encoding => Int32Array.from(encoding.getIds()))
  }

  /** The text of ids. Bytes that are not UTF-8 (ids that cut a character in two) show as U+FFFD; see {@link decodeBytes}. */
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string {
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.decodeBytes(ids, options))
  }

  /** The exact bytes of ids. */
  decodeBytes(ids: ArrayLike<number>, { skipSpecialTokens = false }: DecodeOptions = {}): Uint8Array {
    for (let i = 0; i < ids.length; i++) this.#check(ids[i]!)
    return this.#bytes.concat(skipSpecialTokens ? Array.from(ids).filter(id => !this.#special.has(id)) : ids)
  }

  /** The bytes of one token (do not change them). */
  tokenBytes(id: number): Uint8Array {
    this.#check(id)
    return this.#bytes.of(id)
  }

  /** Decodes ids as they come, in whole characters. */
  streamDecoder(options?: DecodeOptions): StreamDecoder {
    return new StreamDecoder(ids => this.decodeBytes(ids, options))
  }

  isSpecial(id: number): boolean {
    return this.#special.has(id)
  }

  /** The id of an entry, written as in the vocabulary. Throws when there is none. */
  idOf(token: string): number {
    const id = this.#definition.added.get(token)?.id ?? this.#encoder.tokenToId(token)
    if (id === null) throw new AuroraError({ code: 'ERR_TOKENIZER', message: `the vocabulary has no token "${token}"` })
    return id
  }

  /** The text of a tokenizer.json. */
  toJSON(): string {
    return JSON.stringify(this.#definition.json)
  }

  /** Writes tokenizer.json and what Hugging Face's libraries expect beside it. */
  async save(folder: string): Promise<void> {
    const named = { bos_token: endOfText, eos_token: endOfText, unk_token: endOfText }
    const additional = [...this.specialTokens.keys()]
    const config = {
      tokenizer_class: 'GPT2TokenizerFast',
      add_prefix_space: false,
      ...named,
      additional_special_tokens: additional,
    }
    const pretty = (value: object) => `${JSON.stringify(value, null, 2)}\n`
    await writeFileAtomic(join(folder, 'tokenizer.json'), this.toJSON())
    await writeFileAtomic(join(folder, 'tokenizer_config.json'), pretty(config))
    await writeFileAtomic(join(folder, 'special_tokens_map.json'), pretty({ ...named, additional_special_tokens: additional }))
  }

  #encoderFor(specialTokens: 'parse' | 'text'): Encoder {
    if (specialTokens === 'parse') return this.#encoder
    const { encoder } = this.#definition
    this.#plainEncoder ??= buildEncoder('tokenizer', {
      ...encoder,
      added_tokens: encoder.added_tokens.filter(({ special }) => !special),
    })
    return this.#plainEncoder
  }

  #check(id: number): void {
    if (!Number.isInteger(id) || this.#definition.tokens[id] === undefined) {
      throw new AuroraError({
        code: 'ERR_TOKEN',
        message: 'not a token of this vocabulary',
        expected: `an id below ${this.vocabSize}`,
        found: String(id),
      })
    }
  }
}

function buildEncoder(path: string, json: Record<string, unknown>): Encoder {
  try {
    return Encoder.fromString(JSON.stringify(json))
  } catch (cause) {
    throw new AuroraError({
      code: 'ERR_TOKENIZER',
      message: `${basename(path)}: refused by the tokenizer library`,
      found: (cause as Error).message,
      cause,
    })
  }
}

function findFIM(special: ReadonlyMap<string, number>): FIMTokens | undefined {
  const [prefix, middle, suffix, pad] = ['prefix', 'middle', 'suffix', 'pad'].map(part => special.get(`<fim_${part}>`))
  if (prefix === undefined || middle === undefined || suffix === undefined || pad === undefined) return undefined
  return { prefix, middle, suffix, pad }
}
