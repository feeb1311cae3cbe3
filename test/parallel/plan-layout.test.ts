/** Planned layouts: what follows from them, and what is refused. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { completeConfig, parameterCount } from '../../src/models/index.ts'
import { balancedLayers, defaultLayout, knownModels, type Layout, planLayout } from '../../src/parallel/index.ts'
import { refuses } from '../support/refuses.ts'

const config = completeConfig({ nLayer: 8, nEmbd: 64, nHead: 4, vocabSize: 203, nPositions: 128 })
const batch = { sequences: 32, length: 64 }
const plan = (layout: Partial<Layout>, more: object = {}) =>
  planLayout(config, { ...batch, ...more }, { ...defaultLayout, ...layout })

test('what follows from a layout', () => {
  const planned = plan({ tensor: 4, pipeline: 2, data: 2, chunks: 2, microBatch: 2, sequenceParallel: true })
  assert.is(planned.microBatches, 8)
  assert.is(planned.rows, 128)
  assert.is(planned.rowShards, 4)
  // 203 tokens over 4 ranks: the last one's rows are padded.
  assert.is(planned.vocabularyRows, 51)
  assert.equal(planned.layersPerStage, [2, 2, 2, 2])
  assert.is(plan({ tensor: 2 }).rowShards, 1)
})

test('what model or batch cannot be divided into is refused', async () => {
  const wrong = (layout: Partial<Layout>, message: RegExp, more = {}) => refuses(() => plan(layout, more), 'ERR_LAYOUT', message)
  await wrong({ tensor: 3 }, /query heads.*expected a multiple of 3; found 4/)
  await wrong({ tensor: 8 }, /query heads/)
  await wrong({ sequenceParallel: true }, /tensor at least 2/)
  await wrong({ data: 3 }, /sequences of a step.*expected a multiple of 3; found 32/)
  await wrong({ data: 4, microBatch: 16 }, /expected a multiple of 64; found 32/)
  await wrong({ pipeline: 9 }, /at most 8 stages/)
  await wrong({ pipeline: 4, chunks: 3 }, /at most 8 stages/)
  await wrong({ pipeline: 3, chunks: 2 }, /a multiple of 3 micro-batches; found 32/)
  await wrong({ pipeline: 2, layersPerStage: [4, 5] }, /2 counts of at least 1 that sum to 8/)
  await wrong({ tensor: 4, sequenceParallel: true }, /rows of a micro-batch/, { length: 63 })
  await wrong({}, /position table.*expected at most 128; found 129/, { length: 129 })
  await wrong({ data: 2 ** 21 }, /too large to be planned/, { sequences: 2 ** 21 })
  await wrong({ pipeline: 2 }, /too many steps/, { sequences: 2 ** 22 })
  assert.is(plan({}, { sequences: 2 ** 40 }).microBatches, 2 ** 40)
  for (const value of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])
    await wrong({ tensor: value }, /tensor; expected a positive integer/)
  await refuses(
    () => planLayout({ ...config, nInner: 30 }, batch, { ...defaultLayout, tensor: 4 }),
    'ERR_LAYOUT',
    /the MLP cannot be divided/,
  )
})

test('the named models have the published numbers of parameters', () => {
  const counts = [...knownModels].map(([name, model]) => [name, parameterCount(model)])
  assert.equal(counts, [
    ['starcoderbase-15b', 15_517_456_384],
    ['starcoderbase-7b', 7_327_263_232],
    ['starcoderbase-3b', 3_043_311_104],
    ['starcoderbase-1b', 1_137_207_296],
  ])
})

test('balanced layers: the head of the 1B model is worth two layers', () => {
  assert.equal(balancedLayers(knownModels.get('starcoderbase-1b')!, 4), [6, 7, 7, 4])
})

test.run()
