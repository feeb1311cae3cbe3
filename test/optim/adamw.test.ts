import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ParameterStore, type ParameterTree } from '../../src/nn/index.ts'
import { AdamW, adamW, clipScale } from '../../src/optim/index.ts'
import { device, scope } from '../../src/tensor/index.ts'
import { noise, seed } from '../support/derivatives.ts'
import { relativeError } from '../support/reference.ts'

const tree: ParameterTree = {
  a: {
    weight: { shape: [7, 5], initial: { kind: 'normal', std: 1 } },
    bias: { shape: [7], initial: { kind: 'normal', std: 1 } },
  },
  b: { weight: { shape: [3, 11], initial: { kind: 'normal', std: 1 } } },
}

function setUp(dtype: 'f32' | 'bf16') {
  const store = new ParameterStore(tree, { dtype, device: device() })
  store.initialize(seed)
  const gradients = store.attachGradients()
  const optimizer = new AdamW(store, gradients, adamW({ lr: 0.01, betas: [0.8, 0.95], eps: 1e-6, weightDecay: 0.1 }))
  const drawGradients = () => {
    for (const parameter of store.parameters) parameter.gradient!.write(noise(parameter.size))
  }
  const dispose = () => {
    optimizer.dispose()
    store.dispose()
  }
  return { store, optimizer, drawGradients, dispose }
}

for (const dtype of ['f32', 'bf16'] as const) {
  test(`${dtype}: five updates against the formulas in float64`, async () => {
    const { store, optimizer, drawGradients, dispose } = setUp(dtype)
    const state = new Map(
      await Promise.all(
        store.parameters.map(async parameter => {
          const weight = Float64Array.from(await parameter.read())
          return [parameter, { weight, m: weight.map(() => 0), v: weight.map(() => 0) }] as const
        }),
      ),
    )
    for (let t = 1; t <= 5; t++) {
      drawGradients()
      for (const [parameter, { weight, m, v }] of state) {
        const gradient = await parameter.gradient!.read()
        for (let i = 0; i < weight.length; i++) {
          const g = gradient[i]! * 0.7
          m[i] = 0.8 * m[i]! + 0.2 * g
          v[i] = 0.95 * v[i]! + 0.05 * g * g
          const update = m[i]! / (1 - 0.8 ** t) / (Math.sqrt(v[i]! / (1 - 0.95 ** t)) + 1e-6)
          weight[i]! -= 0.01 * t * (update + (parameter.decay ? 0.1 * weight[i]! : 0))
        }
      }
      optimizer.step(0.01 * t, 0.7)
    }
    await scope(async () => {
      const masters = new Map(optimizer.state().map(({ name, tensor }) => [name, tensor]))
      for (const [parameter, { weight, m, v }] of state) {
        const values = await parameter.read()
        assert.ok(relativeError(values, weight) < (dtype === 'f32' ? 1e-6 : 3e-3), `${parameter.name}, seed ${seed}`)
        assert.ok(relativeError(await masters.get(`exp_avg.${parameter.name}`)!.read(), m) < 1e-6)
        assert.ok(relativeError(await masters.get(`exp_avg_sq.${parameter.name}`)!.read(), v) < 1e-6)
        const master = masters.get(`master.${parameter.name}`)
        assert.is(master !== undefined, dtype === 'bf16')
        if (master) assert.ok(relativeError(await master.read(), weight) < 1e-6)
      }
    })
    dispose()
  })

  test(`${dtype}: a saved state goes on bit for bit`, async () => {
    const [first, second] = [setUp(dtype), setUp(dtype)]
    for (let step = 0; step < 3; step++) {
      first.drawGradients()
      first.optimizer.step(0.02)
    }
    await scope(async () => {
      const saved = new Map<string, Uint8Array>()
      for (const { name, tensor } of first.optimizer.state()) saved.set(name, await tensor.readBytes())
      second.store.flat.writeBytes(await first.store.flat.readBytes(), dtype)
      await second.optimizer.load(first.optimizer.steps, async (name, tensor) => tensor.writeBytes(saved.get(name)!, 'f32'))
    })
    for (let step = 0; step < 3; step++) {
      first.drawGradients()
      for (const [i, parameter] of first.store.parameters.entries()) {
        second.store.parameters[i]!.gradient!.write(await parameter.gradient!.read())
      }
      for (const { optimizer } of [first, second]) optimizer.step(0.02)
    }
    assert.equal(await second.store.flat.readBytes(), await first.store.flat.readBytes())
    first.dispose()
    second.dispose()
  })
}

test('small updates to bf16 weights are not lost: the master weights keep them', async () => {
  const { store, optimizer, dispose } = setUp('bf16')
  const before = await store.get('a.bias').read()
  for (const parameter of store.parameters) parameter.gradient!.write(new Float32Array(parameter.size).fill(1))
  for (let step = 0; step < 400; step++) optimizer.step(1e-4)
  const moved = (await store.get('a.bias').read()).map((value, i) => value - before[i]!)
  assert.ok(
    moved.every(change => Math.abs(change + 0.04) < 0.01),
    `${moved}`,
  )
  dispose()
})

test('stochastic rounding: no master weights, and small updates move the mean', async () => {
  const tree: ParameterTree = { a: { weight: { shape: [4096], initial: { kind: 'constant', value: 1 } } } }
  const run = async () => {
    const store = new ParameterStore(tree, { dtype: 'bf16', device: device() })
    store.initialize(seed)
    const optimizer = new AdamW(
      store,
      store.attachGradients(),
      adamW({ lr: 1e-4, weightDecay: 0, stochasticRounding: true }),
      seed,
    )
    store.get('a.weight').gradient!.write(new Float32Array(4096).fill(1))
    for (let step = 0; step < 20; step++) optimizer.step(1e-4)
    const state = scope(() => optimizer.state().map(({ name }) => name))
    assert.equal(state, ['exp_avg.a.weight', 'exp_avg_sq.a.weight'])
    const values = (await store.get('a.weight').read()) as Float32Array
    optimizer.dispose()
    store.dispose()
    return values
  }
  const values = await run()
  const mean = values.reduce((sum, value) => sum + value / values.length, 0)
  // 20 updates of 1e-4, each a 39th of the distance to the next bf16: deviation of the mean 5e-5 or less.
  assert.ok(Math.abs(mean - 0.998) < 3e-4, `mean ${mean}, seed ${seed}`)
  assert.ok(new Set(values).size > 1)
  assert.equal(await run(), values)
})

test('stochastic rounding of a parameter does not depend on which others are trained', async () => {
  const run = async (...frozen: string[]) => {
    const store = new ParameterStore(tree, { dtype: 'bf16', device: device() })
    store.initialize(3)
    store.freeze(...frozen)
    const optimizer = new AdamW(store, store.attachGradients(), adamW({ lr: 0.01, stochasticRounding: true }), 5)
    store.get('b.weight').gradient!.write(Float32Array.from({ length: 33 }, (_, i) => Math.sin(i)))
    optimizer.step(0.01)
    const values = await store.get('b.weight').read()
    optimizer.dispose()
    store.dispose()
    return values
  }
  assert.equal(await run('a.*'), await run())
})

test('frozen parameters stay as they are', async () => {
  const store = new ParameterStore(tree, { dtype: 'f32', device: device() })
  store.initialize(1)
  store.freeze('a.weight')
  const optimizer = new AdamW(store, store.attachGradients(), adamW({ lr: 0.1 }))
  const [frozen, trained] = await Promise.all(['a.weight', 'b.weight'].map(name => store.get(name).read()))
  optimizer.step(0.1)
  assert.equal(await store.get('a.weight').read(), frozen)
  assert.not.equal(await store.get('b.weight').read(), trained)
  optimizer.dispose()
  store.dispose()
})

test('everything is freed', () => {
  const before = device().memory()
  setUp('bf16').dispose()
  assert.equal([device().memory().tensors, device().memory().allocated], [before.tensors, before.allocated])
})

test('clipping and settings', () => {
  assert.is(clipScale(0.5, 1), 1)
  assert.is(clipScale(4, 1), 1 / (4 + 1e-6))
  assert.is(clipScale(1e9, undefined), 1)
  assert.is(adamW({ lr: 0.1 }).lr.at(7), 0.1)
  assert.throws(() => adamW({ lr: 0.1, betas: [0.9, 1] }), /betas/)
  assert.throws(() => adamW({ lr: 0.1, weightDecay: -1 }), /weightDecay/)
})

test.run()
