/**
 * Trains a byte-level BPE: the most frequent pair of neighbouring symbols becomes a symbol, again and again. The result
 * depends on the texts alone: equal counts go to the pair with the smaller ids.
 */
import { byteCharacters } from './byte-level.ts'

export interface BPETraining {
  /** Number of entries wanted, special tokens and the 256 bytes included. Fewer come out when the texts hold no more pairs. */
  vocabSize: number
  /** Ids 0, 1, 2, … in this order. */
  specialTokens: readonly string[]
  /** Pairs seen less often are not merged. */
  minFrequency: number
}

/** Entries by id, and merges in order of rank, each two entries joined by a space. */
export interface TrainedBPE {
  tokens: string[]
  merges: string[]
}

/** Counts words as StarCoder's pre-tokenizer cuts them: every digit alone, the rest by GPT-2's pattern. */
export class WordCounter {
  readonly counts = new Map<string, number>()

  add(text: string): void {
    for (const piece of text.split(/(\p{N})/u)) {
      for (const [word] of piece.matchAll(/'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu)) {
        this.counts.set(word, (this.counts.get(word) ?? 0) + 1)
      }
    }
  }
}

/** Ids of a pair in one number: vocabularies stay below 2²² entries. */
const pairKey = (left: number, right: number) => left * 2 ** 22 + right

export function trainBPE(
  counts: ReadonlyMap<string, number>,
  { vocabSize, specialTokens, minFrequency }: BPETraining,
): TrainedBPE {
  // The alphabet is numbered in the order of its characters, as in the files of the family.
  const tokens = [...specialTokens, ...[...byteCharacters].sort()]
  const ids = new Map(tokens.map((token, id) => [token, id]))
  const byteIds = byteCharacters.map(character => ids.get(character)!)
  const words = new PairTable(counts, byteIds)
  const merges: string[] = []
  while (tokens.length < vocabSize) {
    const pair = words.mostFrequent(minFrequency)
    if (pair === undefined) break
    const [left, right] = pair
    const token = tokens[left]! + tokens[right]!
    // Two different pairs may spell the same entry.
    let id = ids.get(token)
    if (id === undefined) {
      id = tokens.push(token) - 1
      ids.set(token, id)
    }
    merges.push(`${tokens[left]} ${tokens[right]}`)
    words.merge(left, right, id)
  }
  return { tokens, merges }
}

interface Pair {
  left: number
  right: number
  count: number
  /** Words that hold the pair, or once did. */
  words: Set<number>
}

/** All words as symbol sequences, with the count of every pair kept up to date through the merges. */
class PairTable {
  readonly #symbols: number[][] = []
  readonly #frequencies: number[] = []
  readonly #pairs = new Map<number, Pair>()
  readonly #queue = new PairQueue()

  constructor(counts: ReadonlyMap<string, number>, byteIds: readonly number[]) {
    const encoder = new TextEncoder()
    for (const [word, frequency] of counts) {
      const index = this.#symbols.push(Array.from(encoder.encode(word), byte => byteIds[byte]!)) - 1
      this.#frequencies.push(frequency)
      this.#count(index, 1)
    }
    for (const pair of this.#pairs.values()) this.#queue.push(pair)
  }

  mostFrequent(minFrequency: number): [left: number, right: number] | undefined {
    const pair = this.#queue.pop(({ left, right }) => this.#pairs.get(pairKey(left, right))!.count)
    return pair === undefined || pair.count < Math.max(1, minFrequency) ? undefined : [pair.left, pair.right]
  }

  merge(left: number, right: number, id: number): void {
    const changed = new Set<Pair>()
    for (const index of this.#pairs.get(pairKey(left, right))!.words) {
      this.#count(index, -1, changed)
      const symbols = this.#symbols[index]!
      let length = 0
      for (let i = 0; i < symbols.length; i++) {
        const matches = symbols[i] === left && symbols[i + 1] === right
        symbols[length++] = matches ? id : symbols[i]!
        if (matches) i++
      }
      symbols.length = length
      this.#count(index, 1, changed)
    }
    // Queue entries are never changed in place: a pair that grew gets a new one, one that shrank is corrected when popped.
    for (const pair of changed) if (pair.count > 0) this.#queue.push(pair)
  }

  /** Adds (sign 1) or takes away (sign −1) what one word contributes to the counts. */
  #count(index: number, sign: 1 | -1, changed?: Set<Pair>): void {
    const symbols = this.#symbols[index]!
    for (let i = 0; i + 1 < symbols.length; i++) {
      const key = pairKey(symbols[i]!, symbols[i + 1]!)
      let pair = this.#pairs.get(key)
      if (pair === undefined) {
        pair = { left: symbols[i]!, right: symbols[i + 1]!, count: 0, words: new Set() }
        this.#pairs.set(key, pair)
      }
      pair.count += sign * this.#frequencies[index]!
      if (sign > 0) pair.words.add(index)
      else pair.words.delete(index)
      changed?.add(pair)
    }
  }
}

interface Candidate {
  left: number
  right: number
  count: number
}

/** A binary heap of pairs: highest count first, then smaller ids. Counts in it may be out of date; `pop` corrects them. */
class PairQueue {
  readonly #heap: Candidate[] = []

  push({ left, right, count }: Candidate): void {
    const heap = this.#heap
    heap.push({ left, right, count })
    let child = heap.length - 1
    while (child > 0) {
      const parent = (child - 1) >> 1
      if (!before(heap[child]!, heap[parent]!)) break
      this.#swap(child, parent)
      child = parent
    }
  }

  /** The first candidate whose count is `current`; those out of date are dropped: their present count was pushed as well. */
  pop(current: (candidate: Candidate) => number): Candidate | undefined {
    for (;;) {
      const first = this.#remove()
      if (first === undefined || first.count === current(first)) return first
    }
  }

  #remove(): Candidate | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (last !== undefined && heap.length > 0) {
      heap[0] = last
      let parent = 0
      for (;;) {
        const left = 2 * parent + 1
        let best = parent
        if (left < heap.length && before(heap[left]!, heap[best]!)) best = left
        if (left + 1 < heap.length && before(heap[left + 1]!, heap[best]!)) best = left + 1
        if (best === parent) break
        this.#swap(best, parent)
        parent = best
      }
    }
    return first
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap
    const value = heap[a]!
    heap[a] = heap[b]!
    heap[b] = value
  }
}

function before(a: Candidate, b: Candidate): boolean {
  if (a.count !== b.count) return a.count > b.count
  return a.left !== b.left ? a.left < b.left : a.right < b.right
}
