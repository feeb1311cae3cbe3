/** Pipeline schedules: complete, in order, without deadlock, and with the memory and the bubble that the paper states. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { peakInFlight, pipelineSchedule, pipelineSchedules, stageLayers } from '../../src/parallel/schedule.ts'
import { simulate } from '../../src/parallel/simulate.ts'
import { random } from '../support/random.ts'
import { refuses } from '../support/refuses.ts'

/** Every small pipeline: P 1 … 6, v 1 … 4, m 1 … 13 (multiples of P when interleaved). */
const pipelines = [1, 2, 3, 4, 6].flatMap(stages =>
  [1, 2, 3, 4].flatMap(chunks =>
    Array.from({ length: 13 }, (_, i) => ({ stages, chunks, microBatches: chunks === 1 ? i + 1 : (i + 1) * stages })),
  ),
)
const possible = pipelines.filter(({ stages, chunks }) => stages > 1 || chunks === 1)

test('every micro-batch goes once forward and once backward through every chunk, backward after forward', () => {
  for (const pipeline of possible) {
    for (const steps of pipelineSchedules(pipeline)) {
      const at = new Map(steps.map(({ kind, microBatch, chunk }, i) => [`${kind} ${microBatch} ${chunk}`, i]))
      assert.is(steps.length, 2 * pipeline.microBatches * pipeline.chunks)
      assert.is(at.size, steps.length)
      for (let microBatch = 0; microBatch < pipeline.microBatches; microBatch++) {
        for (let chunk = 0; chunk < pipeline.chunks; chunk++) {
          const [forward, backward] = [at.get(`forward ${microBatch} ${chunk}`), at.get(`backward ${microBatch} ${chunk}`)]
          assert.ok(forward !== undefined && backward !== undefined && forward < backward, JSON.stringify(pipeline))
        }
      }
    }
  }
})

test('gradients of a chunk are accumulated in the order of the micro-batches, on every rank', () => {
  for (const pipeline of possible) {
    for (const steps of pipelineSchedules(pipeline)) {
      for (let chunk = 0; chunk < pipeline.chunks; chunk++) {
        const order = steps.filter(step => step.kind === 'backward' && step.chunk === chunk).map(step => step.microBatch)
        assert.equal(order, [...order.keys()])
      }
    }
  }
})

test('no deadlock, whatever the times, and the bubble is (P − 1)/(v·m) when stages are equal', () => {
  for (const pipeline of possible) {
    const { stages, chunks, microBatches } = pipeline
    const schedules = pipelineSchedules(pipeline)
    const [forward, backward] = [1 + random.uniform(), 1 + 2 * random.uniform()]
    const even = simulate(schedules, { forward: () => forward, backward: () => backward })
    const bubble = (stages - 1) / (chunks * microBatches)
    assert.ok(Math.abs(even.bubble - bubble) < 1e-9, `${JSON.stringify(pipeline)}: bubble ${even.bubble}, not ${bubble}`)
    const uneven = Array.from({ length: stages * chunks }, () => 0.1 + random.uniform())
    simulate(schedules, { forward: s => uneven[s]!, backward: s => 3 * uneven[s]!, transfer: () => random.uniform() })
  }
})

test('what one rank sends to another is received in the same order', () => {
  for (const pipeline of possible) {
    const { stages, chunks } = pipeline
    const schedules = pipelineSchedules(pipeline)
    const last = stages * chunks - 1
    for (const kind of ['forward', 'backward'] as const) {
      const onward = kind === 'forward' ? 1 : -1
      for (let from = 0; from < stages; from++) {
        const to = (from + onward + stages) % stages
        const named = (rank: number, shift: number) =>
          schedules[rank]!.filter(step => step.kind === kind)
            .map(step => ({ micro: step.microBatch, stage: step.chunk * stages + rank + shift }))
            .filter(({ stage }) => stage >= 0 && stage <= last && stage !== (kind === 'forward' ? 0 : last))
            .map(({ micro, stage }) => `${micro} → ${stage}`)
        assert.equal(named(from, onward), named(to, 0), `${kind}, ${from} to ${to}, ${JSON.stringify(pipeline)}`)
      }
    }
  }
})

test('in flight: P − p micro-batches with 1F1B, 2·(P − p − 1) + (v − 1)·P + 1 chunks when interleaved', () => {
  for (const pipeline of possible) {
    const { stages, chunks, microBatches } = pipeline
    for (const [rank, steps] of pipelineSchedules(pipeline).entries()) {
      const bound = chunks === 1 ? stages - rank : 2 * (stages - rank - 1) + (chunks - 1) * stages + 1
      assert.is(peakInFlight(steps), Math.min(bound, microBatches * chunks), JSON.stringify({ ...pipeline, rank }))
    }
  }
})

test("the paper's example: 4 ranks, 8 micro-batches", () => {
  const text = (chunks: number, rank: number) =>
    pipelineSchedule({ stages: 4, rank, microBatches: 8, chunks })
      .map(({ kind, microBatch, chunk }) => `${kind[0]}${microBatch + 1}${chunks > 1 ? 'ab'[chunk] : ''}`)
      .join(' ')
  assert.is(text(1, 0), 'f1 f2 f3 f4 b1 f5 b2 f6 b3 f7 b4 f8 b5 b6 b7 b8')
  assert.is(text(1, 3), 'f1 b1 f2 b2 f3 b3 f4 b4 f5 b5 f6 b6 f7 b7 f8 b8')
  assert.ok(text(2, 3).startsWith('f1a f2a f3a f4a f1b b1b f2b b2b f3b b3b f4b b4b f5a b1a'), text(2, 3))
  assert.ok(text(2, 0).startsWith('f1a f2a f3a f4a f1b f2b f3b f4b f5a f6a f7a b1b'), text(2, 0))
})

test('wrong sizes are refused, with what would be right', async () => {
  const wrong = (options: object, message: RegExp) =>
    refuses(() => pipelineSchedule({ stages: 4, rank: 0, microBatches: 8, ...options }), 'ERR_LAYOUT', message)
  await wrong({ microBatches: 6, chunks: 2 }, /expected a multiple of 4 micro-batches; found 6/)
  await wrong({ stages: 1, chunks: 2 }, /interleaving needs a pipeline/)
  await wrong({ rank: 4 }, /expected 0 … 3; found 4/)
  for (const value of [0, -1, 1.5, Number.NaN]) {
    await wrong({ stages: value }, /stages; expected a positive integer/)
    await wrong({ microBatches: value }, /microBatches; expected a positive integer/)
    await wrong({ chunks: value }, /chunks; expected a positive integer/)
  }
})

test('layers over stages: even, balanced by weights, or as given', () => {
  assert.equal(stageLayers(40, 4), [10, 10, 10, 10])
  assert.equal(stageLayers(10, 4), [2, 2, 3, 3])
  assert.equal(stageLayers(42, 4, { embedding: 0, head: 2 }), [11, 11, 11, 9])
  assert.equal(stageLayers(4, 2, { embedding: 1, head: 9 }), [3, 1])
  assert.equal(stageLayers(5, 3, [1, 3, 1]), [1, 3, 1])
})

test('no split is better than the balanced one', () => {
  for (let trial = 0; trial < 50; trial++) {
    const stages = 2 + Math.floor(3 * random.uniform())
    const layers = stages + Math.floor(8 * random.uniform())
    const [embedding, head] = [2 * random.uniform(), 4 * random.uniform()]
    const heaviest = (counts: readonly number[]) =>
      Math.max(...counts.map((count, i) => count + (i === 0 ? embedding : 0) + (i === stages - 1 ? head : 0)))
    const splits = (rest: number, left: number): number[][] =>
      left === 1
        ? [[rest]]
        : Array.from({ length: rest - left + 1 }, (_, i) => splits(rest - i - 1, left - 1).map(more => [i + 1, ...more])).flat()
    const best = Math.min(...splits(layers, stages).map(heaviest))
    assert.is(heaviest(stageLayers(layers, stages, { embedding, head })), best)
  }
})

test('splits that cannot be are refused', async () => {
  await refuses(() => stageLayers(3, 4), 'ERR_LAYOUT', /at most 3 stages for 3 layers; found 4/)
  for (const counts of [[1, 2, 2], [5], [0, 5], [2.5, 2.5], []])
    await refuses(() => stageLayers(5, 2, counts), 'ERR_LAYOUT', /2 counts of at least 1 that sum to 5/)
  await refuses(() => stageLayers(5, 2, { head: -1 }), 'ERR_LAYOUT', /weight of the head/)
})

test.run()
