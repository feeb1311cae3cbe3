import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Tape } from '../../src/autograd/index.ts'
import { native } from '../../src/native.ts'
import { linearCrossEntropy, type RowExchange, vocabularyCrossEntropy } from '../../src/ops/index.ts'
import { empty, scope, type Tensor, tensor, zeros } from '../../src/tensor/index.ts'
import { between, dtypes, noise, random, seed, tolerances } from '../support/derivatives.ts'
import * as reference from '../support/reference.ts'
import { refuses } from '../support/refuses.ts'

const alone: RowExchange = { gather: x => x, reduce: share => share }

for (const dtype of dtypes) {
  test(`slices of the vocabulary together give the losses and gradients of the whole, ${dtype}`, () =>
    scope(async () => {
      for (let round = 0; round < 3; round++) {
        const [rows, width, classes, count] = [between(2, 13), between(1, 17), between(5, 41), between(1, 5)]
        const cuts = Array.from({ length: count + 1 }, (_, r) => Math.floor((classes * r) / count))
        const targets = Int32Array.from({ length: rows }, () => random.below(classes + 1) - 1)
        const weights = noise(rows)
        const h = tensor(noise(rows * width), [rows, width], { dtype })
        const whole = tensor(noise(classes * width, 0.5), [classes, width], { dtype })
        // The partials of all slices, as an all-gather would bring them together.
        const partials = empty([count, 3, rows], { dtype: 'f32' })
        const sliceOf = (r: number) => {
          const size = cuts[r + 1]! - cuts[r]!
          const weight = whole.view(cuts[r]! * width, [size, width])
          weight.gradient = zeros([size, width])
          const local = targets.map(target =>
            target < 0 ? -1 : target >= cuts[r]! && target < cuts[r + 1]! ? target - cuts[r]! : -2,
          )
          return { weight, local: tensor(local) }
        }
        const slices = Array.from({ length: count }, (_, r) => sliceOf(r))
        for (const [r, { weight, local }] of slices.entries()) {
          const exponentials = empty([rows, weight.shape[0]!], { dtype: 'f32' })
          native.vocabularyExponentials(h.id, weight.id, local.id, exponentials.id, partials.view(r * 3 * rows, [3, rows]).id)
        }
        const dh = new Float64Array(rows * width)
        const dweight: number[] = []
        for (const [r, { weight, local }] of slices.entries()) {
          const tape = new Tape()
          tape.watch(h)
          const gatherPartials = (_: Tensor, all: Tensor) => native.cast(partials.id, all.id)
          const losses = tape.run(() =>
            vocabularyCrossEntropy(h, weight, local, tensor(weights), { count, slice: r, gatherPartials, exchange: alone }),
          )
          tape.backward(losses)
          const x = Float64Array.from(await h.read())
          const w = Float64Array.from(await whole.read())
          const expected = reference.crossEntropy(x, w, targets, width)
          const error = reference.relativeError(await losses.read(), expected)
          assert.ok(error < tolerances[dtype], `losses of slice ${r}: ${error}, seed ${seed}`)
          for (const [i, value] of (await tape.gradient(h)!.read()).entries()) dh[i]! += value
          dweight.push(...(await weight.gradient!.read()))
          tape.dispose()
        }
        const [x, w] = [Float64Array.from(await h.read()), Float64Array.from(await whole.read())]
        const objective = () => reference.dot(reference.crossEntropy(x, w, targets, width), weights)
        const error = {
          dh: reference.relativeError(dh, reference.numericGradient(x, objective)),
          dweight: reference.relativeError(Float64Array.from(dweight), reference.numericGradient(w, objective)),
        }
        for (const [what, value] of Object.entries(error))
          assert.ok(value < 2 * tolerances[dtype], `${what}: ${value}, ${count} slices, seed ${seed}`)
      }
    }))
}

test('one slice is the whole, and chunks of rows change nothing', () =>
  scope(async () => {
    const [rows, width, classes] = [2100, 8, 50]
    const h = tensor(noise(rows * width), [rows, width])
    const weight = tensor(noise(classes * width), [classes, width])
    const targets = tensor(Int32Array.from({ length: rows }, () => random.below(classes + 1) - 1))
    const weights = tensor(noise(rows))
    const results = []
    for (const slices of [undefined, { count: 1, slice: 0, gatherPartials: native1, exchange: alone }]) {
      weight.gradient = zeros([classes, width])
      const tape = new Tape()
      tape.watch(h)
      const losses = tape.run(() =>
        slices
          ? vocabularyCrossEntropy(h, weight, targets, weights, slices)
          : linearCrossEntropy(h, weight, targets, { weights }).losses,
      )
      tape.backward(losses)
      results.push([await losses.read(), await tape.gradient(h)!.read(), await weight.gradient.read()] as const)
      tape.dispose()
    }
    for (const i of [0, 1, 2] as const) {
      const error = reference.relativeError(results[1]![i], Float64Array.from(results[0]![i]))
      assert.ok(error < 1e-5, `${['losses', 'dh', 'dweight'][i]}: ${error}, seed ${seed}`)
    }
  }))

test('a target beyond the slice is an error of its own row', async () => {
  await refuses(
    () =>
      scope(async () => {
        const [h, weight, weights] = [tensor(noise(6), [2, 3]), tensor(noise(12), [4, 3]), tensor(noise(2))]
        const slices = { count: 1, slice: 0, gatherPartials: native1, exchange: alone }
        await vocabularyCrossEntropy(h, weight, tensor(Int32Array.of(1, 4)), weights, slices).read()
      }),
    'ERR_INDEX',
    /4 in row 1/,
  )
})

function native1(own: Tensor, all: Tensor): void {
  native.cast(own.id, all.id)
}

test.run()
