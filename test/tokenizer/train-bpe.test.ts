import { byteLevelPreTokenizer, digitsPreTokenizer, sequencePreTokenizer } from 'tokenizers'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { byteCharacters } from '../../src/tokenizer/byte-level.ts'
import { trainBPE, WordCounter } from '../../src/tokenizer/train-bpe.ts'
import { random } from '../support/random.ts'

/** The definition of BPE training, as slow as it is short: count all pairs anew for every merge. */
function naiveMerges(counts: ReadonlyMap<string, number>, merges: number): string[] {
  const order = new Map([...byteCharacters].sort().map((character, id) => [character, id]))
  const words = [...counts].map(([word, count]) => ({
    count,
    symbols: Array.from(Buffer.from(word), byte => byteCharacters[byte]!),
  }))
  const done: string[] = []
  while (done.length < merges) {
    const pairs = new Map<string, number>()
    for (const { symbols, count } of words) {
      for (let i = 0; i + 1 < symbols.length; i++) {
        const pair = `${symbols[i]} ${symbols[i + 1]}`
        pairs.set(pair, (pairs.get(pair) ?? 0) + count)
      }
    }
    const ids = (pair: string) => pair.split(' ').map(part => order.get(part)!) as [number, number]
    const [best] = [...pairs].sort(([a, x], [b, y]) => y - x || ids(a)[0] - ids(b)[0] || ids(a)[1] - ids(b)[1])
    if (best === undefined || best[1] < 2) break
    done.push(best[0])
    const [left, right] = best[0].split(' ') as [string, string]
    if (!order.has(left + right)) order.set(left + right, order.size)
    for (const { symbols } of words) {
      for (let i = 0; i + 1 < symbols.length; i++)
        if (symbols[i] === left && symbols[i + 1] === right) symbols.splice(i, 2, left + right)
    }
  }
  return done
}

test('merges are those of the plain definition, on random words', () => {
  for (let round = 0; round < 20; round++) {
    const alphabet = ['a', 'b', 'c', ' ', 'é', '日'].slice(0, 1 + random.below(6))
    const counts = new Map<string, number>()
    for (let i = 0; i < 30; i++) {
      const word = Array.from({ length: 1 + random.below(12) }, () => alphabet[random.below(alphabet.length)]).join('')
      counts.set(word, 1 + random.below(5))
    }
    const { merges, tokens } = trainBPE(counts, { vocabSize: 256 + 40, specialTokens: [], minFrequency: 2 })
    assert.equal(merges, naiveMerges(counts, merges.length))
    assert.ok(
      tokens.length === 296 || naiveMerges(counts, merges.length + 1).length === merges.length,
      'it stops only when full or done',
    )
    assert.is(new Set(tokens).size, tokens.length)
  }
})

test('words are cut as the library cuts them', () => {
  const library = sequencePreTokenizer([digitsPreTokenizer(true), byteLevelPreTokenizer(false)])
  const samples = [
    "  if x12 == 34:\n\t\treturn 'it''s' it's WE'LL  \n\n end ",
    '½ and ② x²',
    '川のそば 10時　です',
    'नदी के किनारे',
    '\u00a0\u2003a\u0301',
  ]
  for (let i = 0; i < 200; i++) {
    samples.push(Array.from({ length: random.below(20) }, () => " \n\t'sta1½é日नद्ी.=(\u3000"[random.below(21)] ?? '').join(''))
  }
  for (const sample of samples) {
    const counter = new WordCounter()
    counter.add(sample)
    const expected = new Map<string, number>()
    for (const [word] of library.preTokenizeString(sample)) expected.set(word, (expected.get(word) ?? 0) + 1)
    const found = new Map(
      [...counter.counts].map(([word, n]) => [Array.from(Buffer.from(word), byte => byteCharacters[byte]).join(''), n]),
    )
    assert.equal(found, expected, JSON.stringify(sample))
  }
})

test.run()
