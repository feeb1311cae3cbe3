/**
 * Counter-based random numbers: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11).
 * A number is a function of (seed, purpose, step, index) alone, so results do not depend on the order of access, on
 * workers or on ranks, and a resumed run goes on with the same numbers. Bit-equal to native/core/random.h.
 */
import { AuroraError } from '../errors.ts'

/** Names one random sequence: the key comes from the seed, the stream is [step, purpose]. Each an unsigned 32-bit integer. */
export type RandomWords = readonly [key0: number, key1: number, stream0: number, stream1: number]

/** What random numbers are drawn for. Different purposes never share numbers; the values are part of every run's meaning. */
export const Purpose = {
  /** Initial weights; step = index of the parameter. */
  init: 1,
  dropout: 2,
  /** Order of documents within a domain. */
  order: 3,
  /** Which domain a sample comes from. */
  mixture: 4,
  /** Fill-in-the-middle cuts. */
  fim: 5,
  /** Picking tokens in generation. */
  sample: 6,
  /** Which documents are held out. */
  split: 7,
  /** Resampling in statistics. */
  bootstrap: 8,
  /** Stochastic rounding of parameters; step = the update, index = the element of the model's flat buffer. */
  rounding: 9,
  test: 255,
} as const
export type Purpose = (typeof Purpose)[keyof typeof Purpose]

const TWO_32 = 2 ** 32

/**
 * The random sequence of (seed, purpose, step).
 * @param seed any 64-bit integer: a safe integer or a bigint in [−2⁶³, 2⁶⁴); negative ones are taken modulo 2⁶⁴
 * @param purpose see {@link Purpose}; an unsigned 32-bit integer
 * @param step distinguishes sequences of one purpose (training step, parameter, epoch …); an unsigned 32-bit integer, default 0
 */
export function randomWords(seed: number | bigint, purpose: number, step = 0): RandomWords {
  if (typeof seed === 'number' ? !Number.isSafeInteger(seed) : seed < -(2n ** 63n) || seed >= 2n ** 64n) {
    throw new AuroraError({
      code: 'ERR_INVALID_ARGUMENT',
      message: 'randomWords: bad seed',
      expected: 'a 64-bit integer',
      found: String(seed),
      hint: 'seeds above 2^53 − 1 must be bigints',
    })
  }
  for (const [name, value] of [
    ['purpose', purpose],
    ['step', step],
  ] as const) {
    if (!Number.isInteger(value) || value < 0 || value >= TWO_32) {
      throw new AuroraError({
        code: 'ERR_INVALID_ARGUMENT',
        message: `randomWords: bad ${name}`,
        expected: 'an integer in [0, 2^32)',
        found: String(value),
      })
    }
  }
  const key = BigInt.asUintN(64, BigInt(seed))
  return [Number(key & 0xffffffffn), Number(key >> 32n), step, purpose]
}

/** The four 32-bit words that hold elements 4·block … 4·block + 3 of a sequence; block < 2⁵³. */
export function philox(words: RandomWords, block: number): [number, number, number, number] {
  let [key0, key1] = words
  let c0 = block >>> 0
  let c1 = Math.floor(block / TWO_32) >>> 0
  let c2: number = words[2]
  let c3: number = words[3]
  for (let round = 0; round < 10; round++) {
    const aHigh = multiplyHigh(0xd2511f53, c0)
    const aLow = Math.imul(0xd2511f53, c0)
    const bHigh = multiplyHigh(0xcd9e8d57, c2)
    const bLow = Math.imul(0xcd9e8d57, c2)
    c0 = bHigh ^ c1 ^ key0
    c1 = bLow
    c2 = aHigh ^ c3 ^ key1
    c3 = aLow
    key0 = (key0 + 0x9e3779b9) | 0
    key1 = (key1 + 0xbb67ae85) | 0
  }
  return [c0 >>> 0, c1 >>> 0, c2 >>> 0, c3 >>> 0]
}

/** Upper 32 bits of the 64-bit product of two unsigned 32-bit integers, by 16-bit halves (each partial sum stays below 2⁵³). */
function multiplyHigh(a: number, b: number): number {
  const aHigh = a >>> 16
  const aLow = a & 0xffff
  const bHigh = b >>> 16
  const bLow = b & 0xffff
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16)
  const carry = aLow * bHigh + (middle % 0x10000)
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000)) | 0
}

/** Reads one random sequence from front to back, starting at element `index`. */
export class RandomStream {
  /** The next element to be drawn; with the words it is the whole state. */
  index: number
  #block = -1
  #values: [number, number, number, number] = [0, 0, 0, 0]
  readonly words: RandomWords

  constructor(words: RandomWords, index = 0) {
    this.words = words
    this.index = index
  }

  /** A 32-bit word, unsigned. */
  uint32(): number {
    const block = Math.floor(this.index / 4)
    if (block !== this.#block) {
      this.#values = philox(this.words, block)
      this.#block = block
    }
    return this.#values[(this.index++ % 4) as 0 | 1 | 2 | 3]
  }

  /** Uniform in [0, 1) with 24 bits, as on every device: exactly a float. */
  uniform(): number {
    return (this.uint32() >>> 8) * 2 ** -24
  }

  /** A uniform integer in [0, n), 1 ≤ n ≤ 2⁵³, without bias. Draws one word below 2³², else two, and again with small probability. */
  below(n: number): number {
    if (!Number.isSafeInteger(n - 1) || n < 1) {
      throw new AuroraError({
        code: 'ERR_INVALID_ARGUMENT',
        message: 'RandomStream.below: bad bound',
        expected: 'an integer in [1, 2^53]',
        found: String(n),
      })
    }
    const range = n <= TWO_32 ? TWO_32 : 2 ** 53
    const limit = range - (range % n)
    for (;;) {
      const value = n <= TWO_32 ? this.uint32() : (this.uint32() >>> 11) * TWO_32 + this.uint32()
      if (value < limit) return value % n
    }
  }

  /** Shuffles in place (Fisher–Yates) and returns the array. */
  shuffle<T extends { length: number; [index: number]: unknown }>(array: T): T {
    for (let i = array.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      const value = array[i]
      array[i] = array[j]
      array[j] = value
    }
    return array
  }
}
