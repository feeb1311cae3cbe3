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
  readonly #words: number[][] = []
  readonly #frequencies: number[] = []
  readonly #pairs = new Map<number, Pair>()
  readonly #queue = new PairQueue()

  constructor(counts: ReadonlyMap<string, number>, byteIds: readonly number[]) {
    const encoder = new TextEncoder()
    for (const [text, frequency] of counts) {
      const symbols = Array.from(encoder.encode(text), byte => byteIds[byte]!)
      const word = this.#words.push(symbols) - 1
      this.#frequencies.push(frequency)
      for (let i = 0; i + 1 < symbols.length; i++) this.#add(symbols[i]!, symbols[i + 1]!, word)
    }
    for (const pair of this.#pairs.values()) this.#queue.push(pair)
  }

  mostFrequent(minFrequency: number): [left: number, right: number] | undefined {
    const pair = this.#queue.pop(({ left, right }) => this.#pairs.get(pairKey(left, right))!.count)
    return pair === undefined || pair.count < Math.max(1, minFrequency) ? undefined : [pair.left, pair.right]
  }

  /** Replaces every `left right` by `id`, and corrects the counts of the pairs around it. */
  merge(left: number, right: number, id: number): void {
    const grown = new Set<Pair>()
    for (const word of this.#pairs.get(pairKey(left, right))!.words) {
      const symbols = this.#words[word]!
      let length = 0
      for (let i = 0; i < symbols.length; i++) {
        if (symbols[i] !== left || symbols[i + 1] !== right) {
          symbols[length++] = symbols[i]!
          continue
        }
        this.#remove(left, right, word)
        if (length > 0) {
          this.#remove(symbols[length - 1]!, left, word)
          grown.add(this.#add(symbols[length - 1]!, id, word))
        }
        if (i + 2 < symbols.length) {
          this.#remove(right, symbols[i + 2]!, word)
          // The neighbour may be merged next; then its own turn corrects this pair.
          grown.add(this.#add(id, symbols[i + 2]!, word))
        }
        symbols[length++] = id
        i++
      }
      symbols.length = length
    }
    for (const pair of grown) if (pair.count > 0) this.#queue.push(pair)
  }

  #add(left: number, right: number, word: number): Pair {
    const key = pairKey(left, right)
    let pair = this.#pairs.get(key)
    if (pair === undefined) {
      pair = { left, right, count: 0, words: new Set() }
      this.#pairs.set(key, pair)
    }
    pair.count += this.#frequencies[word]!
    pair.words.add(word)
    return pair
  }

  #remove(left: number, right: number, word: number): void {
    this.#pairs.get(pairKey(left, right))!.count -= this.#frequencies[word]!
  }
}

interface Candidate {
  left: number
  right: number
  count: number
}

/** A binary heap of pairs: highest count first, then smaller ids. A pair may have shrunk since it was pushed; `pop` corrects that. */
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

  /** The pair with the highest `current` count. Pairs only ever shrink below the count they were pushed with. */
  pop(current: (candidate: Candidate) => number): Candidate | undefined {
    for (;;) {
      const first = this.#remove()
      if (first === undefined) return undefined
      const count = current(first)
      if (first.count === count) return first
      if (count > 0 && count < first.count) this.push({ ...first, count })
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
