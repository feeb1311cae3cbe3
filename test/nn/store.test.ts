import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ParameterStore, type ParameterTree } from '../../src/nn/index.ts'
import { device } from '../../src/tensor/index.ts'

const normal = { kind: 'normal', std: 0.5 } as const
const tree: ParameterTree = {
  embedding: { weight: { shape: [5, 7], initial: normal } },
  layers: {
    0: {
      norm: { weight: { shape: [7], initial: { kind: 'constant', value: 1 } } },
      linear: { weight: { shape: [3, 7], initial: normal }, bias: { shape: [3], initial: { kind: 'constant', value: 0 } } },
    },
    1: { linear: { weight: { shape: [9, 9], initial: normal } } },
  },
}
const make = (dtype: 'f32' | 'bf16' = 'f32') => new ParameterStore(tree, { dtype, device: device() })

test('one flat buffer: matrices first, starts aligned, zeros between, names in the declared order', async () => {
  const store = make()
  store.initialize(3)
  assert.equal(
    store.parameters.map(({ name, offset, decay }) => [name, offset, decay]),
    [
      ['embedding.weight', 0, true],
      ['layers.0.norm.weight', 192, false],
      ['layers.0.linear.weight', 64, true],
      ['layers.0.linear.bias', 224, false],
      ['layers.1.linear.weight', 96, true],
    ],
  )
  assert.is(store.count(), 35 + 7 + 21 + 3 + 81)
  const flat = await store.flat.read()
  assert.is(flat.length, 256)
  for (const parameter of store.parameters) {
    assert.equal(flat.slice(parameter.offset, parameter.offset + parameter.size), await parameter.read())
  }
  assert.ok(flat.slice(35, 64).every(value => value === 0))
  store.dispose()
})

test('initial values are a function of the seed, rounded in bf16', async () => {
  const [a, b, other, rounded] = [make(), make(), make(), make('bf16')]
  for (const [store, seed] of [
    [a, 3],
    [b, 3],
    [other, 4],
    [rounded, 3],
  ] as const)
    store.initialize(seed)
  const values = await a.flat.read()
  assert.equal(await b.flat.read(), values)
  assert.not.equal(await other.flat.read(), values)
  const near = await rounded.flat.read()
  assert.ok(values.every((value, i) => Math.abs(value - near[i]!) <= Math.abs(value) / 256))
  assert.equal(await a.get('layers.0.norm.weight').read(), new Float32Array(7).fill(1))
  for (const store of [a, b, other, rounded]) store.dispose()
})

test('segments: runs of trainable parameters of equal decay; gradients only for these', async () => {
  const store = make()
  const brief = () => store.segments().map(({ offset, length, stateOffset, decay }) => [offset, length, stateOffset, decay])
  assert.equal(brief(), [
    [0, 192, 0, true],
    [192, 64, 192, false],
  ])
  store.freeze('layers.0.linear.*')
  store.withoutDecay('embedding.*')
  assert.equal(brief(), [
    [0, 64, 0, false],
    [96, 96, 64, true],
    [192, 32, 160, false],
  ])
  const gradients = store.attachGradients()
  assert.is(gradients.tensor.size, 192)
  assert.is(store.get('layers.0.linear.weight').gradient, undefined)
  store.get('layers.0.norm.weight').gradient!.write([3, 0, 0, 0, 0, 0, 4])
  assert.is(await gradients.norm(), 5)
  gradients.zero()
  assert.is(await gradients.norm(), 0)
  assert.throws(() => store.freeze('*'), /gradient buffers exist/)
  store.detachGradients()
  store.freeze('*')
  assert.equal(brief(), [])
  store.dispose()
})

test('unknown names and patterns are errors that show what there is', () => {
  const store = make()
  assert.throws(() => store.freeze('*.nothing'), /no parameter matches "\*\.nothing"/)
  assert.throws(() => store.get('nothing'), /embedding\.weight/)
  store.dispose()
})

test('disposing frees everything', () => {
  const before = device().memory()
  const store = make()
  store.attachGradients()
  store.dispose()
  assert.equal([device().memory().tensors, device().memory().allocated], [before.tensors, before.allocated])
})

test.run()
