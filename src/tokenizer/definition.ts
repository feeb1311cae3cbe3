/**
 * tokenizer.json, checked: the parts of it that a byte-level BPE of the StarCoder family has. What the file says is not
 * trusted; everything that the code relies on is verified here.
 */
import { AuroraError } from '../errors.ts'
import { tokenToBytes } from './byte-level.ts'

/** Larger files are refused. The largest public byte-level vocabularies take about 20 MB. */
export const maxTokenizerBytes = 128 * 1024 * 1024
const maxVocabulary = 2 ** 22

export interface TokenizerDefinition {
  /** The whole file, made deterministic (no truncation, padding or BPE dropout): what the library is built from. */
  readonly json: Record<string, unknown>
  /** Content of each id; undefined where the numbering has a hole. */
  readonly tokens: readonly (string | undefined)[]
  /** Bytes of each id; empty where the numbering has a hole. */
  readonly bytes: readonly (Uint8Array | readonly number[])[]
  /** Tokens added beside the vocabulary, by content. */
  readonly added: ReadonlyMap<string, { id: number; special: boolean }>
}

export function parseDefinition(path: string, text: string): TokenizerDefinition {
  const refuse = (message: string, expected?: string, found?: unknown, cause?: unknown) =>
    new AuroraError({
      code: 'ERR_TOKENIZER',
      message: `${path}: ${message}`,
      expected,
      found: found === undefined ? undefined : shorten(found),
      hint: 'aurora-m reads the tokenizer.json of byte-level BPE models such as StarCoder',
      cause,
    })
  if (text.length > maxTokenizerBytes) throw refuse('too large', `at most ${maxTokenizerBytes} bytes`, text.length)
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw refuse('not JSON', undefined, (cause as Error).message, cause)
  }
  if (!isObject(json)) throw refuse('not a tokenizer', 'a JSON object', json)
  const { model, added_tokens: addedTokens = [], pre_tokenizer: preTokenizer } = json
  if (!isObject(model) || model.type !== 'BPE')
    throw refuse('not a BPE model', 'model.type "BPE"', isObject(model) ? model.type : model)
  if (!isObject(model.vocab)) throw refuse('no vocabulary', 'model.vocab, an object of ids', model.vocab)
  if (!usesByteLevel(preTokenizer)) throw refuse('not byte-level', 'a ByteLevel pre_tokenizer', preTokenizer)
  if (!Array.isArray(addedTokens)) throw refuse('ill-formed added_tokens', 'an array', addedTokens)

  const tokens: (string | undefined)[] = []
  const place = (content: unknown, id: unknown) => {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= maxVocabulary || typeof content !== 'string') {
      throw refuse(`ill-formed token ${shorten(content)}`, `an id in [0, ${maxVocabulary})`, id)
    }
    while (tokens.length <= id) tokens.push(undefined)
    if (tokens[id] !== undefined && tokens[id] !== content)
      throw refuse(`id ${id} stands for two tokens`, shorten(tokens[id]), content)
    tokens[id] = content
    return id
  }
  for (const [content, id] of Object.entries(model.vocab)) place(content, id)
  const added = new Map<string, { id: number; special: boolean }>()
  for (const entry of addedTokens) {
    if (!isObject(entry)) throw refuse('ill-formed added token', 'an object', entry)
    added.set(entry.content as string, { id: place(entry.content, entry.id), special: entry.special === true })
  }
  if (tokens.length === 0) throw refuse('the vocabulary is empty')

  const encoder = new TextEncoder()
  const bytes = tokens.map((content, id) => {
    if (content === undefined) return []
    if (added.has(content)) return encoder.encode(content)
    const own = tokenToBytes(content)
    if (own === undefined) throw refuse(`token ${id} is not written in byte-level characters`, undefined, content)
    return own
  })
  const deterministic = { ...json, truncation: null, padding: null, model: { ...model, dropout: null } }
  return { json: deterministic, tokens, bytes, added }
}

function usesByteLevel(preTokenizer: unknown): boolean {
  if (!isObject(preTokenizer)) return false
  if (preTokenizer.type === 'ByteLevel') return true
  return (
    preTokenizer.type === 'Sequence' &&
    Array.isArray(preTokenizer.pretokenizers) &&
    preTokenizer.pretokenizers.some(usesByteLevel)
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function shorten(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing')
  return text.length <= 80 ? text : `${text.slice(0, 77)}…`
}
