import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type SampleOptions, sample } from '../../src/ops/index.ts'
import { Purpose, randomWords } from '../../src/random/index.ts'
import { scope, tensor } from '../../src/tensor/index.ts'
import { between, dtypes, noise, seed } from '../support/derivatives.ts'

const draw = async (row: ArrayLike<number>, count: number, options: SampleOptions) => {
  const logits = tensor(
    Float32Array.from({ length: count * row.length }, (_, i) => row[i % row.length]!),
    [count, row.length],
  )
  const { tokens } = sample(logits, { random: randomWords(seed, Purpose.sample), ...options })
  return (await tokens.read()) as Int32Array
}

/** Shares of the tokens 0, 1, … among the draws. */
const shares = (tokens: Int32Array, classes: number) =>
  Array.from({ length: classes }, (_, token) => tokens.filter(drawn => drawn === token).length / tokens.length)

for (const dtype of dtypes) {
  test(`greedy, ${dtype}: the largest logit, the lowest id on ties, and its log-probability`, () =>
    scope(async () => {
      const [rows, classes] = [between(1, 7), between(2, 300)]
      const logits = tensor(noise(rows * classes), [rows, classes], { dtype })
      const { tokens, logProbabilities } = sample(logits, { logProbabilities: true })
      const [values, picked, found] = [await logits.read(), await tokens.read(), await logProbabilities!.read()]
      for (let b = 0; b < rows; b++) {
        const row = Array.from(values.subarray(b * classes, (b + 1) * classes))
        const top = Math.max(...row)
        assert.is(picked[b], row.indexOf(top))
        const expected = -Math.log(row.reduce((total, z) => total + Math.exp(z - top), 0))
        assert.ok(Math.abs(found[b]! - expected) < 1e-4, `row ${b}: ${found[b]}, expected ${expected}, seed ${seed}`)
      }
      assert.equal(await sample(tensor([1, 3, 3, 2], [1, 4], { dtype })).tokens.read(), Int32Array.of(1))
    }))
}

test('frequencies follow softmax(logits / temperature), cut by topK and topP', () =>
  scope(async () => {
    const probabilities = [0.5, 0.25, 0.15, 0.1]
    const logits = probabilities.map(Math.log)
    const count = 8000
    const close = (found: number[], expected: number[]) => {
      for (const [token, share] of found.entries())
        assert.ok(Math.abs(share - expected[token]!) < 0.025, `${found}, expected ${expected}, seed ${seed}`)
    }
    close(shares(await draw(logits, count, { temperature: 1 }), 4), probabilities)
    const squared = probabilities.map(p => p ** 2)
    const total = squared.reduce((a, b) => a + b)
    close(
      shares(await draw(logits, count, { temperature: 0.5 }), 4),
      squared.map(p => p / total),
    )
    close(shares(await draw(logits, count, { temperature: 1, topK: 2 }), 4), [2 / 3, 1 / 3, 0, 0])
    // The smallest set whose mass reaches 0.7 is the first two.
    close(shares(await draw(logits, count, { temperature: 1, topP: 0.7 }), 4), [2 / 3, 1 / 3, 0, 0])
  }))

test('a sequence keeps its own random numbers whatever row it is in', () =>
  scope(async () => {
    const logits = noise(40)
    const all = await draw(logits, 50, { temperature: 1 })
    const places = Int32Array.of(31, 4, 17)
    const some = await draw(logits, 3, { temperature: 1, draws: tensor(places) })
    assert.equal(
      some,
      places.map(place => all[place]!),
    )
  }))

test.run()
