/** Bytes of ranks: exactly the one-process formula on one rank, and nothing lost or doubled when divided. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { completeConfig, parameterCount, trainingBytes } from '../../src/models/index.ts'
import {
  chunkActivations, defaultLayout, type Layout, peakInFlight, pipelineSchedule, planLayout, rankBytes, rankParameters,
} from '../../src/parallel/index.ts' // biome-ignore format: one line
import { random } from '../support/random.ts'

const pick = <T>(values: readonly T[]): T => values[random.below(values.length)]!

function randomConfig() {
  const nHead = pick([4, 8])
  return completeConfig({
    nLayer: pick([4, 8]),
    nHead,
    nEmbd: nHead * 8 * pick([1, 2]),
    vocabSize: 8 * (10 + random.below(50)),
    nPositions: 64 + random.below(64),
    multiQuery: pick([true, false]),
    nInner: pick([null, 96]),
  })
}

test('on one rank: exactly trainingBytes', () => {
  for (let trial = 0; trial < 200; trial++) {
    const config = { ...randomConfig(), nLayer: 1 + random.below(6) }
    const [dtype, checkpointing, stochasticRounding] = [pick(['f32', 'bf16'] as const), pick([true, false]), pick([true, false])]
    const microBatch = pick([1, 2, 4])
    const layout = planLayout(config, { sequences: 8, length: 64 }, { ...defaultLayout, microBatch, checkpointing })
    const { communication, workspace, total, ...kinds } = rankBytes(config, layout, 0, dtype, stochasticRounding)
    const whole = trainingBytes(config, { dtype, rows: 64 * microBatch, checkpointing, stochasticRounding })
    assert.equal({ ...kinds, total: total - workspace }, whole, JSON.stringify({ config, dtype, checkpointing }))
    assert.is(communication, 0)
  }
})

test('the parameters of all ranks are those of the model, with what is replicated counted as often as it is there', () => {
  for (let trial = 0; trial < 50; trial++) {
    const config = randomConfig()
    const { nEmbd: D, nLayer: L, nHead: H, nPositions } = config
    const [tensor, pipeline] = [pick([1, 2, 4]), pick([1, 2, 4])]
    const layout = planLayout(config, { sequences: 8, length: 64 }, { ...defaultLayout, tensor, pipeline })
    let sum = 0
    for (let rank = 0; rank < pipeline; rank++) sum += tensor * rankParameters(config, layout, rank)
    const keyValue = config.multiQuery ? ((2 * D) / H) * (D + 1) : 0
    // Norms (two a block), the biases of the two row-parallel products, keys and values; positions and the final norm.
    const replicated = L * (4 * D + 2 * D + keyValue) + nPositions * D + 2 * D
    const secondEmbedding = pipeline > 1 ? config.vocabSize * D : 0
    assert.is(sum, parameterCount(config) + (tensor - 1) * replicated + secondEmbedding)
  }
})

test('ZeRO-1 divides moments and master weights by the data group, and nothing else of the state', () => {
  const config = randomConfig()
  const of = (zero: boolean) => {
    const layout = planLayout(config, { sequences: 8, length: 64 }, { ...defaultLayout, data: 4, zero })
    return rankBytes(config, layout, 0, 'bf16')
  }
  const [divided, whole] = [of(true), of(false)]
  assert.is(divided.moments, 8 * Math.ceil(parameterCount(config) / 4))
  assert.is(divided.master * 2, divided.moments)
  assert.is(whole.moments, 8 * parameterCount(config))
  assert.equal(
    [divided.parameters, divided.gradients, divided.activations],
    [whole.parameters, whole.gradients, whole.activations],
  )
})

test('activations in flight: P micro-batches on the first stage, one on the last; v chunks cost 1 + (P − 1)/(P·v) of the model', () => {
  const config = completeConfig({ nLayer: 16, nEmbd: 64, nHead: 4, vocabSize: 128, nPositions: 64 })
  for (const chunks of [1, 2, 4]) {
    const shape: Layout = { ...defaultLayout, pipeline: 4, chunks }
    const layout = planLayout(config, { sequences: 32, length: 64 }, shape)
    const { saved } = chunkActivations(config, layout, 0, 'bf16')
    const held = (rank: number) => peakInFlight(pipelineSchedule({ stages: 4, rank, microBatches: 32, chunks }), () => saved)
    const model = saved * 4 * chunks
    const expected = chunks === 1 ? 1 : 1 + 3 / (4 * chunks)
    assert.ok(Math.abs(held(0) / model - expected) < 1e-12)
    const bytes = [0, 1, 2, 3].map(rank => rankBytes(config, layout, rank, 'bf16').activations)
    assert.ok(bytes[0]! >= held(0) && bytes[0]! < held(0) + 2 * saved)
    assert.ok(bytes[0]! > bytes[1]! && bytes[1]! > bytes[2]!)
  }
})

test('tensor and sequence parallelism, and checkpointing, each make activations smaller', () => {
  for (let trial = 0; trial < 30; trial++) {
    const config = randomConfig()
    const bytes = (layout: Partial<Layout>) => {
      const planned = planLayout(config, { sequences: 8, length: 64 }, { ...defaultLayout, ...layout })
      return rankBytes(config, planned, 0, 'bf16').activations
    }
    for (const checkpointing of [false, true]) {
      assert.ok(bytes({ tensor: 4, checkpointing }) < bytes({ tensor: 2, checkpointing }))
      assert.ok(bytes({ tensor: 2, checkpointing }) < bytes({ checkpointing }))
      assert.ok(bytes({ tensor: 4, sequenceParallel: true, checkpointing }) < bytes({ tensor: 4, checkpointing }))
    }
    assert.ok(bytes({ checkpointing: true }) < bytes({}))
  }
})

test.run()
