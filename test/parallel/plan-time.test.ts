/** The model of time against what can be said by hand. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { completeConfig, trainingFlopsPerToken } from '../../src/models/index.ts'
import {
  checkMachine, defaultLayout, type Layout, type Machine, planLayout, rankParameters, stageTotal, stepTime, type TimeOptions,
} from '../../src/parallel/index.ts' // biome-ignore format: one line

const close = (found: number, expected: number, tolerance = 1e-9) =>
  assert.ok(Math.abs(found / expected - 1) < tolerance, `${found}, expected ${expected}`)

const config = completeConfig({ nLayer: 8, nEmbd: 512, nHead: 8, vocabSize: 1024, nPositions: 256 })
const batch = { sequences: 32, length: 256 }
const fast = 1e30
/** Arithmetic is all that takes time. */
const ideal: Machine = checkMachine(
  {
    name: 'ideal',
    memory: fast,
    peak: { bf16: 1e12, f32: 1e12 },
    memoryBandwidth: fast,
    devicesPerNode: 8,
    links: [{ devices: 8, bandwidth: fast, latency: 0 }],
    network: { bandwidth: fast, latency: 0 },
    shares: { gemm: 1, gemmHalf: 0, attention: 1, memory: 1, link: 1 },
  },
  'ideal',
)
const time = (layout: Partial<Layout> = {}, machine = ideal, options: TimeOptions = {}) =>
  stepTime(config, batch, planLayout(config, batch, { ...defaultLayout, ...layout }), machine, options)

test("where only arithmetic takes time, a step's time is its FLOPs over the peak", () => {
  const { nLayer: L, nEmbd: D } = config
  const tokens = batch.sequences * batch.length
  // Model FLOPs count attention's backward pass twice; the fused kernel does it 2.5 times.
  const recomputedScores = L * 0.5 * 2 * D * (batch.length + 1)
  const perToken = trainingFlopsPerToken(config, batch.length) + recomputedScores
  close(time().step, (tokens * perToken) / 1e12)
  close(time().mfu, trainingFlopsPerToken(config, batch.length) / perToken)
  close(time().tokensPerSecond, tokens / time().step)
  // With checkpointing the blocks' forward pass once more; the head is no block.
  const again = (trainingFlopsPerToken({ ...config, vocabSize: 0 }, batch.length) / 3) * tokens
  close(time({ checkpointing: true }).step - time().step, again / 1e12)
  close(
    time({ checkpointing: true }).hardwareFlops / time({ checkpointing: true }).modelFlops,
    (tokens * trainingFlopsPerToken(config, batch.length) + again) / (tokens * trainingFlopsPerToken(config, batch.length)),
  )
})

test('data parallelism divides the time; tensor parallelism nearly: keys and values are computed by all', () => {
  close(time({ data: 4 }).step, time().step / 4)
  const keyValue = ((6 * config.nLayer * (2 * config.nEmbd * config.nEmbd)) / config.nHead) * batch.sequences * batch.length
  close(time({ tensor: 4 }).step, time().step / 4 + (keyValue * 3) / 4 / 1e12)
})

test('a pipeline of equal stages waits (P − 1)/(v·m)', () => {
  // Without a head that weighs anything.
  const headless = { ...config, vocabSize: 1 }
  for (const chunks of [1, 2]) {
    const layout = planLayout(headless, batch, { ...defaultLayout, pipeline: 4, chunks })
    close(stepTime(headless, batch, layout, ideal).bubble, 3 / (32 * chunks), 1e-2)
  }
})

test('smaller products reach less of the peak: half of it at side gemmHalf', () => {
  const { nEmbd: D } = config
  const one = { ...config, nLayer: 1, nInner: D, multiQuery: false, vocabSize: 8 }
  const rows = { sequences: 2, length: 256 }
  const gemm = (gemmHalf: number) => {
    const machine = { ...ideal, shares: { ...ideal.shares, gemmHalf } }
    return stepTime(one, rows, planLayout(one, rows, { ...defaultLayout, microBatch: 2 }), machine).forward[0]!.gemm
  }
  // Three products of 512 × 512 × 512, one of thrice that, and a head of 512 × 512 × 8.
  const side = 512
  const wide = side * Math.cbrt(3)
  const head = side * Math.cbrt(1 / 64)
  const unit = (2 * side ** 3) / 1e12
  const slower = (s: number) => 1 + side / s
  close(gemm(0), unit * (6 + 1 / 64))
  close(gemm(side), unit * (3 * slower(side) + 3 * slower(wide) + slower(head) / 64))
})

test('communication: bytes and seconds of each group by hand', () => {
  const slow: Machine = {
    ...ideal,
    links: [{ devices: 8, bandwidth: 1e9, latency: 1e-3 }],
    network: { bandwidth: 8e8, latency: 1e-2 },
  }
  const D = config.nEmbd
  // Tensor 4, sequence parallel, one micro-batch of 256 rows: each collective sends 3/4 of 256·D bf16 values.
  const tensor = time({ tensor: 4, sequenceParallel: true }, slow).traffic.filter(({ group }) => group === 'tensor')
  const part = 0.75 * 256 * D * 2
  const forward = tensor.find(({ what }) => what.includes('blocks forward'))!
  assert.is(forward.calls, 4 * 8 * 32)
  close(forward.bytes, 4 * 8 * 32 * part)
  close(forward.seconds, 4 * 8 * 32 * (3e-3 + part / 1e9))
  // Without sequence parallelism an all-reduce each: half the calls, the same bytes.
  const whole = time({ tensor: 4 }, slow).traffic.find(({ what }) => what.includes('blocks forward'))!
  assert.equal([whole.calls, whole.bytes], [forward.calls / 2, forward.bytes])
  // Data 16 over two nodes: the ring has all of a node's network.
  const layout = planLayout(config, batch, { ...defaultLayout, data: 16, zero: true })
  const count = rankParameters(config, layout, 0)
  const [reduce, gather] = stepTime(config, batch, layout, slow).traffic
  close(reduce!.bytes, (15 / 16) * 4 * count)
  close(reduce!.seconds, 15e-2 + ((15 / 16) * 4 * count) / 8e8)
  close(gather!.bytes, (15 / 16) * 2 * count)
  const allReduce = time({ data: 16 }, slow).traffic[0]!
  close(allReduce.bytes, (2 * 15 * 4 * count) / 16)
  // Pipeline 2: 32 micro-batches, one tensor each way; and the tied embedding.
  const piped = time({ pipeline: 2 }, slow)
  const sent = piped.traffic.find(({ group }) => group === 'pipeline')!
  assert.equal([sent.calls, sent.bytes], [64, 64 * 256 * D * 2])
  close(piped.transfer, 1e-3 + (256 * D * 2) / 1e9)
  close(piped.embedding, 2e-3 + (4 * 1024 * D) / 1e9)
})

test('the parts of a step sum to it, and the tensor group is in the stages', () => {
  const slow: Machine = { ...ideal, links: [{ devices: 8, bandwidth: 1e9, latency: 1e-3 }], memoryBandwidth: 1e11 }
  const found = time({ tensor: 2, pipeline: 2, data: 2, sequenceParallel: true, zero: true, checkpointing: true }, slow)
  close(found.step, found.pipeline + found.reduction + found.embedding + found.optimizer)
  const tensor = found.traffic.filter(({ group, what }) => group === 'tensor' && what.includes('blocks'))
  const blocks = tensor.reduce((sum, { seconds }) => sum + seconds, 0)
  // Both stages have as many blocks, the first one the embedding, the last one the head.
  const inStages = found.forward.map(({ tensor }, stage) => tensor + found.backward[stage]!.tensor)
  assert.ok(
    inStages.every(seconds => 16 * seconds > blocks * 0.999 && 16 * seconds < blocks * 1.2),
    `${inStages} ${blocks}`,
  )
  assert.ok(found.pipeline >= 16 * Math.max(...found.forward.map((pass, i) => stageTotal(pass) + stageTotal(found.backward[i]!))))
})

test('unfused attention takes longer', () => {
  const real: Machine = { ...ideal, memoryBandwidth: 1e11 }
  assert.ok(time({}, real, { attention: 'unfused' }).step > time({}, real).step)
})

test.run()
