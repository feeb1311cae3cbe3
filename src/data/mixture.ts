/** Mixtures: which data a stage learns from, in which shares, and reading them as packed sequences. */
import { setImmediate } from 'node:timers/promises'
import { AuroraError } from '../errors.ts'
import type { Tokenizer } from '../tokenizer/index.ts'
import { GlobalBatch, type Sequence } from './batch.ts'
import { Blend } from './blend.ts'
import type { TokenDataset } from './dataset.ts'
import { type FIMOptions, FillInTheMiddle } from './fim.ts'
import { packSequence } from './pack.ts'
import { DocumentStream } from './stream.ts'

/** A source of a domain with its share of it. */
export interface WeightedSource {
  data: TokenDataset
  weight: number
}

export interface DomainOptions {
  /** One or more sources. Without weights they get shares in proportion to their tokens. */
  data: TokenDataset | readonly (TokenDataset | WeightedSource)[]
  /** Share of the domain, relative to the other domains' weights. Either all domains have one or none; default: tokens. */
  weight?: number
  /** Fill-in-the-middle: probability for a piece of a document, or more options. Default 0. Needs a tokenizer. */
  fim?: number | FIMOptions
}

export interface MixtureOptions {
  /** Needed for fill-in-the-middle; its vocabulary size also bounds the ids. */
  tokenizer?: Tokenizer
  /** Attention stays within a document. Default true. */
  documentBoundaries?: boolean
  /** Positions restart with each document. Default false: they run through the sequence, as in Megatron. */
  resetPositions?: boolean
}

/** How far each stream (`domain/source`) has been read, in tokens; what a stage hands to the next one. */
export type Cursors = Readonly<Record<string, number>>

export interface ReaderOptions {
  /** The run's seed. */
  seed: number | bigint
  /** T: positions a sequence. */
  length: number
  /** Where earlier stages stopped. Default: every stream at its beginning. */
  start?: Cursors
  /** Ids at or above it are an error. Default: the tokenizer's, if there is one. */
  vocabSize?: number
}

/** One source of one domain. */
interface Component {
  readonly key: string
  readonly domain: number
  readonly data: TokenDataset
  /** Share of the whole mixture; all shares sum to 1. */
  readonly share: number
}

/**
 * Makes a mixture. Keys are the domains' names (en, fi, code, curated …), under which losses are reported and reading
 * positions are kept: a domain that returns in a later stage goes on where it stopped.
 *
 * @throws AuroraError for empty datasets, weights that are not positive, sources of one name in a domain
 */
export function mixture(
  domains: Readonly<Record<string, TokenDataset | readonly TokenDataset[] | DomainOptions>>,
  options: MixtureOptions = {},
): Mixture {
  return new Mixture(domains, options)
}

export class Mixture {
  readonly domains: readonly string[]
  readonly #components: readonly Component[]
  readonly #fim: readonly (FIMOptions | undefined)[]
  readonly #options: MixtureOptions

  constructor(domains: Parameters<typeof mixture>[0], options: MixtureOptions) {
    this.domains = Object.keys(domains)
    if (this.domains.length === 0) throw invalid('no domains', 'at least one')
    const given = this.domains.map(name => domainOptions(domains[name]!))
    const sources = given.map(({ data }, i) => weightedSources(this.domains[i]!, data))
    const tokens = sources.map(list => list.reduce((sum, { data }) => sum + data.tokens, 0))
    const shares = normalise(
      'domains',
      given.map(({ weight }) => weight),
      tokens,
    )
    this.#components = sources.flatMap((list, domain) =>
      list.map(({ data, weight }) => ({
        key: `${this.domains[domain]}/${data.name}`,
        domain,
        data,
        share: shares[domain]! * weight,
      })),
    )
    this.#fim = given.map(({ fim }) => fimOptions(fim))
    this.#options = options
    // Wrong settings are reported here rather than at the first batch.
    for (const fim of this.#fim) if (fim) new FillInTheMiddle(options.tokenizer, fim)
  }

  /** Shares of the domains, summing to 1. */
  get weights(): Readonly<Record<string, number>> {
    const share = (domain: number) => this.#components.reduce((sum, part) => sum + (part.domain === domain ? part.share : 0), 0)
    return Object.fromEntries(this.domains.map((name, domain) => [name, share(domain)]))
  }

  /** Tokens in one epoch of each stream (`domain/source`): cursors divided by these are epochs. */
  get tokens(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#components.map(({ key, data }) => [key, data.tokens]))
  }

  /** What the batches depend on, as plain data: equal descriptions (and seeds) give equal batches. */
  describe(): object {
    const { documentBoundaries = true, resetPositions = false } = this.#options
    return {
      documentBoundaries,
      resetPositions,
      domains: this.domains.map((name, domain) => ({ name, fim: this.#fim[domain] ?? null })),
      sources: this.#components.map(({ key, data, share }) => ({ key, share, documents: data.documents, tokens: data.tokens })),
    }
  }

  reader(options: ReaderOptions): MixtureReader {
    return new MixtureReader(this.domains, this.#components, this.#fim, this.#options, options)
  }
}

/** The sequences of one stage, numbered from 0. Any of them can be asked for at any time, with the same result. */
export class MixtureReader {
  readonly domains: readonly string[]
  readonly length: number
  readonly #components: readonly Component[]
  readonly #streams: readonly DocumentStream[]
  readonly #fim: readonly (FillInTheMiddle | undefined)[]
  readonly #blend: Blend
  readonly #start: Cursors
  readonly #pack: Parameters<typeof packSequence>[4]

  constructor(
    domains: readonly string[],
    components: readonly Component[],
    fim: readonly (FIMOptions | undefined)[],
    { tokenizer, documentBoundaries = true, resetPositions = false }: MixtureOptions,
    { seed, length, start = {}, vocabSize = tokenizer?.vocabSize ?? Number.POSITIVE_INFINITY }: ReaderOptions,
  ) {
    if (!Number.isSafeInteger(length) || length < 1) throw invalid('bad sequence length', 'a positive integer', String(length))
    for (const [key, position] of Object.entries(start)) {
      if (!Number.isSafeInteger(position) || position < 0)
        throw invalid(`bad cursor of ${key}`, 'tokens, an integer ≥ 0', String(position))
    }
    this.domains = domains
    this.length = length
    this.#components = components
    this.#streams = components.map(({ key, data }) => new DocumentStream(key, data, seed))
    this.#fim = fim.map(options => options && new FillInTheMiddle(tokenizer, options))
    this.#blend = new Blend(components.map(({ share }) => share))
    this.#start = { ...start }
    this.#pack = { length, documentBoundaries, resetPositions, vocabSize }
  }

  /** Sequence `index` of the stage. */
  async sequence(index: number): Promise<Sequence> {
    if (!Number.isSafeInteger(index) || index < 0) throw invalid('bad sequence index', 'an integer ≥ 0', String(index))
    const { stream, count } = this.#blend.at(index)
    const { key, domain } = this.#components[stream]!
    const position = (this.#start[key] ?? 0) + count * this.length
    return packSequence(this.#streams[stream]!, position, domain, this.#fim[domain], this.#pack)
  }

  /** Sequences [first, first + sequences) as a global batch. */
  async batch(options: { step: number; stage: string; first: number; sequences: number }): Promise<GlobalBatch> {
    const { step, stage, first } = options
    const sequences: Sequence[] = []
    while (sequences.length < options.sequences) {
      const ahead = Math.min(readAtOnce, options.sequences - sequences.length)
      const index = first + sequences.length
      sequences.push(...(await Promise.all(Array.from({ length: ahead }, (_, i) => this.sequence(index + i)))))
      // Reading is synchronous work: others get their turn between the portions.
      await setImmediate()
    }
    return new GlobalBatch({ step, stage, domains: this.domains, sequences })
  }

  /** Cursors of all streams, also of those that only earlier stages read, when `sequences` of this stage have been taken. */
  cursors(sequences: number): Cursors {
    const counts = this.#blend.countsAfter(sequences)
    const own = this.#components.map(({ key }, i) => [key, (this.#start[key] ?? 0) + counts[i]! * this.length])
    return { ...this.#start, ...Object.fromEntries(own) }
  }
}

/** Sequences read before others get a turn on the event loop. */
const readAtOnce = 4

function domainOptions(given: TokenDataset | readonly TokenDataset[] | DomainOptions): DomainOptions {
  return 'data' in given ? given : { data: given }
}

function weightedSources(domain: string, data: DomainOptions['data']): WeightedSource[] {
  const list = (Array.isArray(data) ? data : [data]) as readonly (TokenDataset | WeightedSource)[]
  const sources = list.map(source => ('data' in source ? source : { data: source, weight: undefined }))
  const names = sources.map(({ data: { name } }) => name)
  const repeated = names.find((name, i) => names.indexOf(name) !== i)
  if (repeated !== undefined) throw invalid(`two sources of ${domain} have one name`, 'different names', `"${repeated}"`)
  if (sources.length === 0) throw invalid(`no sources of ${domain}`, 'at least one dataset')
  for (const { data } of sources) {
    if (data.tokens === 0) throw invalid(`source "${data.name}" of ${domain} is empty`, 'a dataset with tokens')
  }
  const weights = normalise(
    `sources of ${domain}`,
    sources.map(({ weight }) => weight),
    sources.map(({ data: { tokens } }) => tokens),
  )
  return sources.map(({ data }, i) => ({ data, weight: weights[i]! }))
}

/** Weights scaled to sum 1; sizes stand in when no weights are given. */
function normalise(what: string, weights: readonly (number | undefined)[], sizes: readonly number[]): number[] {
  const missing = weights.filter(weight => weight === undefined).length
  if (missing > 0 && missing < weights.length) throw invalid(`only some ${what} have weights`, 'all or none')
  const given = missing > 0 ? sizes : (weights as readonly number[])
  const wrong = given.find(weight => !(weight > 0 && weight < Number.POSITIVE_INFINITY))
  if (wrong !== undefined) throw invalid(`bad weight among the ${what}`, 'positive numbers', String(wrong))
  const sum = given.reduce((total, weight) => total + weight, 0)
  return given.map(weight => weight / sum)
}

function fimOptions(fim: DomainOptions['fim']): FIMOptions | undefined {
  const options = typeof fim === 'number' ? { probability: fim } : fim
  return options === undefined || options.probability === 0 ? undefined : options
}

function invalid(message: string, expected: string, found?: string): AuroraError {
  return new AuroraError({ code: 'ERR_INVALID_ARGUMENT', message: `mixture: ${message}`, expected, found })
}
