import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Tape } from '../../src/autograd/index.ts'
import { GPTBigCode, type GPTBigCodeConfig, rowsOf, type TrainingRows } from '../../src/models/index.ts'
import { AdamW, adamW } from '../../src/optim/index.ts'
import { device, scope } from '../../src/tensor/index.ts'
import { random, seed } from '../support/derivatives.ts'
import * as reference from '../support/reference.ts'

const small: Partial<GPTBigCodeConfig> = { vocabSize: 53, nPositions: 16, nEmbd: 32, nLayer: 2, nHead: 4, initializerRange: 0.3 }
const draw = (length: number) => Int32Array.from({ length }, () => random.below(53))

function training(sequences: readonly Int32Array[]): TrainingRows {
  const rows = rowsOf(sequences)
  const targets = Int32Array.from(rows.tokens, () => random.below(54) - 1)
  return { ...rows, targets, weights: Float32Array.from(targets, () => random.uniform()) }
}

async function gradientsOf(model: GPTBigCode, rows: TrainingRows, dropoutStep?: number): Promise<Float32Array> {
  const gradients = model.parameters.attachGradients()
  gradients.zero()
  const tape = new Tape()
  const losses = tape.run(() => model.losses(rows, dropoutStep))
  tape.backward(losses)
  losses.dispose()
  return (await gradients.tensor.read()) as Float32Array
}

/** Logits in float64, from the formulas. */
async function referenceLogits(
  model: GPTBigCode,
  tokens: Int32Array,
  positions: Int32Array,
  firstRow: Int32Array,
): Promise<Float64Array> {
  const { config } = model
  const D = config.nEmbd
  const weights = new Map<string, Float64Array>()
  for (const parameter of model.parameters.parameters) weights.set(parameter.name, Float64Array.from(await parameter.read()))
  const get = (name: string) => weights.get(`transformer.${name}`)!
  const norm = (h: Float64Array, name: string) =>
    reference.layerNorm(h, get(`${name}.weight`), get(`${name}.bias`), D, config.layerNormEpsilon)
  const project = (x: Float64Array, name: string, width: number, activation: reference.Activation = 'none') =>
    reference.linear(x, get(`${name}.weight`), get(`${name}.bias`), width, activation)
  let h = reference.embedding(tokens, positions, get('wte.weight'), get('wpe.weight'), D)
  const addTo = (branch: Float64Array) => {
    h = h.map((value, i) => value + branch[i]!)
  }
  for (let layer = 0; layer < config.nLayer; layer++) {
    const qkv = project(norm(h, `h.${layer}.ln_1`), `h.${layer}.attn.c_attn`, D)
    const scale = config.scaleAttnWeights ? 1 / Math.sqrt(D / config.nHead) : 1
    addTo(project(reference.attention(qkv, firstRow, model.heads, scale), `h.${layer}.attn.c_proj`, D))
    const activation = config.activationFunction === 'gelu' ? 'gelu' : 'geluTanh'
    const inner = project(norm(h, `h.${layer}.ln_2`), `h.${layer}.mlp.c_fc`, D, activation)
    addTo(project(inner, `h.${layer}.mlp.c_proj`, config.nInner ?? 4 * D))
  }
  return reference.linear(norm(h, 'ln_f'), get('wte.weight'), undefined, D)
}

for (const variant of [
  {},
  { multiQuery: false },
  { activationFunction: 'gelu', nInner: 40 },
  { scaleAttnWeights: false, layerNormEpsilon: 1e-2, nHead: 1 },
]) {
  test(`logits of packed sequences against float64: ${JSON.stringify(variant)}`, () =>
    scope(async () => {
      const model = GPTBigCode.create({ ...small, ...variant }, { seed })
      const rows = rowsOf([draw(9), draw(1), draw(16)])
      const expected = await referenceLogits(model, rows.tokens, rows.positions, rows.firstRow)
      const error = reference.relativeError(await model.logits(model.hidden(rows)).read(), expected)
      assert.ok(error < 5e-6, `relative error ${error}, seed ${seed}`)
      model.dispose()
    }))
}

test('a packed document does not see its neighbours, nor a token what follows it', () =>
  scope(async () => {
    const model = GPTBigCode.create(small, { seed })
    const [a, b, c] = [draw(7), draw(12), draw(5)]
    const alone = await model.hidden(rowsOf([b])).read()
    const packed = await model.hidden(rowsOf([a, b, c])).read()
    assert.ok(reference.relativeError(packed.subarray(7 * 32, 19 * 32), alone) < 1e-6)
    const prefix = await model.hidden(rowsOf([b.subarray(0, 8)])).read()
    assert.ok(reference.relativeError(prefix, alone.subarray(0, 8 * 32)) < 1e-6)
    model.dispose()
  }))

test('the gradient predicts the change of the objective along a random direction', () =>
  scope(async () => {
    for (const multiQuery of [true, false]) {
      const model = GPTBigCode.create({ ...small, multiQuery }, { seed })
      const rows = training([draw(9), draw(14)])
      const gradients = model.parameters.attachGradients()
      const gradient = await gradientsOf(model, rows)
      const objective = async () => reference.dot(await scope(() => model.losses(rows).read()), rows.weights)
      const [flat, layout] = [await model.parameters.flat.read(), model.parameters.segments()]
      assert.is(gradients.tensor.size, flat.length)
      assert.is(layout.length, 2)
      // Along the gradient itself the slope is its norm.
      const norm = Math.sqrt(reference.dot(gradient, gradient))
      const at = async (distance: number) => {
        model.parameters.flat.write(flat.map((value, i) => value + (distance * gradient[i]!) / norm))
        return objective()
      }
      const slope = ((await at(3e-3)) - (await at(-3e-3))) / 6e-3
      assert.ok(Math.abs(slope / norm - 1) < 5e-3, `slope ${slope}, norm ${norm}, seed ${seed}`)
      model.dispose()
    }
  }))

test('initial weights: standard deviations as GPTBigCode has them', async () => {
  const model = GPTBigCode.create({ ...small, nEmbd: 64, nLayer: 3, initializerRange: 0.02 }, { seed })
  for (const [name, std] of [
    ['wte', 0.02],
    ['h.1.attn.c_attn', 0.02],
    ['h.2.attn.c_proj', 0.02 / Math.sqrt(6)],
    ['h.0.mlp.c_proj', 0.02 / Math.sqrt(6)],
  ] as const) {
    const values = await model.parameters.get(`transformer.${name}.weight`).read()
    const found = Math.sqrt(reference.dot(values, values) / values.length)
    assert.ok(Math.abs(found / std - 1) < 0.1, `${name}: ${found}, expected ${std}`)
  }
  assert.ok((await model.parameters.get('transformer.h.0.ln_1.weight').read()).every(value => value === 1))
  assert.ok((await model.parameters.get('transformer.h.0.mlp.c_fc.bias').read()).every(value => value === 0))
  model.dispose()
})

test('checkpointing and dropout: the same gradients bit for bit, another step other ones', async () => {
  const rows = training([draw(9), draw(14)])
  const rates = { embdPdrop: 0.1, residPdrop: 0.2, attnPdrop: 0.3 }
  for (const dtype of ['f32', 'bf16'] as const) {
    const model = GPTBigCode.create({ ...small, ...rates }, { seed, dtype, dropout: 'config' })
    const stored = await gradientsOf(model, rows, 7)
    model.checkpointing = true
    assert.equal(await gradientsOf(model, rows, 7), stored)
    assert.not.equal(await gradientsOf(model, rows, 8), stored)
    const without = await gradientsOf(model, rows)
    assert.not.equal(without, stored)
    model.dispose()
    const undropped = GPTBigCode.create({ ...small, ...rates }, { seed, dtype })
    assert.equal(await gradientsOf(undropped, rows, 7), without, 'dropout is off unless asked for')
    undropped.dispose()
  }
})

test('frozen parts: no gradient, nothing recorded below the first trained one', async () => {
  const model = GPTBigCode.create(small, { seed })
  const rows = training([draw(9)])
  const full = await gradientsOf(model, rows)
  const offsets = model.parameters.stateOffsets()
  const expected = new Map([...offsets].map(([parameter, offset]) => [parameter, full.slice(offset, offset + parameter.size)]))
  model.parameters.detachGradients()
  model.parameters.freeze('transformer.w?e.*', 'transformer.h.0.*')
  const part = await gradientsOf(model, rows)
  const kept = [...model.parameters.stateOffsets()]
  assert.ok(kept.length > 0 && kept.every(([parameter]) => /h\.1|ln_f/.test(parameter.name)))
  for (const [parameter, offset] of kept) assert.equal(part.slice(offset, offset + parameter.size), expected.get(parameter))
  const tape = new Tape()
  tape.run(() => model.losses(rows)).dispose()
  assert.is(tape.operations[0], 'layerNorm')
  assert.is(tape.operations.length, 9)
  tape.dispose()
  model.dispose()
})

test('training memory is flat: 1000 steps with optimizer', async () => {
  const model = GPTBigCode.create({ ...small, nLayer: 1, nEmbd: 16, nHead: 2 }, { seed })
  const optimizer = new AdamW(model.parameters, model.parameters.attachGradients(), adamW({ lr: 1e-3 }))
  const rows = training([draw(5)])
  const memoryAt: number[] = []
  for (let step = 1; step <= 1000; step++) {
    const tape = new Tape()
    const losses = tape.run(() => model.losses(rows))
    tape.backward(losses)
    losses.dispose()
    optimizer.step(1e-3)
    if (step % 50 === 0 || step === 10) {
      await device().synchronize()
      memoryAt.push(device().memory().allocated)
    }
  }
  assert.ok(
    memoryAt.every(allocated => allocated === memoryAt[0]),
    `${memoryAt}`,
  )
  optimizer.dispose()
  model.dispose()
})

test('without a tape a forward pass holds one block at a time', () => {
  const [shallow, deep] = [2, 8].map(nLayer => GPTBigCode.create({ ...small, nLayer }, { seed }))
  const rows = rowsOf(Array.from({ length: 20 }, () => draw(16)))
  const peakOf = (model: GPTBigCode) => {
    device().resetPeak()
    const before = device().memory().allocated
    model.hidden(rows).dispose()
    return device().memory().peak - before
  }
  assert.is(peakOf(deep!), peakOf(shallow!))
  shallow!.dispose()
  deep!.dispose()
})

test('positions, tokens and lengths out of range are refused before anything runs', () => {
  const model = GPTBigCode.create(small)
  const refused = (rows: TrainingRows, code: string, pattern: RegExp) =>
    assert.throws(
      () => model.losses(rows),
      (error: { code?: string; message: string }) => error.code === code && pattern.test(error.message),
    )
  const rows = training([draw(16)])
  refused(training([draw(17)]), 'ERR_SEQUENCE_LENGTH', /positions below 16.*position 16 in row 16/)
  refused({ ...rows, tokens: rows.tokens.with(3, 53) }, 'ERR_INDEX', /53 in row 3/)
  refused({ ...rows, tokens: rows.tokens.with(3, -1) }, 'ERR_INDEX', /-1 in row 3/)
  refused({ ...rows, targets: rows.targets.with(3, 53) }, 'ERR_INDEX', /target 53/)
  refused({ ...rows, weights: new Float32Array(3) }, 'ERR_SHAPE', /weights/)
  model.dispose()
})

test('model FLOPs: six a matrix weight, and attention', () => {
  const model = GPTBigCode.create(small)
  const block = 32 * 48 + 32 * 32 + 2 * 32 * 128
  assert.is(model.flopsPerToken(16), 6 * (2 * block + 53 * 32) + 6 * 2 * 32 * 17)
  assert.is(
    model.countParameters(),
    model.parameters.parameters.reduce((sum, parameter) => sum + parameter.size, 0),
  )
  model.dispose()
})

test.run()
