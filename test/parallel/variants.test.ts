import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { latestStep } from '../../src/checkpoint/index.ts'
import type { ParallelLayout } from '../../src/parallel/index.ts'
import { temporaryFolder } from '../support/folder.ts'
import { compareLosses, compareWeights, trainParallel, trainWhole } from './compare.ts'
import type { TrainingCase } from './training.ts'

const mixed: Partial<ParallelLayout> = { tensor: 2, pipeline: 2, sequenceParallel: true }
const steps: [number, number] = [5, 3]

const variants: Record<
  string,
  TrainingCase & { layout: Partial<ParallelLayout>; tolerances?: { losses: number; weights: number } }
> = {
  'dropout, which draws by place': { layout: mixed, dropout: 'config' },
  'dropout without sequence parallelism, over data': { layout: { tensor: 2, data: 2 }, dropout: 'config' },
  'activation checkpointing': { layout: mixed, dropout: 'config', checkpointing: true },
  'one key and value head for each query head': { layout: mixed, multiQuery: false },
  'tensor-parallel products exchanged in chunks': { layout: { tensor: 2, tensorChunks: 5 }, dropout: 'config' },
  'chunks of rows that are split over the ranks': { layout: { ...mixed, tensorChunks: 4 }, checkpointing: true },
  'stages of 3 and 5 layers': { layout: { pipeline: 2 }, layersPerStage: [3, 5] },
  'frozen layers, whose neighbours keep their state when shards move': {
    layout: { pipeline: 2, data: 2, zero: true },
    freeze: ['transformer.h.2.*', 'transformer.h.5.mlp.*'],
  },
  'bf16, whose sums are rounded in other places': {
    layout: { tensor: 2, pipeline: 2, data: 2, sequenceParallel: true, zero: true },
    dtype: 'bf16',
    // Biases begin at 0, so what is compared of them are a few updates, each the sign of a gradient more than its size.
    tolerances: { losses: 2e-2, weights: 0.15 },
  },
}

for (const [what, { tolerances, ...of }] of Object.entries(variants)) {
  test(what, async () => {
    const [whole, dir] = [temporaryFolder(), temporaryFolder()]
    const expected = await trainWhole({ ...of, steps, dir: whole })
    compareLosses(what, await trainParallel({ ...of, steps, dir }), expected, tolerances?.losses)
    await compareWeights(what, dir, whole, tolerances?.weights)
  })
}

test('a run is the same bits every time', async () => {
  const layout = { tensor: 2, pipeline: 2, data: 2, sequenceParallel: true, zero: true }
  const runs = []
  for (let i = 0; i < 2; i++) {
    const dir = temporaryFolder()
    const result = await trainParallel({ layout, steps, dir })
    // With a checksum for every block.
    runs.push({ result, manifest: readFileSync(join((await latestStep(dir))!.path, 'manifest.json'), 'utf8') })
  }
  assert.equal(runs[0], runs[1])
})

test('a run goes on under another layout, and on one process', async () => {
  const straight = temporaryFolder()
  const expected = await trainWhole({ steps, dir: straight })
  const first: TrainingCase = { steps, every: 4, stopAfter: 4 }
  for (const layout of [{ data: 4 }, { data: 4, zero: true }, { tensor: 4, sequenceParallel: true }, undefined]) {
    const what = `2×2×1, then ${JSON.stringify(layout ?? 'one process')}`
    const dir = temporaryFolder()
    const before = await trainParallel({ ...first, layout: mixed, dir })
    const rest: TrainingCase = { steps, dir, resume: true }
    const after = layout ? await trainParallel({ ...rest, layout }) : await trainWhole(rest)
    const both = { losses: [...before.losses, ...after.losses], norms: [] }
    compareLosses(what, both, expected)
    await compareWeights(what, dir, straight)
  }
})

test('a checkpoint of one process goes on in parallel', async () => {
  const [straight, dir] = [temporaryFolder(), temporaryFolder()]
  const expected = await trainWhole({ steps, dir: straight })
  const before = await trainWhole({ steps, dir, every: 4, stopAfter: 4 })
  const after = await trainParallel({ steps, dir, resume: true, layout: { ...mixed, data: 2, zero: true } })
  compareLosses('one process, then 2×2×2', { losses: [...before.losses, ...after.losses], norms: [] }, expected)
  await compareWeights('one process, then 2×2×2', dir, straight)
})

test.run()
