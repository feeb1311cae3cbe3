import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { FillInTheMiddle } from '../../src/data/fim.ts'
import { memoryDataset, mixture } from '../../src/data/index.ts'
import { Purpose, RandomStream, randomWords } from '../../src/random/index.ts'
import { Tokenizer } from '../../src/tokenizer/index.ts'
import { random, seed } from '../support/random.ts'
import { refuses } from '../support/refuses.ts'

const texts = Array.from(
  { length: 40 },
  (_, i) => `def f${i}(x):\n    # päivä 日本語 नदी ${'é👩'.repeat(i % 5)}\n    return x * ${i}\n`,
)
const tokenizer = await Tokenizer.train(texts, { vocabSize: 340 })
const { eos, fim } = tokenizer
const { prefix, middle, suffix, pad } = fim!
const documents = (await tokenizer.encodeBatch(texts)).map(ids => Int32Array.of(...ids, eos))
const stream = (index: number) => new RandomStream(randomWords(seed, Purpose.fim, index))

/** The form of ids and the bytes of the document that they were made of. */
function restore(ids: Int32Array): { form: 'plain' | 'psm' | 'spm'; bytes: Uint8Array } {
  const find = (id: number) => ids.indexOf(id)
  const bytes = (...parts: Int32Array[]) => Buffer.concat(parts.map(part => tokenizer.decodeBytes(part)))
  if (ids[0] !== prefix) return { form: 'plain', bytes: bytes(ids) }
  const rest = ids.slice(find(middle) + 1)
  const s = ids.slice(find(suffix) + 1, find(middle))
  if (ids[1] === suffix) {
    // Prefix and middle follow each other.
    const body = rest.at(-1) === eos ? rest.slice(0, -1) : rest
    return { form: 'spm', bytes: bytes(body, s, rest.slice(body.length)) }
  }
  const body = rest.at(-1) === eos ? rest.slice(0, -1) : rest
  return { form: 'psm', bytes: bytes(ids.slice(1, find(suffix)), body, s, rest.slice(body.length)) }
}

test('cut documents hold all of their text, and forms have their shares', async () => {
  const fillIn = new FillInTheMiddle(tokenizer, { probability: 0.8, spm: 0.25 })
  const forms = { plain: 0, psm: 0, spm: 0 }
  for (let i = 0; i < 800; i++) {
    const ids = documents[i % documents.length]!
    const cut = await fillIn.apply(ids, stream(i))
    const { form, bytes } = restore(cut)
    forms[form]++
    assert.equal(Buffer.from(bytes).toString(), tokenizer.decode(ids))
    assert.is(cut.at(-1), eos, 'the end of the document stays at the end')
    for (const special of form === 'plain' ? [] : [prefix, middle, suffix]) assert.is(cut.filter(id => id === special).length, 1)
  }
  // Five standard deviations.
  assert.ok(Math.abs(forms.plain - 160) < 57, JSON.stringify(forms))
  assert.ok(Math.abs(forms.spm - 160) < 57, JSON.stringify(forms))
})

test('a piece that begins and ends inside a character loses no byte', async () => {
  const fillIn = new FillInTheMiddle(tokenizer, { probability: 1 })
  const bytes = await Tokenizer.train([], { vocabSize: 261 })
  const bytewise = new FillInTheMiddle(bytes, { probability: 1 })
  const ids = await bytes.encode('日本語 👩 नदी é')
  for (let i = 0; i < 300; i++) {
    const start = random.below(ids.length)
    const end = start + random.below(ids.length - start + 1)
    const piece = ids.slice(start, end)
    const cut = await bytewise.apply(piece, stream(i))
    assert.equal(Buffer.from(restore(cut).bytes), Buffer.from(bytes.decodeBytes(piece)))
  }
  const broken = documents[0]!.filter((_, i) => i !== 12)
  assert.equal(Buffer.from(restore(await fillIn.apply(broken, stream(1))).bytes), Buffer.from(tokenizer.decodeBytes(broken)))
  assert.equal(await fillIn.apply(Int32Array.of(eos), stream(2)), Int32Array.of(eos))
  assert.equal(await fillIn.apply(new Int32Array(0), stream(3)), new Int32Array(0))
})

test('markup tokens stay tokens, and text that spells one stays text', async () => {
  const fillIn = new FillInTheMiddle(tokenizer, { probability: 1 })
  for (const specialTokens of ['parse', 'text'] as const) {
    const ids = await tokenizer.encode('a<|endoftext|>b', { specialTokens })
    for (let i = 0; i < 30; i++) {
      const cut = await fillIn.apply(ids, stream(i))
      // A cut may fall into the spelling of the token; then it is text on both sides.
      const ends = cut.filter(id => id === eos).length
      if (specialTokens === 'text') assert.is(ends, 0)
      else assert.ok(ends <= 1)
    }
  }
})

test('cuts in a mixture do not depend on the order of access, and differ between epochs', async () => {
  const data = memoryDataset(documents)
  const make = () => mixture({ code: { data, fim: 0.9 } }, { tokenizer }).reader({ seed: 8, length: 64 })
  const list = await Promise.all(Array.from({ length: 60 }, (_, i) => make().sequence(i)))
  const reader = make()
  for (let i = 0; i < 60; i++) {
    const index = random.below(60)
    assert.equal(await reader.sequence(index), list[index])
  }
  const single = mixture({ code: { data: memoryDataset([documents[7]!]), fim: 1 } }, { tokenizer })
  const length = documents[7]!.length
  const epochs = await Promise.all([0, 1, 2, 3].map(i => single.reader({ seed: 8, length }).sequence(i)))
  assert.ok(new Set(epochs.map(({ tokens }) => tokens.join())).size > 1)
})

test('what is padded is not learnt', async () => {
  const data = memoryDataset(documents)
  let padded = 0
  // A tokenizer of bytes alone makes the pieces longer; documents in longer tokens make them shorter. Both must come out right.
  for (let seed = 0; seed < 30; seed++) {
    const reader = mixture({ code: { data, fim: 1 } }, { tokenizer }).reader({ seed, length: 50 })
    const { tokens, targets, firstRow } = await reader.sequence(seed)
    for (let row = 0; row < 50; row++) {
      if (tokens[row] === pad) {
        padded++
        assert.is(targets[row], -1)
        assert.is(tokens[firstRow[row]!], pad, 'padding is a document of its own')
      } else if (row + 1 < 50) {
        assert.is(targets[row], tokens[row + 1] === pad ? -1 : tokens[row + 1])
      }
    }
  }
  // Merging again what the corpus holds in single bytes shortens the pieces, so that padding does occur.
  const bytewise = memoryDataset(texts.map(text => Int32Array.from(Buffer.from(text), byte => byteId(byte))))
  const { tokens, targets } = await mixture({ code: { data: bytewise, fim: 1 } }, { tokenizer })
    .reader({ seed: 1, length: 200 })
    .sequence(0)
  padded += tokens.filter(id => id === pad).length
  assert.ok(tokens.every((id, row) => id !== pad || targets[row] === -1))
  assert.ok(padded > 0)
})

function byteId(byte: number): number {
  for (let id = 5; id < 261; id++) if (tokenizer.tokenBytes(id)[0] === byte) return id
  throw new Error('no such byte')
}

test('wrong probabilities and tokenizers without the tokens are refused', async () => {
  await refuses(() => new FillInTheMiddle(tokenizer, { probability: 1.5 }), 'ERR_INVALID_ARGUMENT', /range/)
  const plain = await Tokenizer.train([], { vocabSize: 257, specialTokens: ['<|endoftext|>'] })
  await refuses(() => new FillInTheMiddle(plain, { probability: 0.5 }), 'ERR_INVALID_ARGUMENT', /fim_prefix/)
})

test.run()
