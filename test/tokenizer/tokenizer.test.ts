import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Tokenizer } from '../../src/tokenizer/index.ts'
import { temporaryFolder } from '../support/folder.ts'
import { random } from '../support/random.ts'
import { refuses } from '../support/refuses.ts'

const folder = temporaryFolder()

const texts = [
  'def add(a, b):\n    return a + b\n\nprint(add(12, 345))\n',
  'Metsässä kasvaa kuusia ja mäntyjä. Mäntyjen alla kasvaa mustikoita.\n',
  'नदी के किनारे एक छोटा गाँव था। गाँव में एक कुआँ था।\n',
  '川のそばに小さな村がありました。村には井戸がありました。\n',
  "It's 10:45, and the ferry hasn't left; we'll wait 15 minutes.  👩‍🚀\t\r\n",
]
const trained = await Tokenizer.train([...texts, ...texts], { vocabSize: 420 })

test('training gives StarCoder-like numbering: special tokens first, then all bytes, then merges', async () => {
  assert.is(trained.vocabSize, 420)
  assert.is(trained.eos, 0)
  assert.equal(trained.fim, { prefix: 1, middle: 2, suffix: 3, pad: 4 })
  assert.equal([...trained.specialTokens.keys()], ['<|endoftext|>', '<fim_prefix>', '<fim_middle>', '<fim_suffix>', '<fim_pad>'])
  const bytes = Array.from({ length: 256 }, (_, i) => Buffer.from(trained.tokenBytes(5 + i)).toString('hex'))
  assert.ok(bytes.every(byte => byte.length === 2))
  assert.is(new Set(bytes).size, 256)
  // The first merge is the most frequent pair; its two bytes were the texts' most frequent neighbours.
  assert.is(trained.tokenBytes(261).length, 2)
})

test('training depends on the texts alone, not on their order', async () => {
  const again = await Tokenizer.train([...texts, ...texts].reverse(), { vocabSize: 420 })
  assert.is(again.toJSON(), trained.toJSON())
  async function* stream() {
    yield* [...texts, ...texts]
  }
  assert.is((await Tokenizer.train(stream(), { vocabSize: 420 })).toJSON(), trained.toJSON())
})

test('training merges what occurs most, and stops when nothing repeats', async () => {
  const tokenizer = await Tokenizer.train(['aaab aaab aaab xy'], { vocabSize: 1000, specialTokens: ['<|endoftext|>'] })
  const entries = Array.from({ length: tokenizer.vocabSize - 257 }, (_, i) =>
    Buffer.from(tokenizer.tokenBytes(257 + i)).toString(),
  )
  // 'aa' occurs six times with overlaps counted, then 'ab' and 'aa'+'ab' three times each, then ' ' before the word twice.
  assert.equal(entries, ['aa', 'ab', 'aaab', ' aaab'])
  assert.is(tokenizer.fim, undefined)
  await refuses(() => Tokenizer.train([], { vocabSize: 260 }), 'ERR_INVALID_ARGUMENT', /261/)
})

test('encoding and decoding are exact: code, scripts, digits, control characters, random text', async () => {
  const samples = [...texts, '', ' ', '\n\n\t ', '\u0000\u0007\u001b', '\ufeffbom', '½ x² ①', 'a'.repeat(5000)]
  for (let i = 0; i < 50; i++) {
    const length = random.below(40)
    samples.push(
      Array.from({ length }, () =>
        String.fromCodePoint(random.below(2) ? random.below(0xd800) : 0xe000 + random.below(0x102000)),
      ).join(''),
    )
  }
  const ids = await trained.encodeBatch(samples)
  for (const [i, sample] of samples.entries()) {
    assert.is(trained.decode(ids[i]!), sample)
    assert.equal(await trained.encode(sample), ids[i])
  }
  const digits = await trained.encode('345', { specialTokens: 'text' })
  assert.is(digits.length, 3, 'digits stand alone')
})

test('ids that cut a character in two keep their bytes', async () => {
  const ids = [...new TextEncoder().encode('é川👩')].map(
    byte => Array.from({ length: 256 }, (_, i) => 5 + i).find(id => trained.tokenBytes(id)[0] === byte)!,
  )
  assert.equal(trained.decodeBytes(ids.slice(1, 4)), Uint8Array.of(0xa9, 0xe5, 0xb7))
  assert.is(trained.decode(ids.slice(0, 1)), '\ufffd')
  const decoder = trained.streamDecoder()
  const parts = ids.map(id => decoder.push(id))
  assert.equal(parts, ['', 'é', '', '', '川', '', '', '', '👩'])
  assert.is(decoder.end(), '')
  decoder.push(ids[0]!)
  assert.is(decoder.end(), '\ufffd')
})

test('text can spell a special token only where that is asked for', async () => {
  const text = 'x<|endoftext|><fim_pad>y'
  const parsed = await trained.encode(text)
  assert.ok(parsed.includes(0) && parsed.includes(4))
  const spelt = await trained.encode(text, { specialTokens: 'text' })
  assert.not.ok(spelt.some(id => trained.isSpecial(id)))
  assert.is(trained.decode(spelt), text)
  assert.is(trained.decode(parsed), text)
  assert.is(trained.decode(parsed, { skipSpecialTokens: true }), 'xy')
  await refuses(() => trained.decode([trained.vocabSize]), 'ERR_TOKEN')
  await refuses(() => trained.decode([-1]), 'ERR_TOKEN')
  await refuses(() => trained.idOf('<nothing>'), 'ERR_TOKENIZER')
})

test('a saved tokenizer is the same when read back', async () => {
  await trained.save(join(folder, 'saved'))
  assert.equal(readdirSync(join(folder, 'saved')).sort(), ['special_tokens_map.json', 'tokenizer.json', 'tokenizer_config.json'])
  const read = await Tokenizer.fromFile(join(folder, 'saved'))
  assert.is(read.toJSON(), trained.toJSON())
  assert.equal(await read.encode(texts[0]!), await trained.encode(texts[0]!))
  assert.is((await Tokenizer.fromFile(join(folder, 'saved', 'tokenizer.json'))).vocabSize, 420)
})

test('hostile tokenizer.json files are refused', async () => {
  type Model = { type: string; vocab: Record<string, unknown>; merges: unknown }
  type Definition = { model: Model; added_tokens: unknown; pre_tokenizer: unknown }
  const changed = (change: (definition: Definition) => void) => {
    const definition = JSON.parse(trained.toJSON()) as Definition
    change(definition)
    return JSON.stringify(definition)
  }
  const withoutEnd = ({ '<|endoftext|>': _, ...vocab }: Model['vocab']) => vocab
  const cases: [text: string, message: RegExp][] = [
    ['', /JSON/],
    ['[]', /object/],
    ['{}', /BPE/],
    [changed(d => Object.assign(d.model, { type: 'Unigram' })), /BPE.*Unigram/],
    [changed(d => Object.assign(d.model, { vocab: null })), /vocabulary/],
    [changed(d => Object.assign(d.model.vocab, { a: -1 })), /id in/],
    [changed(d => Object.assign(d.model.vocab, { a: 1.5 })), /id in/],
    [changed(d => Object.assign(d.model.vocab, { a: 1e9 })), /id in/],
    [changed(d => Object.assign(d.model.vocab, { a: 6, b: 6 })), /two tokens/],
    [changed(d => Object.assign(d.model.vocab, { 日: 500 })), /byte-level/],
    [changed(d => Object.assign(d.model, { merges: ['日 本'] })), /merge 0/],
    [changed(d => Object.assign(d.model, { merges: [5] })), /merge 0/],
    [changed(d => Object.assign(d.model, { merges: ['a b c'] })), /merge 0/],
    [changed(d => Object.assign(d.model, { merges: 5 })), /merges/],
    [changed(d => Object.assign(d.model, { continuing_subword_prefix: 'longer than any token' })), /continuing_subword_prefix/],
    [changed(d => Object.assign(d.model, { ignore_merges: true })), /ignore_merges/],
    [changed(d => delete d.model.vocab.Ā), /every byte.*byte 0/],
    [changed(d => Object.assign(d, { normalizer: { type: 'NFC' } })), /normalizer/],
    [changed(d => Object.assign(d, { added_tokens: [5] })), /added token/],
    [changed(d => Object.assign(d, { added_tokens: [{ content: 'x' }] })), /id in/],
    [changed(d => Object.assign(d, { added_tokens: [{ content: '', id: 420 }] })), /ill-formed token/],
    [changed(d => Object.assign(d, { added_tokens: [{ content: 'a', id: 420 }] })), /two ids/],
    [changed(d => Object.assign(d, { pre_tokenizer: { type: 'Whitespace' } })), /pre_tokenizer/],
    [changed(d => Object.assign(d, { pre_tokenizer: { type: 'ByteLevel' } })), /add_prefix_space/],
    [
      changed(d => Object.assign(d, { pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Digits' }] } })),
      /pre_tokenizer/,
    ],
    [changed(d => Object.assign(d, { added_tokens: [], model: { ...d.model, vocab: withoutEnd(d.model.vocab) } })), /endoftext/],
  ]
  for (const [text, message] of cases) {
    const path = join(folder, 'hostile.json')
    writeFileSync(path, text)
    await refuses(() => Tokenizer.fromFile(path), 'ERR_TOKENIZER', message)
  }
  await refuses(() => Tokenizer.fromFile(join(folder, 'absent.json')), 'ERR_FILE_NOT_FOUND')
})

test('randomness and limits written in a tokenizer.json do not act', async () => {
  const definition = JSON.parse(trained.toJSON())
  definition.model.dropout = 0.9
  definition.truncation = { direction: 'Right', max_length: 3, strategy: 'LongestFirst', stride: 0 }
  const tokenizer = Tokenizer.fromJSON(JSON.stringify(definition))
  assert.equal(await tokenizer.encode(texts[0]!), await trained.encode(texts[0]!))
})

const realData = process.env.AURORA_TEST_DATA
if (realData !== undefined) {
  test('the StarCoder tokenizer agrees with every reference vector', async () => {
    const tokenizer = await Tokenizer.fromFile(join(realData, 'tokenizer/starcoder1'))
    const vectors = (extension: string) => readFileSync(join(realData, `tokenizer/vectors/starcoder1.${extension}`), 'utf8')
    const inputs = vectors('inp').split('\n__ggml_vocab_test__\n')
    const outputs = vectors('out').split('\n')
    assert.is(inputs.length, 47)
    for (const [i, input] of inputs.entries()) {
      const ids = await tokenizer.encode(input)
      assert.is(ids.join(' '), outputs[i]!.trim(), JSON.stringify(input))
      assert.is(tokenizer.decode(ids), input)
    }
  })
}

test.run()
