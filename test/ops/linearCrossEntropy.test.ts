import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Tape } from '../../src/autograd/index.ts'
import { linearCrossEntropy, scale } from '../../src/ops/index.ts'
import { scope, tensor, zeros } from '../../src/tensor/index.ts'
import { between, dtypes, noise, random, seed, tolerances } from '../support/derivatives.ts'
import * as reference from '../support/reference.ts'

for (const dtype of dtypes) {
  test(`losses, best classes, and gradients with weights and ignored targets, ${dtype}`, () =>
    scope(async () => {
      for (let round = 0; round < 3; round++) {
        const [rows, width, classes] = [between(2, 13), between(1, 17), between(2, 29)]
        const targets = Int32Array.from({ length: rows }, () => random.below(classes + 1) - 1)
        targets[0] = classes - 1
        const weights = noise(rows)
        const h = tensor(noise(rows * width), [rows, width], { dtype })
        const weight = tensor(noise(classes * width, 0.5), [classes, width], { dtype })
        weight.gradient = zeros([classes, width])
        const tape = new Tape()
        tape.watch(h)
        const { losses, best } = tape.run(() =>
          linearCrossEntropy(h, weight, tensor(targets), { weights: tensor(weights), best: true }),
        )
        tape.backward(losses)

        const [x, w] = [Float64Array.from(await h.read()), Float64Array.from(await weight.read())]
        const objective = () => reference.dot(reference.crossEntropy(x, w, targets, width), weights)
        const logits = reference.linear(x, w, undefined, width)
        const error = {
          losses: reference.relativeError(await losses.read(), reference.crossEntropy(x, w, targets, width)),
          dh: reference.relativeError(await tape.gradient(h)!.read(), reference.numericGradient(x, objective)),
          dweight: reference.relativeError(await weight.gradient.read(), reference.numericGradient(w, objective)),
        }
        for (const [what, value] of Object.entries(error)) assert.ok(value < tolerances[dtype], `${what}: ${value}, seed ${seed}`)
        for (const [n, found] of (await best!.read()).entries()) {
          const row = logits.subarray(n * classes, (n + 1) * classes)
          assert.ok(Math.max(...row) - row[found]! < 1e-5, `row ${n}: class ${found} is not the best, seed ${seed}`)
        }
        tape.dispose()
      }
    }))
}

test('without recording the losses are the same and nothing is added', () =>
  scope(async () => {
    const [h, weight, targets] = [tensor(noise(6), [2, 3]), tensor(noise(12), [4, 3]), tensor(Int32Array.of(1, 3))]
    weight.gradient = zeros([4, 3])
    const plain = await linearCrossEntropy(h, weight, targets).losses.read()
    assert.equal(reference.dot(await weight.gradient.read(), await weight.gradient.read()), 0)
    const recorded = await new Tape().run(() => linearCrossEntropy(h, weight, targets)).losses.read()
    assert.equal(plain, recorded)
  }))

test('losses that are used further, or an upstream gradient, are refused', () =>
  scope(() => {
    const [h, weight, targets] = [tensor(noise(6), [2, 3]), tensor(noise(12), [4, 3]), tensor(Int32Array.of(1, 3))]
    weight.gradient = zeros([4, 3])
    const tape = new Tape()
    const further = tape.run(() => scale(linearCrossEntropy(h, weight, targets).losses, 0.5))
    assert.throws(() => tape.backward(further), /root of the backward pass/)
    const losses = tape.run(() => linearCrossEntropy(h, weight, targets).losses)
    assert.throws(() => tape.backward(losses, tensor([1, 1])), /root of the backward pass/)
  }))

test.run()
