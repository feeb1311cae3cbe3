import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { IndexedDataset, type PrepareProgress, prepareCorpus } from '../../src/data/index.ts'
import { AuroraError } from '../../src/errors.ts'
import { Tokenizer } from '../../src/tokenizer/index.ts'
import { temporaryFolder } from '../support/folder.ts'
import { random } from '../support/random.ts'
import { refuses } from '../support/refuses.ts'

const folder = temporaryFolder()
const words = ['metsä', 'forest', '森', 'जंगल', 'rừng', '<|endoftext|>', '123', '\n', 'return x']
const documents = Array.from({ length: 400 }, () =>
  Array.from({ length: 1 + random.below(600) }, () => words[random.below(words.length)]).join(' '),
)
const tokenizer = await Tokenizer.train(documents.slice(0, 20), { vocabSize: 300 })
const source = join(folder, 'texts.jsonl')
writeFileSync(source, documents.map(text => `${JSON.stringify({ text })}\n`).join(''))

test('every document comes out in its place with its end, whatever the number of workers', async () => {
  const expected = await tokenizer.encodeBatch(documents, { specialTokens: 'text' })
  for (const workers of [1, 3]) {
    const out = join(folder, `corpus-${workers}`)
    const seen: PrepareProgress[] = []
    const result = await prepareCorpus({ sources: source, tokenizer, out, workers, onProgress: progress => seen.push(progress) })
    const dataset = await IndexedDataset.open(out)
    assert.is(dataset.documents, documents.length)
    for (const [d, ids] of expected.entries())
      assert.equal(Int32Array.from(dataset.read(d)), Int32Array.of(...ids, tokenizer.eos))
    const bytes = documents.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
    assert.equal(result, { documents: documents.length, tokens: dataset.tokens, bytes, dropped: 0, problems: 0 })
    assert.equal(seen.at(-1), result)
    assert.ok(seen.length > 1 && seen.every(({ documents }, i) => i === 0 || documents > seen[i - 1]!.documents))
  }
  for (const kind of ['bin', 'idx']) {
    assert.ok(readFileSync(join(folder, `corpus-1.${kind}`)).equals(readFileSync(join(folder, `corpus-3.${kind}`))), kind)
  }
})

test('special tokens are parsed only where asked for', async () => {
  const few = join(folder, 'few.jsonl')
  writeFileSync(
    few,
    documents
      .slice(0, 20)
      .map(text => `${JSON.stringify({ text })}\n`)
      .join(''),
  )
  const ends = async (specialTokens?: 'parse') => {
    const out = join(folder, 'special')
    await prepareCorpus({ sources: few, tokenizer, out, workers: 1, specialTokens })
    const dataset = await IndexedDataset.open(out)
    let count = 0
    for (let d = 0; d < dataset.documents; d++) count += dataset.read(d).filter(id => id === tokenizer.eos).length
    return count
  }
  assert.is(await ends(), 20)
  assert.is(await ends('parse'), 20 + documents.slice(0, 20).join('').split('<|endoftext|>').length - 1)
})

test('what is left out is counted', async () => {
  const path = join(folder, 'some.jsonl')
  writeFileSync(path, '{"text":"good words"}\n{"text":"12345"}\noops\n{"text":"more words"}\n')
  const problems: AuroraError[] = []
  const out = join(folder, 'some')
  const result = await prepareCorpus({
    sources: path,
    tokenizer,
    out,
    workers: 1,
    maxSymbolShare: 0.5,
    onProblem: problem => problems.push(problem),
  })
  assert.equal([result.documents, result.dropped, result.problems], [2, 1, 1])
  assert.match(problems[0]!.message, 'some.jsonl:3')
})

test('failure and abort leave nothing behind', async () => {
  const place = join(folder, 'place')
  mkdirSync(place)
  const out = join(place, 'x')
  async function* failing() {
    for (const text of documents) yield { text, origin: 'here' }
    throw new AuroraError({ code: 'ERR_DATA', message: 'the source broke' })
  }
  await refuses(() => prepareCorpus({ sources: failing(), tokenizer, out, workers: 2 }), 'ERR_DATA', /broke/)
  const controller = new AbortController()
  const work = prepareCorpus({
    sources: source,
    tokenizer,
    out,
    workers: 2,
    signal: controller.signal,
    onProgress: () => controller.abort(),
  })
  const reason = await work.then(
    () => undefined,
    error => error,
  )
  assert.is(reason?.name, 'AbortError')
  await refuses(() => prepareCorpus({ sources: source, tokenizer, out, workers: 0 }), 'ERR_INVALID_ARGUMENT', /workers/)
  assert.equal(readdirSync(place), [])
  assert.not.ok(existsSync(`${out}.bin`))
})

test.run()
