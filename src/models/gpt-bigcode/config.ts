/** The GPTBigCode configuration: camelCase here, Hugging Face's config.json outside. */
import { AuroraError } from '../../errors.ts'
import type { Activation } from '../../ops/index.ts'

export interface GPTBigCodeConfig {
  vocabSize: number
  /** Longest sequence: rows of the position table. */
  nPositions: number
  /** Hidden width D. */
  nEmbd: number
  nLayer: number
  /** Query heads; the head width is nEmbd / nHead. */
  nHead: number
  /** MLP width; null: 4·nEmbd. */
  nInner: number | null
  /** As in config.json: 'gelu' (erf), 'gelu_pytorch_tanh', or one of their aliases. */
  activationFunction: string
  /** Dropout rates of the embedding, of each branch, and of the softmax weights. Used only when a model is made with `dropout: 'config'`. */
  embdPdrop: number
  residPdrop: number
  attnPdrop: number
  layerNormEpsilon: number
  /** Standard deviation of initial weights; projections back into the residual stream have it divided by √(2·nLayer). */
  initializerRange: number
  /** One key/value head for all query heads; false: one for each. */
  multiQuery: boolean
  /** Scores are divided by √(head width). */
  scaleAttnWeights: boolean
  bosTokenId: number
  eosTokenId: number
  /** Fields of a config.json that this package does not interpret: kept and written back. */
  other: Readonly<Record<string, unknown>>
}

/** Hugging Face's defaults, but for the token ids: StarCoder's <|endoftext|> is 0. */
export const defaultConfig: GPTBigCodeConfig = {
  vocabSize: 50257,
  nPositions: 1024,
  nEmbd: 768,
  nLayer: 12,
  nHead: 12,
  nInner: null,
  activationFunction: 'gelu_pytorch_tanh',
  embdPdrop: 0.1,
  residPdrop: 0.1,
  attnPdrop: 0.1,
  layerNormEpsilon: 1e-5,
  initializerRange: 0.02,
  multiQuery: true,
  scaleAttnWeights: true,
  bosTokenId: 0,
  eosTokenId: 0,
  other: {},
}

/** Hugging Face's names of the two GELUs. */
const activations: Readonly<Record<string, Activation>> = {
  gelu: 'gelu',
  gelu_python: 'gelu',
  gelu_pytorch_tanh: 'geluTanh',
  gelu_new: 'geluTanh',
  gelu_fast: 'geluTanh',
  gelu_accurate: 'geluTanh',
}

type Interpreted = Exclude<keyof GPTBigCodeConfig, 'other'>

const interpreted = Object.keys(defaultConfig).filter(key => key !== 'other') as Interpreted[]
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) > 0
const isId = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0
const isRate = (value: unknown) => typeof value === 'number' && value >= 0 && value < 1
const isPositive = (value: unknown) => typeof value === 'number' && Number.isFinite(value) && value > 0
const isFlag = (value: unknown) => typeof value === 'boolean'

const count = { holds: isCount, expected: 'a positive integer' }
const id = { holds: isId, expected: 'a token id' }
const rate = { holds: isRate, expected: 'a number in [0, 1)' }
const positive = { holds: isPositive, expected: 'a positive number' }
const flag = { holds: isFlag, expected: 'true or false' }
const rules: Readonly<Record<Interpreted, { holds: (value: unknown) => boolean; expected: string }>> = {
  vocabSize: count,
  nPositions: count,
  nEmbd: count,
  nLayer: count,
  nHead: count,
  nInner: { holds: value => value === null || isCount(value), expected: 'a positive integer or null' },
  activationFunction: {
    holds: value => Object.hasOwn(activations, String(value)),
    expected: `one of ${Object.keys(activations).join(', ')}`,
  },
  embdPdrop: rate,
  residPdrop: rate,
  attnPdrop: rate,
  layerNormEpsilon: positive,
  initializerRange: positive,
  multiQuery: flag,
  scaleAttnWeights: flag,
  bosTokenId: id,
  eosTokenId: id,
}

/** Fills in the defaults and checks every field. `source` names where it came from in errors. */
export function completeConfig(partial: Partial<GPTBigCodeConfig>, source = 'config'): GPTBigCodeConfig {
  const known = new Set<string>([...interpreted, 'other'])
  for (const key of Object.keys(partial))
    if (!known.has(key)) throw configError(source, key, `one of ${interpreted.join(', ')}`, 'an unknown field')
  const given = Object.fromEntries(Object.entries(partial).filter(([, value]) => value !== undefined))
  const config: GPTBigCodeConfig = { ...defaultConfig, ...given }
  for (const key of interpreted) {
    if (!rules[key].holds(config[key]))
      throw configError(source, key, rules[key].expected, JSON.stringify(config[key]) ?? 'undefined')
  }
  if (config.nEmbd % config.nHead !== 0) {
    throw configError(source, 'nHead', `a divisor of nEmbd ${config.nEmbd}`, String(config.nHead))
  }
  const headWidth = config.nEmbd / config.nHead
  if (headWidth % 8 !== 0 || headWidth > 256) {
    throw configError(source, 'nEmbd / nHead', 'a head width that is a multiple of 8, at most 256', String(headWidth))
  }
  return config
}

export function activationOf(config: GPTBigCodeConfig): Activation {
  return activations[config.activationFunction]!
}

/** MLP width F. */
export function innerWidth(config: GPTBigCodeConfig): number {
  return config.nInner ?? 4 * config.nEmbd
}

/** Reads the content of a config.json. */
export function configFromHuggingFace(json: unknown, source = 'config.json'): GPTBigCodeConfig {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new AuroraError({
      code: 'ERR_CONFIG',
      message: `${source} is not a JSON object`,
      expected: 'an object',
      found: typeof json,
    })
  }
  const fields = new Map(Object.entries(json))
  if (fields.get('model_type') !== 'gpt_bigcode') {
    throw configError(source, 'model_type', '"gpt_bigcode"', JSON.stringify(fields.get('model_type')) ?? 'nothing')
  }
  if (fields.get('add_cross_attention') === true)
    throw configError(source, 'add_cross_attention', 'false: a decoder only', 'true')
  const config: Record<string, unknown> = {}
  for (const key of interpreted) {
    const name = snakeCase(key)
    if (!fields.has(name)) continue
    config[key] = fields.get(name)
    fields.delete(name)
  }
  // Absent or null: Hugging Face's default.
  for (const key of ['bosTokenId', 'eosTokenId'] as const) config[key] ??= 50256
  // The head is always tied, which is Hugging Face's default too.
  fields.delete('tie_word_embeddings')
  return completeConfig({ ...config, other: Object.fromEntries(fields) }, source)
}

/** What a config.json holds; `torchDtype` names the dtype of the weights beside it. */
export function configToHuggingFace(config: GPTBigCodeConfig, torchDtype: 'float32' | 'bfloat16'): Record<string, unknown> {
  const fields: Record<string, unknown> = {
    architectures: ['GPTBigCodeForCausalLM'],
    attention_softmax_in_fp32: true,
    scale_attention_softmax_in_fp32: true,
    use_cache: true,
    ...config.other,
    model_type: 'gpt_bigcode',
    // Newer versions of Hugging Face's library write the name without "torch_".
    ['dtype' in config.other ? 'dtype' : 'torch_dtype']: torchDtype,
  }
  for (const key of interpreted) fields[snakeCase(key)] = config[key]
  return Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
}

function configError(source: string, field: string, expected: string, found: string): AuroraError {
  return new AuroraError({ code: 'ERR_CONFIG', message: `${source}: ${field}`, expected, found })
}
