/** Whole training steps on another device (AURORA_TEST_DEVICE) against the CPU: losses, gradients and weights; and the same again, bit for bit. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { GlobalBatch } from '../../src/data/index.ts'
import { Decoder, GPTBigCode, type GPTBigCodeConfig } from '../../src/models/index.ts'
import { sample } from '../../src/ops/index.ts'
import { adamW } from '../../src/optim/index.ts'
import { device, scope } from '../../src/tensor/index.ts'
import { SingleLearner } from '../../src/train/index.ts'
import { random, seed } from '../support/derivatives.ts'
import { relativeError } from '../support/reference.ts'

const [vocabulary, length, sequences] = [61, 24, 3]
const config: Partial<GPTBigCodeConfig> = {
  vocabSize: vocabulary,
  nPositions: length,
  nEmbd: 48,
  nHead: 3,
  nLayer: 2,
  initializerRange: 0.1,
  embdPdrop: 0.1,
  residPdrop: 0.1,
  attnPdrop: 0.1,
}
const steps = 2

/** Sequences of two documents each; some rows have no target. */
function drawBatch(step: number): GlobalBatch {
  const sequence = () => {
    const cut = 1 + random.below(length - 1)
    const of = (value: (t: number) => number) => Int32Array.from({ length }, (_, t) => value(t))
    return {
      domain: 0,
      tokens: of(() => random.below(vocabulary)),
      targets: of(() => random.below(vocabulary + 1) - 1),
      positions: of(t => (t < cut ? t : t - cut)),
      firstRow: of(t => (t < cut ? 0 : cut)),
    }
  }
  return new GlobalBatch({ step, stage: 'test', domains: ['all'], sequences: Array.from({ length: sequences }, sequence) })
}
const batches = Array.from({ length: steps }, (_, step) => drawBatch(step))

interface Run {
  losses: number[]
  norms: number[]
  gradients: Float32Array[]
  weights: Float32Array
  bytes: string
  tokens: number[]
}

interface Variant {
  dtype: 'f32' | 'bf16'
  stochasticRounding: boolean
  checkpointing: boolean
  multiQuery: boolean
}

async function run(on: string, { dtype, stochasticRounding, checkpointing, multiQuery }: Variant): Promise<Run> {
  const model = GPTBigCode.create({ ...config, multiQuery }, { seed: 7, dtype, device: on, dropout: 'config' })
  model.checkpointing = checkpointing
  const learner = new SingleLearner(model, adamW({ lr: 1e-3, stochasticRounding }), 2, 11)
  const [losses, norms, gradients]: [number[], number[], Float32Array[]] = [[], [], []]
  for (const batch of batches) {
    const { loss, gradNorm } = await learner.step(batch, 1e-3)
    losses.push(loss)
    norms.push(gradNorm)
    gradients.push((await model.parameters.attachGradients().tensor.read()) as Float32Array)
  }
  const weights = (await model.parameters.flat.read()) as Float32Array
  const bytes = Buffer.from(await model.parameters.flat.readBytes()).toString('base64')
  const tokens = await generate(model)
  learner.dispose()
  model.dispose()
  return { losses, norms, gradients, weights, bytes, tokens }
}

/** Two sequences by sampling, through the cache. */
function generate(model: GPTBigCode): Promise<number[]> {
  return scope(async () => {
    using decoder = new Decoder(model, { batch: 2, length: 8 })
    let logits = decoder.prefill([[1, 2, 3], [4]])
    const tokens: number[] = []
    for (let step = 0; step < 4; step++) {
      const picked = await sample(logits, {
        temperature: 0.8,
        topK: 20,
        topP: 0.9,
        random: [seed >>> 0, 0, step, 0],
      }).tokens.read()
      tokens.push(...picked)
      logits = decoder.step([...picked])
    }
    return tokens
  })
}

/** Relative errors allowed between devices: orders of summation differ, and bf16 values are rounded at many places on the way. */
const allowed = {
  f32: { loss: 1e-5, norm: 1e-4, gradient: 1e-4, weights: 1e-4 },
  bf16: { loss: 3e-3, norm: 2e-2, gradient: 4e-2, weights: 5e-3 },
} as const

const other = device().name
for (const variant of [
  { dtype: 'f32', stochasticRounding: false, checkpointing: false, multiQuery: true },
  { dtype: 'f32', stochasticRounding: false, checkpointing: true, multiQuery: false },
  { dtype: 'bf16', stochasticRounding: false, checkpointing: true, multiQuery: true },
  { dtype: 'bf16', stochasticRounding: true, checkpointing: false, multiQuery: true },
] as const) {
  test(`training steps on ${other} as on the CPU: ${JSON.stringify(variant)}, seed ${seed}`, async () => {
    const expected = await run('cpu', variant)
    const found = await run(other, variant)
    const most = allowed[variant.dtype]
    const near = (what: string, error: number, limit: number) =>
      assert.ok(error < limit, `${what}: ${error.toExponential(2)} off`)
    for (let step = 0; step < steps; step++) {
      near(`loss of step ${step}`, Math.abs(found.losses[step]! / expected.losses[step]! - 1), most.loss)
      near(`norm of step ${step}`, Math.abs(found.norms[step]! / expected.norms[step]! - 1), most.norm)
      near(`gradient of step ${step}`, relativeError(found.gradients[step]!, expected.gradients[step]!), most.gradient)
    }
    near('weights', relativeError(found.weights, expected.weights), most.weights)
    if (variant.dtype === 'f32') assert.equal(found.tokens, expected.tokens, 'sampled tokens')
    const again = await run(other, variant)
    assert.equal(again, found, 'the same again')
  })
}

test.run()
