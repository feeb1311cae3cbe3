import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { AuroraError } from '../../src/errors.ts'
import { GPTBigCode } from '../../src/models/index.ts'
import { Tokenizer } from '../../src/tokenizer/index.ts'
import { type Evaluator, type Recipe, type RunOptions, type RunProgress, readRun, runRecipe } from '../../src/train/index.ts'
import { openCorpora } from '../../src/train/recipe/corpora.ts'
import { checkRecipe } from '../../src/train/recipe/load.ts'
import { weightsOf } from './tiny.ts'

let folder = ''
let tokenizer: Tokenizer
test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aurora-run-'))
  await mkdir(join(folder, 'text'))
  for (let i = 0; i < 12; i++) {
    await writeFile(
      join(folder, 'text', `en-${i}.txt`),
      `The ${i} boats came home before the ${'storm '.repeat(i + 2)}reached the quay.\n`.repeat(4),
    )
    await writeFile(
      join(folder, 'text', `fi-${i}.txt`),
      `Veneet tulivat kotiin ${i} tuntia ennen ${'myrskyä '.repeat(i + 2)}.\n`.repeat(4),
    )
  }
  await writeFile(join(folder, 'text', 'en-table.txt'), '1 2 3 | 4 5 6 | 7 8 9 | 10 11 12\n'.repeat(8))
  const rows = Array.from({ length: 9 }, (_, i) =>
    JSON.stringify({ instruction: `Add ${i} and 1.`, response: `${i + 1}`, lang: 'en' }),
  )
  await writeFile(join(folder, 'instructions.jsonl'), `${rows.join('\n')}\n`)
  tokenizer = await Tokenizer.train(['the boats came home', 'veneet tulivat kotiin'], { vocabSize: 300 })
  await tokenizer.save(folder)
})
test.after(() => rm(folder, { recursive: true }))

const heldOutTokens: Evaluator = {
  name: 'bits-per-byte',
  evaluate: async ({ heldOut }) => Object.fromEntries(Object.entries(heldOut).map(([name, { tokens }]) => [name, tokens])),
}

function recipe(output: string, more: Partial<Recipe> = {}): Recipe {
  return {
    output: join(folder, output),
    seed: 2,
    model: { create: { nLayer: 1, nEmbd: 16, nHead: 2, nPositions: 24 } },
    tokenizer: { file: join(folder, 'tokenizer.json') },
    data: {
      en: { files: join(folder, 'text/en-*.txt'), heldOut: 0.25 },
      fi: { files: [join(folder, 'text/fi-*.txt')], heldOut: 0.1 },
      curated: { of: ['en', 'fi'], filter: { maxSymbols: 0.2 } },
      instructions: { files: join(folder, 'instructions.jsonl') },
    },
    batch: { sequences: 3, length: 24 },
    schedule: { type: 'wsd', peak: 3e-3, warmup: 2, decay: 4 },
    stages: [
      { name: 'base', steps: 5, mixture: { en: 1 } },
      { name: 'cat', tokens: 300, mixture: { curated: 0.5, instructions: 0.5, fi: 0 }, length: 16 },
    ],
    evaluations: [{ type: 'bitsPerByte' }],
    checkpoints: { every: 3 },
    ...more,
  }
}

const run = (source: Recipe, options: RunOptions = {}) => runRecipe(source, { evaluators: [heldOutTokens], ...options })
const codeOf = (running: Promise<unknown>) => running.then(
  () => 'no error',
  (error: AuroraError) => error.code,
) // biome-ignore format: one thought

test('a recipe runs, and leaves what its outputs name', async () => {
  const events: RunProgress[] = []
  const result = await run(recipe('first'), { onProgress: event => events.push(event) })
  assert.equal([result.reason, result.step, result.totalSteps], ['finished', 12, 12])
  assert.equal((await readdir(result.folder)).sort(), [
    'checkpoints',
    'evaluations.jsonl',
    'metrics.jsonl',
    'model',
    'run.json',
    'tensorboard',
  ])

  const { facts, metrics, evaluations } = await readRun(result.folder)
  assert.is(metrics.length, 12)
  assert.equal(facts.stages.map(({ name, firstStep, steps, tokens }) => [name, firstStep, steps, tokens]), [['base', 0, 5, 360], ['cat', 5, 7, 336]]) // biome-ignore format: one call
  assert.equal(facts.stages[1]!.mixture, { curated: 0.5, instructions: 0.5 })
  assert.ok(metrics.every(({ shareOfPeak, modelFlops }) => shareOfPeak === modelFlops / facts.peak))
  assert.equal(evaluations.map(({ point }) => point.label), ['start', 'base', 'cat']) // biome-ignore format: one call
  assert.equal(evaluations[0]!.result, { en: facts.corpora.en!.heldOutTokens, fi: facts.corpora.fi!.heldOutTokens })

  const { en, fi, curated } = facts.corpora
  assert.is(en!.trainDocuments + en!.heldOutDocuments, 13)
  assert.ok(fi!.heldOutDocuments >= 1)
  // Curated text is what is trained on, without the table: wherever that one is, nothing held out is in it.
  assert.ok([0, 1].includes(en!.trainDocuments + fi!.trainDocuments - curated!.trainDocuments))
  assert.is(curated!.heldOutDocuments, 0)

  const loaded = await GPTBigCode.fromPretrained(result.files.model)
  assert.is(loaded.config.vocabSize, tokenizer.vocabSize)
  assert.is((await Tokenizer.fromFile(result.files.model)).eos, tokenizer.eos)
  loaded.dispose()
  const kinds = [...new Set(events.map(({ kind }) => kind))]
  assert.equal(kinds.sort(), ['checkpoint', 'end', 'evaluated', 'prepare', 'stage', 'start', 'step'])
})

test('a folder with a run is neither mixed with another nor lost: resume or overwrite', async () => {
  const stop = new AbortController()
  const stopped = await run(recipe('second'), {
    signal: stop.signal,
    onProgress: event => event.kind === 'step' && event.metrics.step === 7 && stop.abort(),
  })
  assert.equal([stopped.reason, stopped.step], ['aborted', 7])
  assert.is(await codeOf(run(recipe('second'))), 'ERR_RUN_EXISTS')
  const changed = recipe('second', { optimizer: { weightDecay: 0 } })
  assert.is(await codeOf(run(changed, { resume: true })), 'ERR_RUN_CHANGED')
  const resumed = await run(recipe('second'), { resume: true })
  assert.equal([resumed.reason, resumed.step], ['finished', 12])

  const whole = await GPTBigCode.fromPretrained(join(folder, 'first/model'))
  const parts = await GPTBigCode.fromPretrained(resumed.files.model)
  assert.is(await weightsOf(parts), await weightsOf(whole))
  whole.dispose()
  parts.dispose()

  const again = await run(changed, { overwrite: true })
  assert.equal([again.reason, (await readRun(again.folder)).metrics.length], ['finished', 12])
})

test('going on with changed text is refused', async () => {
  const stop = new AbortController()
  const onProgress = (event: RunProgress) => event.kind === 'step' && event.metrics.step === 2 && stop.abort()
  await run(recipe('third'), { signal: stop.signal, onProgress })
  await writeFile(join(folder, 'text', 'fi-3.txt'), 'Toinen teksti.\n')
  assert.is(await codeOf(run(recipe('third'), { resume: true })), 'ERR_RUN_CHANGED')
  const resumed = await run(recipe('third'), { resume: true, allowChanges: ['corpora', 'stages'] })
  assert.is(resumed.reason, 'finished')
})

test('a run can start from a model folder, with its tokenizer', async () => {
  const from = join(folder, 'first/model')
  const result = await run({ ...recipe('fourth'), model: { from, dtype: 'bf16' }, tokenizer: undefined })
  assert.is(result.reason, 'finished')
  const { facts, metrics } = await readRun(result.folder)
  assert.equal([facts.model.from, facts.model.dtype], [from, 'bf16'])
  const first = await readRun(join(folder, 'first'))
  assert.ok(metrics[0]!.loss < first.metrics[0]!.loss, 'it starts where the other had come to')
})

test('an evaluation that nobody makes is refused before anything is done', async () => {
  assert.is(await codeOf(runRecipe(recipe('fifth'))), 'ERR_RECIPE')
  assert.not((await readdir(folder)).includes('fifth'))
})

test('large corpora go through an indexed dataset, to the same tokens, and are not tokenised again on resume', async () => {
  const checked = checkRecipe(recipe('sixth'))
  const options = { recipe: checked, tokenizer, folder: join(folder, 'sixth/data'), reuse: false }
  const small = await openCorpora(options)
  const large = await openCorpora({ ...options, maxInMemory: 0 })
  assert.equal(large.facts, small.facts)
  for (const name of ['en', 'fi', 'instructions']) {
    const [a, b] = [small.byName[name]!.train[0]!, large.byName[name]!.train[0]!]
    for (let i = 0; i < a.documents; i++) assert.equal([...b.read(i)], [...a.read(i)])
  }
  large.close()
  const progress: string[] = []
  const again = await openCorpora({ ...options, maxInMemory: 0, reuse: true, onProgress: corpus => progress.push(corpus) })
  assert.equal(progress, [])
  assert.equal(again.facts, small.facts)
  again.close()
})

test.run()
