/**
 * tokenizer.json, checked. The library that encodes aborts the process on some ill-formed files, so it never sees the file
 * itself: it is given a definition built anew here, from parts that have been verified.
 */
import { AuroraError } from '../errors.ts'
import { byteCharacters, tokenToBytes } from './byte-level.ts'

/** Larger files are refused. The largest public byte-level vocabularies take about 20 MB. */
export const maxTokenizerBytes = 128 * 1024 * 1024
const maxVocabulary = 2 ** 22

export interface AddedToken {
  readonly id: number
  readonly content: string
  readonly special: boolean
  readonly single_word: boolean
  readonly lstrip: boolean
  readonly rstrip: boolean
  readonly normalized: boolean
}

export interface TokenizerDefinition {
  /** The file's content: what is saved again. */
  readonly json: Json
  /** What the library is built from: byte-level BPE without normalizer, dropout, truncation or padding. */
  readonly encoder: { readonly added_tokens: readonly AddedToken[] } & Json
  /** Content of each id; undefined where the numbering has a hole. */
  readonly tokens: readonly (string | undefined)[]
  /** Bytes of each id; empty where the numbering has a hole. */
  readonly bytes: readonly (Uint8Array | readonly number[])[]
  /** Tokens added beside or on top of the vocabulary, by content. */
  readonly added: ReadonlyMap<string, AddedToken>
}

/** What the family's models do not use. */
const plainBPE = {
  dropout: null,
  unk_token: null,
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
  fuse_unk: false,
  byte_fallback: false,
  ignore_merges: false,
}

type Json = Record<string, unknown>
type Refuse = (message: string, expected?: string, found?: unknown) => AuroraError

export function parseDefinition(path: string, text: string): TokenizerDefinition {
  const refuse: Refuse = (message, expected, found) =>
    new AuroraError({
      code: 'ERR_TOKENIZER',
      message: `${path}: ${message}`,
      expected,
      found: found === undefined ? undefined : shorten(found),
      hint: 'aurora-m reads the tokenizer.json of byte-level BPE models such as StarCoder',
    })
  if (text.length > maxTokenizerBytes) throw refuse('too large', `at most ${maxTokenizerBytes} bytes`, text.length)
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw refuse('not JSON', undefined, (cause as Error).message)
  }
  if (!isObject(json)) throw refuse('not a tokenizer', 'a JSON object', json)
  if (json.normalizer != null) throw refuse('texts would be changed before encoding', 'normalizer null', json.normalizer)
  const pre_tokenizer = parsePreTokenizer(json.pre_tokenizer, refuse)
  const { vocab, merges } = parseModel(json.model, refuse)
  const added = parseAddedTokens(json.added_tokens ?? [], refuse)

  const tokens: (string | undefined)[] = []
  const all = new Map(vocab)
  for (const { content, id } of added.values()) {
    if (vocab.has(content) && vocab.get(content) !== id)
      throw refuse(`"${shorten(content)}" has two ids`, `${vocab.get(content)}`, id)
    all.set(content, id)
  }
  for (const [content, id] of all) {
    while (tokens.length <= id) tokens.push(undefined)
    if (tokens[id] !== undefined && tokens[id] !== content)
      throw refuse(`id ${id} stands for two tokens`, shorten(tokens[id]), content)
    tokens[id] = content
  }
  const utf8 = new TextEncoder()
  const bytes = tokens.map((content, id) => {
    if (content === undefined) return []
    if (added.has(content)) return utf8.encode(content)
    const own = tokenToBytes(content)
    if (own === undefined) throw refuse(`token ${id} is not written in byte-level characters`, undefined, content)
    return own
  })
  const encoder = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [...added.values()],
    normalizer: null,
    pre_tokenizer,
    post_processor: null,
    decoder: null,
    // With all tokens in the vocabulary the library takes their ids from there, rather than numbering added ones itself.
    model: { type: 'BPE', ...plainBPE, vocab: Object.fromEntries(all), merges },
  }
  return { json, encoder, tokens, bytes, added }
}

/** ByteLevel alone (GPT-2) or after Digits (StarCoder). */
function parsePreTokenizer(value: unknown, refuse: Refuse): Json {
  const steps = isObject(value) && value.type === 'Sequence' ? value.pretokenizers : [value]
  const wrong = () => refuse('unknown way of cutting words', 'a pre_tokenizer of ByteLevel steps, Digits steps or both', value)
  if (!Array.isArray(steps)) throw wrong()
  const known = steps.map(step => {
    if (!isObject(step)) throw wrong()
    if (step.type === 'Digits') return { type: 'Digits', individual_digits: step.individual_digits === true }
    if (step.type !== 'ByteLevel') throw wrong()
    // The library's own default for both is true. A space put before every text would be there when it is decoded.
    if (step.add_prefix_space !== false)
      throw refuse('texts would get a space in front', 'add_prefix_space false', step.add_prefix_space)
    return { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: step.use_regex !== false }
  })
  if (known.filter(({ type }) => type === 'ByteLevel').length !== 1) throw wrong()
  return { type: 'Sequence', pretokenizers: known }
}

function parseModel(value: unknown, refuse: Refuse): { vocab: Map<string, number>; merges: string[][] } {
  if (!isObject(value) || value.type !== 'BPE')
    throw refuse('not a BPE model', 'model.type "BPE"', isObject(value) ? value.type : value)
  for (const option of ['unk_token', 'continuing_subword_prefix', 'end_of_word_suffix']) {
    if (value[option] != null && value[option] !== '') throw refuse(`model.${option} is not supported`, 'null', value[option])
  }
  for (const option of ['byte_fallback', 'ignore_merges']) {
    if (value[option] === true) throw refuse(`model.${option} is not supported`, 'false', true)
  }
  if (!isObject(value.vocab)) throw refuse('no vocabulary', 'model.vocab, an object of ids', value.vocab)
  const vocab = new Map<string, number>()
  for (const [content, id] of Object.entries(value.vocab)) vocab.set(content, checkToken(content, id, refuse))
  const missing = byteCharacters.findIndex((character, byte) => occursInText(byte) && !vocab.has(character))
  if (missing >= 0) throw refuse('texts would lose bytes', 'a token for every byte that UTF-8 has', `none for byte ${missing}`)
  if (!Array.isArray(value.merges)) throw refuse('no merges', 'model.merges, a list', value.merges)
  const merges = value.merges.map((merge: unknown, i) => {
    const [left, right, ...more] = typeof merge === 'string' ? merge.split(' ') : Array.isArray(merge) ? merge : []
    if (more.length > 0 || !vocab.has(left) || !vocab.has(right) || !vocab.has(left + right)) {
      throw refuse(`merge ${i} is not one`, 'two tokens that together are a token', merge)
    }
    return [left, right]
  })
  return { vocab, merges }
}

/** Whether UTF-8 text holds the byte. No character is assigned in the planes that begin with 0xf1 and 0xf2; StarCoder lacks one. */
function occursInText(byte: number): boolean {
  return byte < 0xc0 || (byte >= 0xc2 && byte <= 0xf0) || byte === 0xf3 || byte === 0xf4
}

function parseAddedTokens(value: unknown, refuse: Refuse): Map<string, AddedToken> {
  if (!Array.isArray(value)) throw refuse('ill-formed added_tokens', 'a list', value)
  const added = new Map<string, AddedToken>()
  for (const entry of value) {
    if (!isObject(entry)) throw refuse('ill-formed added token', 'an object', entry)
    const { content, single_word, lstrip, rstrip, special, normalized } = entry
    const id = checkToken(content, entry.id, refuse)
    if (added.has(content as string)) throw refuse('added token occurs twice', undefined, content)
    added.set(content as string, {
      id,
      content: content as string,
      special: special === true,
      single_word: single_word === true,
      lstrip: lstrip === true,
      rstrip: rstrip === true,
      normalized: normalized === true,
    })
  }
  return added
}

function checkToken(content: unknown, id: unknown, refuse: Refuse): number {
  if (
    typeof id !== 'number' ||
    !Number.isInteger(id) ||
    id < 0 ||
    id >= maxVocabulary ||
    typeof content !== 'string' ||
    content === ''
  ) {
    throw refuse(`ill-formed token ${shorten(content)}`, `an id in [0, ${maxVocabulary})`, id)
  }
  return id
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function shorten(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing')
  return text.length <= 80 ? text : `${text.slice(0, 77)}…`
}
