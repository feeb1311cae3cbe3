/** Text generation on the model's Decoder: batches of prompts of any lengths, or one prompt as a stream of text. */
import { AuroraError } from '../errors.ts'
import { Decoder, type GPTBigCode } from '../models/index.ts'
import { sample } from '../ops/index.ts'
import { Purpose, randomWords } from '../random/index.ts'
import { scope, type Tensor, tensor } from '../tensor/index.ts'
import type { StreamDecoder, Tokenizer } from '../tokenizer/index.ts'
import { StopScanner } from './stop-strings.ts'

export interface GenerateOptions {
  /** Most tokens to generate, default 128. Prompt and new tokens together never exceed the model's nPositions. */
  maxNewTokens?: number
  /** 0 (default): always the most likely token. Else logits are divided by it and a token is drawn. */
  temperature?: number
  /** Draw from the k most likely tokens only; 0 (default): all. */
  topK?: number
  /** Then from the smallest set of them whose probability reaches this; 1 (default): all. */
  topP?: number
  /**
   * Default 0. The random number of a draw is a function of (seed, index of the prompt, place in the text) alone. The batch a
   * prompt is in changes its text only where the probabilities' rounding does: matrix products of few rows may sum in another order.
   */
  seed?: number | bigint
  /** The text ends before the first of these; default none. */
  stop?: readonly string[]
  /** Ends a text; default the tokenizer's eos. null: nothing does. */
  eos?: number | null
  /** Sequences worked on at a time, default 64. */
  batch?: number
  signal?: AbortSignal
  /** Share of prompts done, 0 to 1. */
  onProgress?: (done: number) => void
}

/** eos: the model ended the text. stop: a stop string was met. length: the limit of new tokens or of the context was reached. */
export type FinishReason = 'eos' | 'stop' | 'length'

export interface Generation {
  /** The new text, without the stop string that ended it. */
  text: string
  /** The new tokens as generated: eos and the tokens of the stop string are among them. */
  tokens: number[]
  finish: FinishReason
  /** The stop string met. */
  stop?: string
  /** Σ ln p of the new tokens under the model at temperature 1. */
  logProbability: number
  /** The prompt was longer than the context allows beside maxNewTokens: only its end was used. */
  promptTruncated: boolean
}

/** Continues every prompt; results in the order of the prompts. */
export async function generate(
  model: GPTBigCode,
  tokenizer: Tokenizer,
  prompts: readonly string[],
  options: GenerateOptions = {},
): Promise<Generation[]> {
  const settings = complete(options, tokenizer)
  const texts = (await tokenizer.encodeBatch(prompts)).map(
    (ids, index) => new GrowingText(model, tokenizer, ids, index, settings),
  )
  // Like lengths together: a batch then ends at about the same time, and its cache is as small as can be.
  const order = [...texts].sort((a, b) => a.prompt.length - b.prompt.length)
  let done = 0
  for (let start = 0; start < order.length; start += settings.batch) {
    const batch = order.slice(start, start + settings.batch)
    for await (const grown of grow(model, batch, settings)) {
      const finished = grown.filter(text => text.finish !== undefined).length
      if (finished === 0) continue
      done += finished
      options.onProgress?.(done / texts.length)
    }
  }
  return texts.map(text => text.result())
}

/** Continues one prompt piece by piece: whole characters, never the beginning of a stop string. Returns what generate would. */
export async function* generateStream(
  model: GPTBigCode,
  tokenizer: Tokenizer,
  prompt: string,
  options: Omit<GenerateOptions, 'batch' | 'onProgress'> = {},
): AsyncGenerator<string, Generation> {
  const settings = complete(options, tokenizer)
  const text = new GrowingText(model, tokenizer, await tokenizer.encode(prompt), 0, settings)
  for await (const _ of grow(model, [text], settings)) {
    const piece = text.scanner.take(text.finish !== undefined)
    if (piece !== '') yield piece
  }
  return text.result()
}

type Settings = ReturnType<typeof complete>

function complete(options: GenerateOptions, tokenizer: Tokenizer) {
  const settings = {
    maxNewTokens: options.maxNewTokens ?? 128,
    temperature: options.temperature ?? 0,
    topK: options.topK ?? 0,
    topP: options.topP ?? 1,
    seed: options.seed ?? 0,
    stop: options.stop ?? [],
    eos: options.eos === undefined ? tokenizer.eos : options.eos,
    batch: options.batch ?? 64,
    signal: options.signal,
  }
  const { maxNewTokens, temperature, topK, topP, batch } = settings
  const expect = (holds: boolean, name: string, expected: string, found: number) => {
    if (holds) return
    throw new AuroraError({ code: 'ERR_INVALID_ARGUMENT', message: `generate: bad ${name}`, expected, found: String(found) })
  }
  expect(Number.isInteger(maxNewTokens) && maxNewTokens >= 1, 'maxNewTokens', 'an integer ≥ 1', maxNewTokens)
  expect(Number.isFinite(temperature) && temperature >= 0, 'temperature', 'a number ≥ 0', temperature)
  expect(Number.isInteger(topK) && topK >= 0, 'topK', 'an integer ≥ 0', topK)
  expect(topP > 0 && topP <= 1, 'topP', 'a number above 0, at most 1', topP)
  expect(Number.isInteger(batch) && batch >= 1, 'batch', 'an integer ≥ 1', batch)
  return settings
}

/** One text of a batch while it grows. */
class GrowingText {
  readonly prompt: Int32Array
  readonly promptTruncated: boolean
  /** Names its random numbers. */
  readonly index: number
  readonly tokens: number[] = []
  readonly scanner: StopScanner
  finish: FinishReason | undefined
  logProbability = 0
  readonly #decoder: StreamDecoder
  readonly #eos: number | null
  readonly #limit: number

  constructor(model: GPTBigCode, tokenizer: Tokenizer, ids: Int32Array, index: number, settings: Settings) {
    const { nPositions } = model.config
    const prompt = ids.length === 0 ? Int32Array.of(tokenizer.eos) : ids
    const room = Math.max(1, nPositions - settings.maxNewTokens)
    this.promptTruncated = prompt.length > room
    this.prompt = this.promptTruncated ? prompt.subarray(prompt.length - room) : prompt
    this.index = index
    this.scanner = new StopScanner(settings.stop)
    this.#decoder = tokenizer.streamDecoder()
    this.#eos = settings.eos
    this.#limit = Math.min(settings.maxNewTokens, nPositions - this.prompt.length)
  }

  /** Takes the next token and sees whether the text has ended. */
  push(token: number, logProbability: number): void {
    this.tokens.push(token)
    this.logProbability += logProbability
    if (token === this.#eos) this.#end('eos')
    else if (this.scanner.push(this.#decoder.push(token))) this.finish = 'stop'
    else if (this.tokens.length >= this.#limit) this.#end('length')
  }

  result(): Generation {
    const { tokens, logProbability, promptTruncated, scanner } = this
    const generation = { text: scanner.text, tokens, finish: this.finish!, logProbability, promptTruncated }
    return scanner.stop === undefined ? generation : { ...generation, stop: scanner.stop }
  }

  #end(finish: FinishReason): void {
    this.finish = this.scanner.push(this.#decoder.end()) ? 'stop' : finish
  }
}

/** Generates until every text of the batch has ended; after each step yields those that grew. */
async function* grow(
  model: GPTBigCode,
  batch: readonly GrowingText[],
  settings: Settings,
): AsyncGenerator<readonly GrowingText[]> {
  const longest = Math.max(...batch.map(text => text.prompt.length))
  const decoder = new Decoder(model, {
    batch: batch.length,
    length: Math.min(model.config.nPositions, longest + settings.maxNewTokens),
  })
  let logits: Tensor | undefined
  try {
    logits = decoder.prefill(batch.map(text => text.prompt))
    /** The text in each place of the decoder; undefined: it has ended. */
    let places: (GrowingText | undefined)[] = [...batch]
    for (let step = 0; ; step++) {
      settings.signal?.throwIfAborted()
      const grown = places.filter(text => text !== undefined)
      const { tokens, logProbabilities } = await pick(logits, places, step, settings)
      logits.dispose()
      for (const [place, text] of places.entries()) text?.push(tokens[place]!, logProbabilities[place]!)
      yield grown
      places = places.map(text => (text?.finish === undefined ? text : undefined))
      const active = places.flatMap((text, place) => (text === undefined ? [] : [place]))
      if (active.length === 0) return
      let next = tokens
      if (active.length <= places.length / 2) {
        decoder.retain(active)
        next = Int32Array.from(active, place => tokens[place]!)
        places = active.map(place => places[place])
      }
      logits = decoder.step(next.map((token, place) => (places[place] === undefined ? -1 : token)))
    }
  } finally {
    logits?.dispose()
    decoder.dispose()
  }
}

/** Picks the next token of each place by its text's own random number for this step. */
function pick(
  logits: Tensor,
  places: readonly (GrowingText | undefined)[],
  step: number,
  { temperature, topK, topP, seed }: Settings,
): Promise<{ tokens: Int32Array; logProbabilities: Float32Array }> {
  return scope(async () => {
    const draws = tensor(
      Int32Array.from(places, text => text?.index ?? 0),
      [places.length],
      { device: logits.device },
    )
    const random = randomWords(seed, Purpose.sample, step)
    const picked = sample(logits, { temperature, topK, topP, random, draws, logProbabilities: true })
    const [tokens, logProbabilities] = await Promise.all([picked.tokens.read(), picked.logProbabilities!.read()])
    return { tokens: tokens as Int32Array, logProbabilities: logProbabilities as Float32Array }
  })
}
