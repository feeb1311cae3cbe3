import { noGrad } from '../../autograd/index.ts'
import { AuroraError } from '../../errors.ts'
import { attentionDecode, cacheWrite, gatherRows, multiQueryAttention } from '../../ops/index.ts'
import { keep, scope, type Tensor, tensor, zeros } from '../../tensor/index.ts'
import type { GPTBigCode } from './model.ts'
import { positionError, rowsOf } from './rows.ts'

export interface DecoderOptions {
  /** Sequences B. */
  batch: number
  /** Longest sequence, prompt included; at most (and by default) the model's nPositions. */
  length?: number
}

/**
 * Token by token generation of a batch of sequences with a cache of keys and values: `prefill` the prompts, then `step` with one
 * new token a sequence. Each sequence has its own length. Logits belong to the caller.
 */
export class Decoder {
  /** Capacity of the cache in tokens for each sequence. */
  readonly length: number
  readonly #model: GPTBigCode
  /** Of each layer, [B, length, G·K]. */
  #caches: { keys: Tensor; values: Tensor }[]
  #lengths: number[]

  constructor(model: GPTBigCode, options: DecoderOptions) {
    const { nPositions, nLayer } = model.config
    this.#model = model
    this.length = options.length ?? nPositions
    if (this.length > nPositions) throw positionError(model.config, `a decoder of length ${this.length}`)
    const { keyHeads, width } = model.heads
    const cache = () => keep(zeros([options.batch, this.length, keyHeads * width], { dtype: model.dtype, device: model.device }))
    this.#caches = Array.from({ length: nLayer }, () => ({ keys: cache(), values: cache() }))
    this.#lengths = new Array<number>(options.batch).fill(0)
  }

  /** Sequences B. */
  get batch(): number {
    return this.#lengths.length
  }

  /** Tokens in the cache of each sequence. */
  get lengths(): readonly number[] {
    return this.#lengths
  }

  /**
   * Starts over with these prompts, one for each sequence, of any lengths ≥ 1, computed without padding.
   * @returns logits [B, V] of each sequence's next token
   */
  prefill(prompts: readonly ArrayLike<number>[]): Tensor {
    if (prompts.length !== this.batch || prompts.some(prompt => prompt.length === 0)) {
      throw new AuroraError({
        code: 'ERR_INVALID_ARGUMENT',
        message: 'Decoder.prefill: wrong prompts',
        expected: `${this.batch} prompts of at least one token (an empty text starts with the end-of-text token)`,
        found: `prompts of ${prompts.map(prompt => prompt.length).join(', ')} tokens`,
      })
    }
    for (const [sequence, prompt] of prompts.entries()) this.#expectRoom(sequence, prompt.length)
    const rows = rowsOf(prompts)
    const slots = prompts.flatMap((prompt, b) => Array.from({ length: prompt.length }, (_, t) => b * this.length + t))
    let end = 0
    const last = prompts.map(prompt => {
      end += prompt.length
      return end - 1
    })
    const { heads, attentionScale } = this.#model
    const logits = this.#infer(() => {
      const [firstRow, slotIds] = [this.#ids(rows.firstRow), this.#ids(slots)]
      const h = this.#forward(rows.tokens, rows.positions, (qkv, { keys, values }) => {
        cacheWrite(qkv, slotIds, heads, keys, values)
        return multiQueryAttention(qkv, firstRow, heads, { scale: attentionScale })
      })
      return this.#model.logits(gatherRows(h, this.#ids(last)))
    })
    prompts.forEach((prompt, b) => {
      this.#lengths[b] = prompt.length
    })
    return logits
  }

  /**
   * Appends one token to each sequence; a negative one: the sequence is finished, stays as it is, and its logits mean nothing.
   * @returns logits [B, V] of each sequence's next token
   */
  step(tokens: ArrayLike<number>): Tensor {
    if (tokens.length !== this.batch || this.#lengths.some(length => length === 0)) {
      throw new AuroraError({
        code: 'ERR_INVALID_ARGUMENT',
        message: 'Decoder.step: wrong tokens',
        expected: `${this.batch} tokens, after prefill`,
        found: `${tokens.length} tokens${this.#lengths.includes(0) ? ', before prefill' : ''}`,
      })
    }
    const active = Array.from(tokens, token => token >= 0)
    for (const [b, length] of this.#lengths.entries()) if (active[b]) this.#expectRoom(b, length + 1)
    const ids = Array.from(tokens, token => Math.max(token, 0))
    const positions = this.#lengths.map((length, b) => (active[b] ? length : 0))
    const slots = this.#lengths.map((length, b) => (active[b] ? b * this.length + length : -1))
    const lengths = this.#lengths.map((length, b) => (active[b] ? length + 1 : 0))
    const { heads, attentionScale } = this.#model
    const logits = this.#infer(() => {
      const [slotIds, lengthIds] = [this.#ids(slots), this.#ids(lengths)]
      const h = this.#forward(ids, positions, (qkv, { keys, values }) => {
        cacheWrite(qkv, slotIds, heads, keys, values)
        return attentionDecode(qkv, keys, values, lengthIds, heads, attentionScale)
      })
      return this.#model.logits(h)
    })
    for (const b of this.#lengths.keys()) if (active[b]) this.#lengths[b]! += 1
    return logits
  }

  /** Keeps only these sequences, in this order: what has ended costs nothing any more. */
  retain(sequences: readonly number[]): void {
    const before = this.#caches
    const chosen = (cache: Tensor) => {
      const [batch, ...rest] = cache.shape as [number, number, number]
      const rows = gatherRows(cache.reshape([batch, rest[0] * rest[1]]), this.#ids(sequences))
      return keep(rows.reshape([sequences.length, ...rest]))
    }
    this.#caches = before.map(({ keys, values }) => noGrad(() => scope(() => ({ keys: chosen(keys), values: chosen(values) }))))
    for (const { keys, values } of before) {
      keys.dispose()
      values.dispose()
    }
    this.#lengths = sequences.map(sequence => this.#lengths[sequence]!)
  }

  /** Frees the cache. */
  dispose(): void {
    for (const { keys, values } of this.#caches) {
      keys.dispose()
      values.dispose()
    }
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  #forward(
    tokens: ArrayLike<number>,
    positions: ArrayLike<number>,
    attend: (qkv: Tensor, cache: { keys: Tensor; values: Tensor }) => Tensor,
  ): Tensor {
    const pass = { attend: (layer: number) => (qkv: Tensor) => attend(qkv, this.#caches[layer]!), reads: [] }
    return this.#model.forward(this.#ids(tokens), this.#ids(positions), pass)
  }

  #infer(fn: () => Tensor): Tensor {
    return noGrad(() => scope(fn))
  }

  #ids(values: ArrayLike<number>): Tensor {
    return tensor(Int32Array.from(values), [values.length], { device: this.#model.device })
  }

  #expectRoom(sequence: number, length: number): void {
    if (length <= this.length) return
    if (length > this.#model.config.nPositions)
      throw positionError(this.#model.config, `sequence ${sequence} of ${length} tokens`)
    throw new AuroraError({
      code: 'ERR_SEQUENCE_LENGTH',
      message: 'the sequence is longer than the decoder',
      expected: `at most ${this.length} tokens`,
      found: `${length} in sequence ${sequence}`,
      hint: 'make the Decoder with a larger length',
    })
  }
}
