import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ParallelLayout } from '../../src/parallel/index.ts'
import { temporaryFolder } from '../support/folder.ts'
import { compareLosses, compareWeights, trainParallel, trainWhole } from './compare.ts'

const layouts: Record<string, Partial<ParallelLayout>> = {
  'tensor 2': { tensor: 2 },
  'tensor 2, sequence parallel': { tensor: 2, sequenceParallel: true },
  'tensor 4, sequence parallel': { tensor: 4, sequenceParallel: true },
  'pipeline 2': { pipeline: 2 },
  'pipeline 4': { pipeline: 4 },
  'pipeline 4, interleaved': { pipeline: 4, chunks: 2 },
  'data 2': { data: 2 },
  'data 2, ZeRO': { data: 2, zero: true },
  'tensor 2 × pipeline 2 × data 2, sequence parallel, ZeRO': {
    tensor: 2,
    pipeline: 2,
    data: 2,
    sequenceParallel: true,
    zero: true,
  },
}

test('every layout comes to the losses and weights of one process', async () => {
  const whole = temporaryFolder()
  const expected = await trainWhole({ dir: whole })
  assert.ok(expected.losses.at(-1)! < expected.losses[0]! - 0.3, 'it learns')
  for (const [what, layout] of Object.entries(layouts)) {
    const dir = temporaryFolder()
    compareLosses(what, await trainParallel({ layout, dir }), expected)
    await compareWeights(what, dir, whole)
  }
})

test.run()
