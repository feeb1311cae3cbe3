import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { freePort } from '../../src/cli/launch/port.ts'
import { completeConfig } from '../../src/models/index.ts'
import { coordinatesOf, planLayout, rankBytes, singleLayout, worldSize } from '../../src/parallel/index.ts'
import { runRanks } from '../support/ranks.ts'
import { batch, config, type MemoryCase } from './memory-rank.ts'

const module = new URL('./memory-rank.ts', import.meta.url).href
const cases: Omit<MemoryCase, 'port'>[] = [
  { layout: { ...singleLayout, tensor: 2, sequenceParallel: true }, dtype: 'f32', checkpointing: false },
  { layout: { ...singleLayout, pipeline: 2 }, dtype: 'bf16', checkpointing: false },
  { layout: { ...singleLayout, data: 2, zero: true }, dtype: 'bf16', checkpointing: true },
  {
    layout: { ...singleLayout, tensor: 2, pipeline: 2, data: 2, sequenceParallel: true, zero: true },
    dtype: 'f32',
    checkpointing: false,
  },
]

for (const of of cases) {
  const { tensor, pipeline, data } = of.layout
  test(`tensor ${tensor} × pipeline ${pipeline} × data ${data}, ${of.dtype}: what ranks hold at most is within 10 % of the plan`, async () => {
    const whole = completeConfig(config)
    const planned = planLayout(whole, batch, { ...of.layout, checkpointing: of.checkpointing, microBatch: 1 })
    const peaks = await runRanks<MemoryCase, number>(worldSize(of.layout), module, { ...of, port: await freePort() })
    for (const [rank, peak] of peaks.entries()) {
      const { total } = rankBytes(whole, planned, coordinatesOf(of.layout, rank).pipeline, of.dtype)
      assert.ok(Math.abs(total / peak - 1) < 0.1, `rank ${rank}: planned ${total}, held ${peak}`)
    }
  })
}

test.run()
