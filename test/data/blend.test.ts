import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Blend } from '../../src/data/blend.ts'
import { random } from '../support/random.ts'

/** The rule as it is written, from the start. */
function* naive(weights: readonly number[]): Generator<{ stream: number; count: number }> {
  const sum = weights.reduce((a, b) => a + b)
  const counts = weights.map(() => 0)
  for (let n = 0; ; n++) {
    const behind = weights.map((weight, i) => (weight / sum) * Math.max(n, 1) - counts[i]!)
    const stream = behind.indexOf(Math.max(...behind))
    yield { stream, count: counts[stream]!++ }
  }
}

test('samples come by the rule, and the shares hold at every moment', () => {
  for (let round = 0; round < 10; round++) {
    const weights = Array.from({ length: 1 + random.below(7) }, () => 0.01 + random.uniform())
    const total = weights.reduce((a, b) => a + b)
    const blend = new Blend(weights)
    const counts = weights.map(() => 0)
    let n = 0
    for (const expected of naive(weights)) {
      assert.equal(blend.at(n), expected)
      counts[expected.stream]!++
      if (++n === 3000) break
      for (const [i, count] of counts.entries()) assert.ok(Math.abs(count - (n * weights[i]!) / total) < weights.length)
    }
    assert.equal([...blend.countsAfter(n)], counts)
  }
})

test('ties go to the first', () => {
  const blend = new Blend([1, 1, 1])
  assert.equal(
    [0, 1, 2, 3, 4, 5].map(i => blend.at(i).stream),
    [0, 1, 2, 0, 1, 2],
  )
})

test('any sample can be asked for in any order', () => {
  const weights = [0.5, 0.3, 0.1, 0.1]
  const expected: { stream: number; count: number }[] = []
  for (const sample of naive(weights)) if (expected.push(sample) === 20_000) break
  const blend = new Blend(weights)
  for (let i = 0; i < 500; i++) {
    const index = random.below(20_000)
    assert.equal(blend.at(index), expected[index])
    if (i % 100 === 0)
      assert.is(blend.countsAfter(index)[0], expected.slice(0, index).filter(({ stream }) => stream === 0).length)
  }
})

test.run()
