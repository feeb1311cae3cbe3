import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { AuroraError } from '../../src/errors.ts'
import { GPTBigCode } from '../../src/models/index.ts'
import { adamW, constant } from '../../src/optim/index.ts'
import {
  type Callback,
  Evaluations,
  type Evaluator,
  type StepMetrics,
  stage,
  Trainer,
  type TrainerOptions,
} from '../../src/train/index.ts'
import { counting, tinyMixtures, tinyModel, tinyOptions, weightsOf } from './tiny.ts'

let folder = ''
test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aurora-trainer-'))
})
test.after.each(() => rm(folder, { recursive: true }))

async function collect(trainer: Trainer, control = {}): Promise<StepMetrics[]> {
  const steps: StepMetrics[] = []
  for await (const step of trainer.run(control)) steps.push(step)
  return steps
}

async function codeOf(run: Promise<unknown>): Promise<string> {
  return run.then(
    () => 'no error',
    (error: AuroraError) => error.code,
  )
}

test('a run goes through its stages and learns', async () => {
  const model = tinyModel()
  const steps = await collect(new Trainer(tinyOptions(model, { peak: 1e9 })))
  assert.equal(steps.map(({ step }) => step), Array.from({ length: 20 }, (_, i) => i + 1)) // biome-ignore format: one call
  assert.equal([...new Set(steps.map(({ stage }) => stage))], ['base', 'cap'])
  assert.equal([steps[11]!.stageStep, steps[12]!.stageStep], [12, 1])
  assert.equal([steps[0]!.tokens, steps[19]!.tokens], [64, 1280])
  assert.equal([...new Set(steps.slice(12).flatMap(({ lossByDomain }) => Object.keys(lossByDomain)))].sort(), ['en', 'fi'])
  assert.ok(steps[0]!.loss > 3.5 && steps[11]!.loss < steps[0]!.loss - 0.2, `${steps[0]!.loss} → ${steps[11]!.loss}`)
  const { tokensPerSecond, seconds, modelFlops, shareOfPeak, memory } = steps[5]!
  assert.ok(Math.abs(tokensPerSecond - 64 / seconds) < 1e-6)
  assert.ok(Math.abs(modelFlops - tokensPerSecond * model.flopsPerToken(16)) < 1)
  assert.is(shareOfPeak, modelFlops / 1e9)
  assert.ok(memory.allocated > 0)
  model.dispose()
})

test('learning rates: the run goes on with its schedule, a stage may re-warm, a later one is back on it', async () => {
  const { first, second } = tinyMixtures()
  const model = tinyModel()
  const run = { at: (step: number) => 1e-3 * (step + 1), describe: () => ({ schedule: 'counting' }) }
  const curriculum = [
    stage('a', { steps: 2, data: first }),
    stage('b', { steps: 2, data: second, schedule: constant(7e-4, { warmup: 2 }) }),
    stage('c', { steps: 1, data: first }),
  ]
  const steps = await collect(new Trainer(tinyOptions(model, { curriculum, optimizer: adamW({ lr: run }) })))
  assert.equal(
    steps.map(({ lr }) => lr.toPrecision(3)),
    [1e-3, 2e-3, 3.5e-4, 7e-4, 5e-3].map(lr => lr.toPrecision(3)),
  )
  model.dispose()
})

test('micro-batches of any size make the same step', async () => {
  const losses: number[][] = []
  for (const microBatch of [1, 3, 4]) {
    const model = tinyModel()
    const steps = await collect(new Trainer(tinyOptions(model, { batch: { sequences: 4, length: 16, microBatch } })))
    losses.push(steps.map(({ loss, gradNorm }) => loss + gradNorm))
    model.dispose()
  }
  for (const other of losses.slice(1)) {
    for (const [i, value] of other.entries()) assert.ok(Math.abs(value - losses[0]![i]!) < 2e-3, `${value} ${losses[0]![i]}`)
  }
})

test('the mean loss is the mean of its domains, by their tokens', async () => {
  const model = tinyModel()
  const [step] = await collect(new Trainer(tinyOptions(model)))
  const { en, code } = step!.lossByDomain
  assert.ok(step!.loss > Math.min(en!, code!) && step!.loss < Math.max(en!, code!))
  model.dispose()
})

for (const dtype of ['f32', 'bf16'] as const) {
  test(`aborting saves, resuming ends with the same bits (${dtype}, dropout, freezing)`, async () => {
    const { first, second } = tinyMixtures()
    const curriculum = [
      stage('base', { steps: 7, data: first, freeze: ['transformer.h.0.*'] }),
      stage('cap', { steps: 6, data: second, freeze: ['*.wpe.*'], length: 8 }),
      stage('cat', { steps: 5, data: first }),
    ]
    const make = (dir: string) => {
      const model = tinyModel({ dtype, dropout: 'config' })
      return {
        model,
        trainer: new Trainer(tinyOptions(model, { curriculum, checkpoints: { dir: join(folder, dir), every: 4 } })),
      }
    }
    const whole = make('whole')
    const expected = await collect(whole.trainer)

    const steps: StepMetrics[] = []
    for (const stopAfter of [2, 7, 11, 99]) {
      const { model, trainer } = make('parts')
      const stop = new AbortController()
      for await (const step of trainer.run({ signal: stop.signal, resume: true })) {
        steps.push(step)
        if (step.step >= stopAfter) stop.abort()
      }
      assert.is(trainer.step, Math.min(stopAfter, 18))
      if (stopAfter === 99) assert.is(await weightsOf(model), await weightsOf(whole.model))
      model.dispose()
    }
    const traits = (list: StepMetrics[]) =>
      list.map(({ step, stage, loss, gradNorm, lr, tokens }) => [step, stage, loss, gradNorm, lr, tokens])
    assert.equal(traits(steps), traits(expected))
    whole.model.dispose()
  })
}

test('a frozen part does not move, and what was frozen by the user stays so', async () => {
  const model = tinyModel()
  model.parameters.freeze('*.ln_f.*')
  const { first } = tinyMixtures()
  const before = await model.parameters.get('transformer.h.0.mlp.c_fc.weight').read()
  const norm = await model.parameters.get('transformer.ln_f.weight').read()
  await collect(
    new Trainer(tinyOptions(model, { curriculum: [stage('a', { steps: 3, data: first, freeze: ['transformer.h.0.*'] })] })),
  )
  assert.equal(await model.parameters.get('transformer.h.0.mlp.c_fc.weight').read(), before)
  assert.equal(await model.parameters.get('transformer.ln_f.weight').read(), norm)
  assert.is.not(await weightsOf(model), await weightsOf(tinyModel()))
  assert.equal(model.parameters.parameters.filter(({ trainable }) => !trainable).map(({ name }) => name), ['transformer.ln_f.weight', 'transformer.ln_f.bias']) // biome-ignore format: one call
  model.dispose()
})

test('a checkpoint is a model, and only the newest stay', async () => {
  const model = tinyModel()
  const dir = join(folder, 'checkpoints')
  await collect(new Trainer(tinyOptions(model, { checkpoints: { dir, every: 3, keep: 2 } })))
  assert.equal((await readdir(dir)).sort(), ['step-000018', 'step-000020'])
  const loaded = await GPTBigCode.fromPretrained(join(dir, 'step-000020'))
  assert.is(await weightsOf(loaded), await weightsOf(model))
  loaded.dispose()
  model.dispose()
})

test('a new run does not touch the checkpoints of another; a changed one is refused, naming the path', async () => {
  const checkpoints = { dir: join(folder, 'checkpoints'), every: 3 }
  const start = (more: Partial<TrainerOptions>, control = {}) => {
    const model = tinyModel()
    return collect(new Trainer(tinyOptions(model, { checkpoints, ...more })), control).finally(() => model.dispose())
  }
  const stop = AbortSignal.timeout(0)
  await start({}, { signal: stop })
  const once = new AbortController()
  const model = tinyModel()
  for await (const step of new Trainer(tinyOptions(model, { checkpoints })).run({ signal: once.signal }))
    if (step.step === 4) once.abort()
  model.dispose()
  assert.is(await codeOf(start({})), 'ERR_RUN_EXISTS')

  const { first, second } = tinyMixtures()
  const curriculum = [stage('base', { steps: 12, data: first }), stage('cap', { steps: 9, data: second })]
  const refused = await start({ curriculum, seed: 4 }, { resume: true }).catch((error: AuroraError) => error)
  assert.ok(!Array.isArray(refused))
  assert.is(refused.code, 'ERR_RUN_CHANGED')
  assert.match(refused.message, 'seed, stages[1].steps')
  assert.match(refused.expected!, 'seed = 3')
  assert.is(await codeOf(start({ curriculum, seed: 4 }, { resume: true, allowChanges: ['seed'] })), 'ERR_RUN_CHANGED')
  assert.is((await start({ curriculum, seed: 4 }, { resume: true, allowChanges: ['seed', 'stages[1]'] })).length, 17)
})

test('steps that are not finite are skipped and counted, and leave everything untouched', async () => {
  const model = tinyModel()
  const weight = model.parameters.get('transformer.ln_f.weight')
  const ones = new Float32Array(weight.size).fill(1)
  let before = ''
  const saboteur: Callback = {
    async onStep({ step }) {
      if (step === 4) weight.write(new Float32Array(weight.size).fill(Number.NaN))
      if (step === 4) before = await weightsOf(model)
      if (step === 6) assert.is(await weightsOf(model), before)
      if (step === 6) weight.write(ones)
    },
  }
  const steps = await collect(new Trainer(tinyOptions(model, { callbacks: [saboteur] })))
  assert.equal(steps.filter(({ skipped }) => skipped).map(({ step }) => step), [5, 6]) // biome-ignore format: one call
  assert.ok(Number.isNaN(steps[4]!.loss))
  assert.is(steps.at(-1)!.skippedSteps, 2)
  assert.ok(Number.isFinite(steps.at(-1)!.loss))
  model.dispose()
})

test('too many in a row end the run with a clear error, and callbacks hear of it', async () => {
  const model = tinyModel()
  const weight = model.parameters.get('transformer.ln_f.weight')
  const ends: unknown[] = []
  const callbacks: Callback[] = [
    { onStep: ({ step }) => void (step === 2 && weight.write(new Float32Array(weight.size).fill(Number.POSITIVE_INFINITY))) },
    { onEnd: event => void ends.push([event.reason, event.step, (event.error as AuroraError).code]) },
  ]
  const steps: StepMetrics[] = []
  const error = await (async () => {
    for await (const step of new Trainer(tinyOptions(model, { callbacks, maxSkipped: 3 })).run()) steps.push(step)
  })().catch((error: AuroraError) => error)
  assert.is(error!.code, 'ERR_NOT_FINITE')
  assert.match(error!.message, 'step 6 (stage "base"): 4 steps in a row')
  assert.is(steps.length, 5)
  assert.equal(ends, [['failed', 5, 'ERR_NOT_FINITE']])
  model.dispose()
})

test('callbacks see the run in order; leaving the loop ends it', async () => {
  const model = tinyModel()
  const seen: string[] = []
  const note = (text: string) => void seen.push(text)
  const recorder: Callback = {
    onStart: ({ step, totalSteps, resumed }) => note(`start ${step}/${totalSteps} ${resumed}`),
    onStage: ({ name, firstStep, steps }) => note(`stage ${name} ${firstStep}+${steps}`),
    onStep: ({ step }) => note(`step ${step}`),
    onCheckpoint: ({ step, stage, stageEnd }) => note(`checkpoint ${step} ${stage} ${stageEnd}`),
    onEnd: ({ reason, step }) => note(`end ${reason} ${step}`),
  }
  const curriculum = [stage('a', { steps: 2, data: tinyMixtures().first }), stage('b', { steps: 9, data: tinyMixtures().second })]
  const checkpoints = { dir: join(folder, 'c'), every: 3 }
  for await (const { step } of new Trainer(tinyOptions(model, { curriculum, checkpoints, callbacks: [recorder] })).run())
    if (step === 4) break
  assert.equal(seen, [
    'start 0/11 false', 'stage a 0+2', 'step 1', 'step 2', 'checkpoint 2 a true',
    'stage b 2+9', 'step 3', 'checkpoint 3 b false', 'step 4', 'end stopped 4',
  ]) // biome-ignore format: a timeline
  model.dispose()
})

test('evaluations are made once at their points, also when a run is resumed; an aborted one is made again', async () => {
  const made: string[] = []
  let interrupt: AbortController | undefined
  const evaluator = (name: string): Evaluator => ({
    name,
    async evaluate({ point, heldOut, signal, onProgress }) {
      onProgress?.(0.5)
      if (interrupt && point.label === 'base') interrupt.abort()
      signal?.throwIfAborted()
      made.push(`${name} ${point.label} ${point.tokens}`)
      return { step: point.step, corpora: Object.keys(heldOut) }
    },
  })
  const run = async (resume: boolean) => {
    const model = tinyModel()
    const evaluations = new Evaluations({
      evaluations: [
        { evaluator: evaluator('bits'), when: ['before', 'stages'] },
        { evaluator: evaluator('code'), when: ['checkpoints'] },
      ],
      tokenizer: undefined as never,
      heldOut: { en: counting(1) },
      path: join(folder, 'evaluations.jsonl'),
    })
    const checkpoints = { dir: join(folder, 'checkpoints'), every: 8 }
    await collect(new Trainer(tinyOptions(model, { evaluations, checkpoints })), { resume, signal: interrupt?.signal })
    model.dispose()
    return evaluations.records.map(({ name, point, result }) => `${name} ${point.label} ${result.step} ${result.corpora}`)
  }
  interrupt = new AbortController()
  assert.equal(await run(false), ['bits start 0 en', 'code step-8 8 en'])
  interrupt = undefined
  const all = [
    'bits start 0 en',
    'code step-8 8 en',
    'bits base 12 en',
    'code base 12 en',
    'code step-16 16 en',
    'bits cap 20 en',
    'code cap 20 en',
  ]
  assert.equal(await run(true), all)
  assert.equal(await run(true), all)
  assert.equal(made, [
    'bits start 0',
    'code step-8 512',
    'bits base 768',
    'code base 768',
    'code step-16 1024',
    'bits cap 1280',
    'code cap 1280',
  ])
})

test('wrong settings are refused before anything is trained', () => {
  const model = tinyModel()
  const { first } = tinyMixtures()
  const refused: (() => unknown)[] = [
    () => stage('a', { data: first }),
    () => stage('a', { steps: 1, tokens: 1, data: first }),
    () => stage('a', { steps: 0, data: first }),
    () => stage('a', { steps: 1.5, data: first }),
    () => stage('a', { tokens: Number.NaN, data: first }),
    () => stage('start', { steps: 1, data: first }),
    () => new Trainer(tinyOptions(model, { curriculum: [] })),
    () =>
      new Trainer(
        tinyOptions(model, { curriculum: [stage('a', { steps: 1, data: first }), stage('a', { steps: 1, data: first })] }),
      ),
    () => new Trainer(tinyOptions(model, { curriculum: [stage('a', { steps: 1, data: first, length: 17 })] })),
    () => new Trainer(tinyOptions(model, { batch: { sequences: 0, length: 16 } })),
    () => new Trainer(tinyOptions(model, { batch: { sequences: 4, length: 16, microBatch: 0 } })),
    () => new Trainer(tinyOptions(model, { checkpoints: { dir: folder, every: 0 } })),
    () => new Trainer(tinyOptions(model, { checkpoints: { dir: folder, keep: 0 } })),
    () => new Trainer(tinyOptions(model, { maxSkipped: -1 })),
  ]
  for (const [i, build] of refused.entries())
    assert.throws(build, (error: AuroraError) => error.name === 'AuroraError', `case ${i}`)
  model.dispose()
})

test.run()
