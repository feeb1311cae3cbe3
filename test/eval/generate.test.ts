import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Generation, generate, generateStream, scoreContinuations } from '../../src/eval/index.ts'
import { device } from '../../src/tensor/index.ts'
import { refuses } from '../support/refuses.ts'
import { referenceLosses } from './reference-model.ts'
import { tinyModel, tinyTokenizer } from './tiny.ts'

const tokenizer = await tinyTokenizer()
const model = tinyModel(tokenizer)
const prompts = ['def add(x', 'The quick brown fox', '', 'Hyvää huomenta, mitä kuuluu?', 'こんにちは', 'x']
const close = (a: number, b: number, tolerance: number) =>
  assert.ok(Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(b)), `${a} ≉ ${b}`)
const textsOf = (generations: Generation[]) => generations.map(({ tokens }) => tokens)

async function drain(stream: AsyncGenerator<string, Generation>) {
  const pieces: string[] = []
  for (;;) {
    const { value, done } = await stream.next()
    if (done) return { pieces, result: value as Generation }
    pieces.push(value as string)
  }
}

test('greedy tokens are the most likely ones, with their log-probabilities, by a float64 model', async () => {
  const generations = await generate(model, tokenizer, prompts, { maxNewTokens: 6, eos: null })
  for (const [i, prompt] of prompts.entries()) {
    const start = prompt === '' ? [tokenizer.eos] : Array.from(await tokenizer.encode(prompt))
    const { tokens, logProbability } = generations[i]!
    assert.is(tokens.length, 6)
    const losses = (await referenceLosses(model, [...start, ...tokens])).slice(start.length - 1)
    close(logProbability, -losses.reduce((sum, loss) => sum + loss, 0), 1e-4)
    // No other token is cheaper than the first one chosen.
    for (let token = 0; token < tokenizer.vocabSize; token += 37) {
      const other = (await referenceLosses(model, [...start, token])).at(-1)!
      assert.ok(losses[0]! <= other + 1e-4)
    }
  }
})

test('results do not depend on the batch a prompt is in, and are repeatable', async () => {
  for (const options of [{}, { temperature: 0.9 }, { temperature: 1.3, topK: 20 }, { temperature: 1, topP: 0.7, seed: 5 }]) {
    const settings = { maxNewTokens: 12, ...options }
    const together = textsOf(await generate(model, tokenizer, prompts, settings))
    assert.equal(textsOf(await generate(model, tokenizer, prompts, settings)), together)
    for (const batch of [1, 2, 4])
      assert.equal(textsOf(await generate(model, tokenizer, prompts, { ...settings, batch })), together)
  }
})

test("sampling draws what the seed and the prompt's index say", async () => {
  const same = Array<string>(8).fill('def add(x')
  const settings = { maxNewTokens: 8, temperature: 1 }
  const drawn = textsOf(await generate(model, tokenizer, same, settings))
  assert.ok(new Set(drawn.map(String)).size > 4, 'samples of one prompt differ')
  assert.not.equal(textsOf(await generate(model, tokenizer, same, { ...settings, seed: 1 })), drawn)
  const greedy = textsOf(await generate(model, tokenizer, ['def add(x'], { maxNewTokens: 8 }))
  assert.equal(textsOf(await generate(model, tokenizer, ['def add(x'], { ...settings, topK: 1 })), greedy)
  assert.equal(textsOf(await generate(model, tokenizer, ['def add(x'], { ...settings, topP: 1e-6 })), greedy)
})

test('stop strings and eos end a text; sequences that have ended do not disturb the others', async () => {
  const free = await generate(model, tokenizer, prompts, { maxNewTokens: 20, eos: null })
  const victim = free.findIndex(({ text }) => [...text].length > 6)
  const stop = free[victim]!.text.slice(3, 6)
  const stopped = await generate(model, tokenizer, prompts, { maxNewTokens: 20, eos: null, stop: [stop, 'never in it'] })
  assert.is(stopped[victim]!.finish, 'stop')
  assert.is(stopped[victim]!.stop, stop)
  for (const [i, { text, finish, tokens }] of stopped.entries()) {
    const at = free[i]!.text.indexOf(stop)
    assert.is(text, at < 0 ? free[i]!.text : free[i]!.text.slice(0, at))
    assert.is(finish, at < 0 ? 'length' : 'stop')
    assert.equal(tokens, free[i]!.tokens.slice(0, tokens.length))
  }
  // When most have ended, the decoder keeps the rest only.
  const ids = [0, 2, 3, 5]
  const most = await generate(model, tokenizer, prompts, {
    maxNewTokens: 20,
    eos: null,
    stop: ids.map(i => free[i]!.text.slice(4, 8)),
  })
  assert.ok(most.filter(({ finish }) => finish === 'stop').length >= ids.length)
  for (const [i, { tokens }] of most.entries()) assert.equal(tokens, free[i]!.tokens.slice(0, tokens.length))
  // Any token may serve as the end of a text: take one that the model says.
  const eos = free[victim]!.tokens[4]!
  const ended = await generate(model, tokenizer, prompts, { maxNewTokens: 20, eos })
  const first = free[victim]!.tokens.indexOf(eos)
  assert.is(ended[victim]!.finish, 'eos')
  assert.equal(ended[victim]!.tokens, free[victim]!.tokens.slice(0, first + 1))
  assert.is(ended[victim]!.text, tokenizer.decode(free[victim]!.tokens.slice(0, first)))
})

test('long prompts lose their start, and say so; the context is never exceeded', async () => {
  const long = 'The quick brown fox jumps over the lazy dog. '.repeat(12)
  const [cut, whole] = await generate(model, tokenizer, [long, 'The'], { maxNewTokens: 10, eos: null })
  assert.is(cut!.promptTruncated, true)
  assert.is(whole!.promptTruncated, false)
  assert.is(cut!.tokens.length, 10)
  const ids = await tokenizer.encode(long)
  const losses = await referenceLosses(model, [...ids.slice(-38), ...cut!.tokens])
  close(cut!.logProbability, -losses.slice(37).reduce((sum, loss) => sum + loss, 0), 1e-4)
  const [endless] = await generate(model, tokenizer, [long], { maxNewTokens: 1000, eos: null })
  assert.is(endless!.tokens.length, 47)
  assert.is(endless!.finish, 'length')
})

test('a stream gives whole characters, the same text as a batch, and stops where it is told', async () => {
  const options = { maxNewTokens: 30, temperature: 1.2, eos: null }
  const [batch] = await generate(model, tokenizer, ['नमस्ते'], options)
  const { pieces, result } = await drain(generateStream(model, tokenizer, 'नमस्ते', options))
  assert.equal(result, batch)
  assert.is(pieces.join(''), batch!.text)
  assert.ok(pieces.length > 5)
  const stop = batch!.text.slice(8, 11)
  const cut = await drain(generateStream(model, tokenizer, 'नमस्ते', { ...options, stop: [stop] }))
  assert.is(cut.pieces.join(''), batch!.text.slice(0, batch!.text.indexOf(stop)))
  assert.is(cut.result.finish, 'stop')
})

test('aborting, leaving a stream early and running to the end all free the caches', async () => {
  await device('cpu').synchronize()
  const before = device('cpu').memory().allocated
  const abort = new AbortController()
  const reason = new Error('enough')
  const stream = generateStream(model, tokenizer, 'The', { maxNewTokens: 40, eos: null, signal: abort.signal })
  await stream.next()
  abort.abort(reason)
  assert.is(await drain(stream).catch(error => error), reason)
  for await (const _ of generateStream(model, tokenizer, 'The', { eos: null, maxNewTokens: 40 })) break
  await generate(model, tokenizer, prompts, { maxNewTokens: 5, temperature: 1 })
  const progress: number[] = []
  await generate(model, tokenizer, prompts, { maxNewTokens: 5, batch: 4, onProgress: done => progress.push(done) })
  assert.is(progress.at(-1), 1)
  await device('cpu').synchronize()
  assert.is(device('cpu').memory().allocated, before)
})

test('scores of continuations equal a float64 model', async () => {
  const items = [
    { prompt: 'The quick brown', continuation: ' fox jumps' },
    { prompt: 'The quick brown ', continuation: 'fox jumps' },
    { prompt: '', continuation: 'The' },
    { prompt: 'The quick brown fox jumps over the lazy dog. '.repeat(8), continuation: 'And so on.' },
  ]
  const scores = await scoreContinuations(model, tokenizer, items)
  for (const [i, { prompt, continuation }] of items.entries()) {
    const whole = Array.from(await tokenizer.encode(prompt + continuation))
    const ids = (prompt === '' ? [tokenizer.eos, ...whole] : whole).slice(-49)
    const losses = await referenceLosses(model, ids)
    close(scores[i]!.logProbability, -losses.slice(-scores[i]!.tokens).reduce((sum, loss) => sum + loss, 0), 1e-4)
    const scored = tokenizer.decode(whole.slice(-scores[i]!.tokens))
    assert.is(scored.trim(), continuation.trim())
    assert.is(scores[i]!.bytes, Buffer.byteLength(scored))
  }
  assert.is(scores[0]!.logProbability, scores[1]!.logProbability)
  assert.equal(
    scores.map(({ promptTruncated }) => promptTruncated),
    [false, false, false, true],
  )
  await refuses(() => scoreContinuations(model, tokenizer, [{ prompt: 'x', continuation: '' }]), 'ERR_INVALID_ARGUMENT')
})

test('bad options are named', async () => {
  for (const options of [
    { maxNewTokens: 0 },
    { temperature: -1 },
    { temperature: Number.NaN },
    { topK: 1.5 },
    { topP: 0 },
    { topP: 2 },
    { batch: 0 },
  ]) {
    await refuses(() => generate(model, tokenizer, ['x'], options), 'ERR_INVALID_ARGUMENT', new RegExp(Object.keys(options)[0]!))
  }
  assert.equal(await generate(model, tokenizer, []), [])
})

test.run()
