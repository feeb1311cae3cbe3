import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { checkpoint, isRecording, noGrad, Tape, willRecord } from '../../src/autograd/index.ts'
import { add, layerNorm, linear, linearCrossEntropy, multiQueryAttention, scale } from '../../src/ops/index.ts'
import { device, scope, type Tensor, tensor, zeros } from '../../src/tensor/index.ts'
import { noise } from '../support/derivatives.ts'

const memory = () => device().memory()

/** A small network with everything in it: linear layers with GELU, norm with residual, attention, loss. */
function network(checkpointed: boolean) {
  const [rows, width, classes] = [12, 16, 10]
  const parameter = (...shape: number[]) => {
    const made = tensor(noise(shape.reduce((a, b) => a * b)), shape)
    made.gradient = zeros(shape)
    return made
  }
  const parameters = {
    gamma: parameter(width),
    beta: parameter(width),
    qkv: parameter(32, width),
    out: parameter(width, width),
    up: parameter(24, width),
    down: parameter(width, 24),
    head: parameter(classes, width),
  }
  const x = tensor(noise(rows * width), [rows, width])
  const firstRow = tensor(Int32Array.from({ length: rows }, (_, i) => (i < 5 ? 0 : 5)))
  const targets = tensor(Int32Array.from({ length: rows }, (_, i) => i % classes))
  const block = (h: Tensor, starts: Tensor): [Tensor, Tensor] => {
    const [h1, y1] = layerNorm(h, parameters.gamma, parameters.beta)
    const attended = linear(
      multiQueryAttention(linear(y1, parameters.qkv), starts, { heads: 2, keyHeads: 1, width: 8 }),
      parameters.out,
    )
    const [h2, y2] = layerNorm(attended, parameters.gamma, parameters.beta, { residual: h1 })
    return [h2, linear(linear(y2, parameters.up, undefined, 'gelu'), parameters.down)]
  }
  const forward = () =>
    scope(() => {
      let h = add(x, x)
      for (let layer = 0; layer < 3; layer++) {
        const from = h
        const run = () => block(from, firstRow)
        const [next, branch] = checkpointed ? checkpoint(run, [from, firstRow]) : scope(run)
        h = add(next, branch)
      }
      return linearCrossEntropy(h, parameters.head, targets).losses
    })
  return { parameters, x, forward }
}

test('recomputation gives the same gradients bit for bit, with less memory', () =>
  scope(async () => {
    const pass = async ({ parameters, x, forward }: ReturnType<typeof network>) => {
      const tape = new Tape()
      tape.watch(x)
      const before = memory().allocated
      const losses = tape.run(forward)
      const held = memory().allocated - before
      tape.backward(losses)
      const results = [losses, tape.gradient(x)!, ...Object.values(parameters).map(parameter => parameter.gradient!)]
      const values = await Promise.all(results.map(result => result.read()))
      tape.dispose()
      return { values, held }
    }
    const [stored, recomputed] = [network(false), network(true)]
    recomputed.x.write(await stored.x.read())
    for (const name of Object.keys(stored.parameters) as (keyof typeof stored.parameters)[]) {
      recomputed.parameters[name].write(await stored.parameters[name].read())
    }
    const [expected, found] = [await pass(stored), await pass(recomputed)]
    assert.equal(found.values, expected.values)
    assert.ok(found.held < expected.held / 2, `${found.held} bytes held with checkpointing, ${expected.held} without`)
  }))

test('backward frees every activation but the root; dispose frees a pass that is given up', () =>
  scope(() => {
    const { forward } = network(false)
    const tape = new Tape()
    const before = memory()
    const losses = tape.run(forward)
    assert.ok(memory().tensors > before.tensors + 10)
    tape.backward(losses)
    assert.not.ok(losses.disposed)
    losses.dispose()
    assert.equal([memory().tensors, memory().allocated], [before.tensors, before.allocated])
    tape.run(forward).dispose()
    tape.dispose()
    assert.equal([memory().tensors, memory().allocated], [before.tensors, before.allocated])
  }))

test('no tensor leaks over 1000 steps', () =>
  scope(async () => {
    const networks = [network(false), network(true)]
    const step = (i: number) => {
      const tape = new Tape()
      const losses = tape.run(networks[i % 2]!.forward)
      tape.backward(losses)
      losses.dispose()
    }
    for (let i = 0; i < 10; i++) step(i)
    const before = memory()
    for (let i = 0; i < 1000; i++) {
      step(i)
      if (i % 100 === 0) await device().synchronize()
    }
    assert.is(memory().allocated, before.allocated)
    assert.is(memory().tensors, before.tensors)
  }))

test('operations on what is not trained are not recorded', () =>
  scope(() => {
    const [x, frozen, trained] = [tensor(noise(6), [2, 3]), tensor(noise(9), [3, 3]), tensor(noise(9), [3, 3])]
    trained.gradient = zeros([3, 3])
    const tape = new Tape()
    tape.run(() => {
      assert.ok(isRecording())
      assert.not.ok(willRecord(x, frozen))
      const y = linear(linear(x, frozen, undefined, 'gelu'), trained)
      noGrad(() => {
        assert.not.ok(isRecording())
        linear(y, trained)
      })
      scale(y, 2)
    })
    assert.equal(tape.operations, ['linear', 'scale'])
    tape.dispose()
    assert.not.ok(isRecording())
  }))

test('a checkpoint whose function trains nothing is not recorded, and one that trains inside is', () =>
  scope(() => {
    const [x, frozen, trained] = [tensor(noise(6), [2, 3]), tensor(noise(9), [3, 3]), tensor(noise(9), [3, 3])]
    trained.gradient = zeros([3, 3])
    const tape = new Tape()
    tape.run(() => {
      const [y] = checkpoint((h: Tensor) => [linear(h, frozen)], [x])
      checkpoint((h: Tensor) => [linear(h, trained)], [y!])
    })
    assert.equal(tape.operations, ['checkpoint'])
    tape.dispose()
  }))

test('gradients add up over passes, and over both uses of one input', () =>
  scope(async () => {
    const [x, weight] = [tensor([1, 2], [1, 2]), tensor([3, 4], [1, 2])]
    weight.gradient = zeros([1, 2])
    for (let pass = 1; pass <= 2; pass++) {
      const tape = new Tape()
      const y = tape.run(() => add(linear(x, weight), scale(linear(x, weight), 2)))
      tape.backward(y)
      assert.equal(await weight.gradient.read(), Float32Array.of(3 * pass, 6 * pass))
    }
  }))

test('wrong uses say what to do', () =>
  scope(() => {
    const tape = new Tape()
    assert.throws(() => tape.run(async () => {}), /synchronous/)
    assert.throws(() => tape.backward(tensor([1])), /was not recorded/)
    const x = tensor([1, 2], [1, 2])
    tape.watch(x)
    const y = tape.run(() => scale(x, 2))
    tape.backward(y)
    assert.throws(() => tape.backward(y), /was not recorded/)
    tape.dispose()
  }))

test.run()
