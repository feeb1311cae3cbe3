import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { EvaluationLog, type EvaluationPoint, type EvaluationRecord, isDue } from '../../src/train/evaluations.ts'
import { MetricsLog, readMetrics } from '../../src/train/metrics-log.ts'
import type { StepMetrics } from '../../src/train/step-metrics.ts'

let folder = ''
test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aurora-logs-'))
})
test.after.each(() => rm(folder, { recursive: true }))

function metricsOf(step: number, loss = step / 8): StepMetrics {
  const memory = { allocated: 1, reserved: 2, peak: 3, tensors: 4 }
  const speed = { seconds: 1, tokensPerSecond: 2, modelFlops: 3 }
  const base = { stage: 'cap', stageStep: step, tokens: 64 * step, lr: 1e-3, gradNorm: 1, skipped: false, skippedSteps: 0 }
  return { step, loss, lossByDomain: { fi: loss }, ...base, ...speed, memory }
}

test('metrics are re-aligned to the checkpoint: later lines go, a cut line goes, lost lines come from its tail', async () => {
  const path = join(folder, 'metrics.jsonl')
  const first = await MetricsLog.open(path, 0)
  for (const step of [1, 2, 3, 4, 5]) await first.write(metricsOf(step))
  await first.close()
  await appendFile(path, '{"step":6,"sta')

  const resumed = await MetricsLog.open(path, 3)
  await resumed.write(metricsOf(4, 40))
  await resumed.close()
  assert.equal(
    (await readMetrics(path)).map(({ loss }) => loss),
    [1 / 8, 2 / 8, 3 / 8, 40],
  )

  const healed = await MetricsLog.open(
    path,
    6,
    [4, 5, 6, 7].map(step => metricsOf(step)),
  )
  await healed.close()
  assert.equal(
    (await readMetrics(path)).map(({ step }) => step),
    [1, 2, 3, 4, 5, 6],
  )
  assert.equal((await readMetrics(path))[3], metricsOf(4, 40))
})

test('a fresh run empties an older log', async () => {
  const path = join(folder, 'metrics.jsonl')
  const first = await MetricsLog.open(path, 0)
  await first.write(metricsOf(1))
  await first.close()
  await (await MetricsLog.open(path, 0)).close()
  assert.is(await readFile(path, 'utf8'), '')
})

test('values that are not finite survive JSON', async () => {
  const path = join(folder, 'metrics.jsonl')
  const log = await MetricsLog.open(path, 0)
  await log.write({ ...metricsOf(1, Number.NaN), gradNorm: Number.POSITIVE_INFINITY, skipped: true })
  await log.close()
  const [metrics] = await readMetrics(path)
  assert.ok(Number.isNaN(metrics!.loss))
  assert.ok(Number.isNaN(metrics!.lossByDomain.fi))
  assert.ok(Number.isNaN(metrics!.gradNorm))
})

test('evaluations are found again, those after the checkpoint dropped', async () => {
  const path = join(folder, 'evaluations.jsonl')
  const point = (step: number, label: string): EvaluationPoint => ({ stage: 'base', step, tokens: 64 * step, label })
  const record = (step: number, label: string): EvaluationRecord => ({
    name: 'bpb',
    point: point(step, label),
    result: { fi: 2 },
    seconds: 1,
    time: 9,
  })
  const log = await EvaluationLog.open(path, 0)
  await log.add(record(0, 'start'))
  await log.add(record(10, 'base'))
  await log.add(record(20, 'step-20'))
  await appendFile(path, '{"name":"bpb","po')

  const resumed = await EvaluationLog.open(path, 10)
  assert.ok(resumed.has('bpb', point(10, 'base')))
  assert.not(resumed.has('bpb', point(20, 'step-20')))
  assert.not(resumed.has('code', point(10, 'base')))
  assert.is((await readFile(path, 'utf8')).trimEnd().split('\n').length, 2)
})

test('evaluations are due where the plan says', () => {
  const points = [
    { stage: '', step: 0, tokens: 0, label: 'start' },
    { stage: 'base', step: 5, tokens: 5, label: 'step-5' },
    { stage: 'base', step: 9, tokens: 9, label: 'base' },
  ]
  assert.equal(
    points.map(point => isDue(['before'], point)),
    [true, false, false],
  )
  assert.equal(
    points.map(point => isDue(['stages'], point)),
    [false, false, true],
  )
  assert.equal(
    points.map(point => isDue(['checkpoints'], point)),
    [false, true, true],
  )
})

test.run()
