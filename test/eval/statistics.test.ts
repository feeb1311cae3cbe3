import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { bootstrapMean, bootstrapRatio, pairedDifference, wilson } from '../../src/eval/statistics.ts'
import { Purpose, RandomStream, randomWords } from '../../src/random/index.ts'

const near = (a: number, b: number, tolerance: number) => assert.ok(Math.abs(a - b) <= tolerance, `${a} ≉ ${b}`)

test('Wilson: published values', () => {
  // Newcombe (1998), table I: 81/263 → 0.2553, 0.3662; 15/148 → 0.0624, 0.1605; 0/20 → 0, 0.1611; 1/29 → 0.0061, 0.1718.
  for (const [x, n, low, high] of [
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ] as const) {
    const interval = wilson(x, n)
    near(interval.value, x / n, 0)
    near(interval.low, low, 5e-5)
    near(interval.high, high, 5e-5)
  }
  assert.is(wilson(7, 7).high, 1)
  assert.equal([wilson(0, 0).low, wilson(0, 0).high], [0, 1])
  assert.throws(() => wilson(3, 2), /counts/)
})

test('bootstrap of a mean agrees with the analytic standard error, is seeded, and covers', () => {
  const random = new RandomStream(randomWords(5, Purpose.test))
  const values = Float64Array.from({ length: 400 }, () => random.uniform())
  const estimate = bootstrapMean(values, { seed: 1 })
  const centre = values.reduce((sum, value) => sum + value, 0) / 400
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / 400)
  near(estimate.value, centre, 1e-12)
  near(estimate.standardError, deviation / 20, 0.1 * (deviation / 20))
  near(estimate.high - estimate.low, (2 * 1.96 * deviation) / 20, 0.12 * ((2 * 1.96 * deviation) / 20))
  assert.equal(bootstrapMean(values, { seed: 1 }), estimate)
  assert.not.equal(bootstrapMean(values, { seed: 2 }), estimate)
})

test('bootstrap of a ratio weighs items by their denominators', () => {
  const estimate = bootstrapRatio([10, 1, 4], [100, 1, 1])
  near(estimate.value, 15 / 102, 1e-12)
  assert.ok(estimate.low < estimate.value && estimate.high > estimate.value)
})

test('a paired difference sees what unpaired intervals would hide', () => {
  const random = new RandomStream(randomWords(6, Purpose.test))
  const before = Float64Array.from({ length: 60 }, () => 10 * random.uniform())
  const after = before.map(value => value + 0.1 + 0.1 * random.uniform())
  const difference = pairedDifference(before, after)
  assert.ok(difference.low > 0.1 && difference.high < 0.2)
  assert.throws(() => pairedDifference([1], [1, 2]), /same items/)
})

test.run()
