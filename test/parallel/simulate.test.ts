/** Times of a pipeline: by hand for small ones, bounds for all. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { pipelineSchedules } from '../../src/parallel/schedule.ts'
import { pipelineTime, simulate } from '../../src/parallel/simulate.ts'
import { random } from '../support/random.ts'
import { refuses } from '../support/refuses.ts'

test('two stages, two micro-batches, by hand', () => {
  const { steps, total, bubble } = simulate(pipelineSchedules({ stages: 2, microBatches: 2 }), {
    forward: () => 1,
    backward: () => 2,
    transfer: () => 0.5,
  })
  const times = steps.map(rank => rank.map(({ kind, microBatch, start, end }) => `${kind[0]}${microBatch} ${start}–${end}`))
  // Rank 1 gets f0 at 1.5; its backward of micro-batch 0 is done at 4.5 and reaches rank 0 at 5.
  assert.equal(times, [
    ['f0 0–1', 'f1 1–2', 'b0 5–7', 'b1 8–10'],
    ['f0 1.5–2.5', 'b0 2.5–4.5', 'f1 4.5–5.5', 'b1 5.5–7.5'],
  ])
  assert.is(total, 10)
  assert.ok(Math.abs(bubble - (20 - 12) / 12) < 1e-12)
})

test('a rank does one step at a time, a step starts after its input, and no time is shorter than the work of any rank', () => {
  for (let trial = 0; trial < 30; trial++) {
    const stages = 1 + Math.floor(5 * random.uniform())
    const chunks = stages === 1 ? 1 : 1 + Math.floor(3 * random.uniform())
    const microBatches = stages * (1 + Math.floor(4 * random.uniform()))
    const forward = Array.from({ length: stages * chunks }, () => random.uniform())
    const wait = random.uniform()
    const { steps, total } = simulate(pipelineSchedules({ stages, microBatches, chunks }), {
      forward: stage => forward[stage]!,
      backward: stage => 2 * forward[stage]!,
      transfer: () => wait,
    })
    const end = new Map(steps.flat().map(step => [`${step.kind} ${step.stage} ${step.microBatch}`, step.end]))
    for (const rank of steps) {
      for (const [i, { kind, stage, microBatch, start }] of rank.entries()) {
        if (i > 0) assert.ok(start >= rank[i - 1]!.end)
        const before = kind === 'forward' ? stage - 1 : stage + 1
        const sent = end.get(`${kind} ${before} ${microBatch}`)
        if (sent !== undefined) assert.ok(start >= sent + wait - 1e-12)
        if (kind === 'backward') assert.ok(start >= end.get(`forward ${stage} ${microBatch}`)!)
      }
      assert.ok(total >= rank.reduce((sum, step) => sum + step.end - step.start, 0) - 1e-9)
    }
    assert.is(total, Math.max(...end.values()))
  }
})

test('a slow stage sets the pace', () => {
  const time = (slow: number) =>
    simulate(pipelineSchedules({ stages: 4, microBatches: 64 }), {
      forward: stage => (stage === 2 ? slow : 1),
      backward: stage => 2 * (stage === 2 ? slow : 1),
    }).total
  assert.is(time(1), 3 * (64 + 3))
  // 64 micro-batches of 6 through the slow stage; before its first forward 2, after its last backward 4; and its first backward
  // waits 1 for the stage behind: two forwards take it until 6, the micro-batch is back at 7.
  assert.is(time(2), 2 + 64 * 6 + 4 + 1)
})

test('the time alone is that of the simulation', () => {
  for (const pipeline of [
    { stages: 3, chunks: 2, microBatches: 9 },
    { stages: 5, microBatches: 7 },
  ]) {
    const forward = Array.from({ length: 6 }, () => 0.2 + random.uniform())
    const times = { forward: (s: number) => forward[s]!, backward: (s: number) => 2 * forward[5 - s]!, transfer: () => 0.1 }
    const { total, bubble } = simulate(pipelineSchedules(pipeline), times)
    const alone = pipelineTime(pipeline, times)
    assert.is(alone.total, total)
    assert.ok(Math.abs(alone.bubble - bubble) < 1e-9)
  }
})

test('orders that wait for each other are refused', async () => {
  const schedules = pipelineSchedules({ stages: 2, microBatches: 2 })
  schedules[1]!.reverse()
  const run = () => simulate(schedules, { forward: () => 1, backward: () => 1 })
  await refuses(run, 'ERR_LAYOUT', /rank \d waits at the (forward|backward) of micro-batch/)
})

test.run()
