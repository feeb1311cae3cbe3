import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { memoryDataset } from '../../src/data/index.ts'
import { bitsPerByte, bitsPerByteEvaluator, tokenLosses } from '../../src/eval/index.ts'
import { GPTBigCode } from '../../src/models/index.ts'
import { goldenFolder } from '../support/golden.ts'
import { refuses } from '../support/refuses.ts'
import { referenceLosses } from './reference-model.ts'
import { tinyModel, tinyTokenizer } from './tiny.ts'

const tokenizer = await tinyTokenizer()
const golden = await GPTBigCode.fromPretrained(goldenFolder)
const close = (a: number, b: number, tolerance = 2e-5) => assert.ok(Math.abs(a - b) <= tolerance * Math.abs(b), `${a} ≉ ${b}`)

const texts = [
  'The lazy dog sleeps.',
  'def add(x, y):\n    return x + y\n',
  'Hyvää huomenta! नमस्ते, こんにちは。 And this document is longer than the context of the model: '.repeat(3),
  'x',
]
const documents = (await tokenizer.encodeBatch(texts)).map(ids => [...ids, tokenizer.eos])

test('token losses equal a float64 forward pass, alone and in company', async () => {
  const sequences = documents.map(ids => ids.slice(0, 40))
  const expected = await Promise.all(sequences.map(ids => referenceLosses(golden, ids)))
  for (const rows of [1, 50, 4096]) {
    const losses: Float32Array[] = []
    for await (const each of tokenLosses(golden, sequences, { rows })) losses.push(each)
    assert.equal(
      losses.map(each => each.length),
      sequences.map(ids => ids.length - 1),
    )
    for (const [i, each] of losses.entries()) for (const [t, loss] of each.entries()) close(loss, expected[i]![t]!, 1e-4)
  }
})

test('bits per byte of the golden model equal a direct float64 computation', async () => {
  const length = 16
  let bits = 0
  let eosBits = 0
  let tokens = 0
  const documentBits: number[] = []
  for (const ids of documents) {
    const before = bits
    const whole = [tokenizer.eos, ...ids]
    for (let start = 0; start + 1 < whole.length; start += length) {
      const window = whole.slice(start, start + length + 1)
      for (const [t, loss] of (await referenceLosses(golden, window)).entries()) {
        if (window[t + 1] === tokenizer.eos) eosBits += loss / Math.LN2
        else {
          bits += loss / Math.LN2
          tokens++
        }
      }
    }
    documentBits.push(bits - before)
  }
  const bytes = texts.map(text => Buffer.byteLength(text))
  const total = bytes.reduce((sum, each) => sum + each, 0)
  const progress: number[] = []
  const measured = await bitsPerByte(golden, tokenizer, memoryDataset(documents), {
    length,
    rows: 64,
    onProgress: done => progress.push(done),
  })
  close(measured.bitsPerByte.value, bits / total)
  close(measured.lossPerToken, (bits * Math.LN2) / tokens)
  close(measured.endOfText.bits, eosBits)
  assert.is(measured.endOfText.tokens, texts.length)
  assert.is(measured.tokens, tokens)
  assert.is(measured.bytes, total)
  assert.equal(measured.documentBytes, bytes)
  for (const [i, each] of measured.documentBits.entries()) close(each, documentBits[i]!)
  assert.ok(measured.bitsPerByte.low <= measured.bitsPerByte.value && measured.bitsPerByte.value <= measured.bitsPerByte.high)
  assert.ok(measured.bitsPerByte.standardError > 0)
  assert.is(progress.at(-1), 1)
  assert.ok(progress.every((done, i) => i === 0 || done >= progress[i - 1]!))
})

test('documents do not mix: their order and company change nothing', async () => {
  const forth = await bitsPerByte(golden, tokenizer, memoryDataset(documents))
  const back = await bitsPerByte(golden, tokenizer, memoryDataset([...documents].reverse()), { rows: 32 })
  for (const [i, bits] of forth.documentBits.entries()) close(back.documentBits[texts.length - 1 - i]!, bits)
})

test('limits, empty data and bad arguments', async () => {
  const dataset = memoryDataset(documents)
  assert.is((await bitsPerByte(golden, tokenizer, dataset, { maxTokens: 1 })).documents, 1)
  const two = documents[0]!.length + documents[1]!.length
  assert.is((await bitsPerByte(golden, tokenizer, dataset, { maxTokens: two })).documents, 2)
  assert.is((await bitsPerByte(golden, tokenizer, dataset, { maxTokens: two - 1 })).documents, 1)
  assert.is((await bitsPerByte(golden, tokenizer, memoryDataset([]))).documents, 0)
  for (const length of [0, 65, 1.5]) {
    await refuses(() => bitsPerByte(golden, tokenizer, dataset, { length }), 'ERR_INVALID_ARGUMENT', /length/)
  }
})

test('the evaluator measures all domains, or those named, and obeys the signal', async () => {
  const model = tinyModel(tokenizer)
  const context = {
    model,
    tokenizer,
    heldOut: { en: memoryDataset(documents.slice(0, 1)), code: memoryDataset(documents.slice(1, 2)) },
    point: { stage: 'cap', step: 1, tokens: 2, label: 'cap' },
  }
  const all = await bitsPerByteEvaluator().evaluate(context)
  assert.equal(Object.keys(all.domains as object), ['en', 'code'])
  assert.equal(JSON.parse(JSON.stringify(all)), all)
  const one = await bitsPerByteEvaluator({ domains: ['code'] }).evaluate(context)
  assert.equal(Object.keys(one.domains as object), ['code'])
  await refuses(() => bitsPerByteEvaluator({ domains: ['xx'] }).evaluate(context), 'ERR_INVALID_ARGUMENT', /"xx"/)
  const reason = new Error('enough')
  const aborted = bitsPerByteEvaluator().evaluate({ ...context, signal: AbortSignal.abort(reason) })
  assert.is(await aborted.catch(error => error), reason)
})

test.run()
