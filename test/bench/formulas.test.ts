/** What benchmarks count and compare by. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { attentionFlops } from '../../bench/attention.ts'
import { medianRatio, spreadOf } from '../../bench/harness/timing.ts'

test('attention: two products of K multiply-adds for every pair of rows that causality leaves', () => {
  const shape = { batch: 3, length: 7, heads: 5, width: 8 }
  let forward = 0
  for (let i = 0; i < shape.length; i++) for (let j = 0; j <= i; j++) forward += shape.batch * shape.heads * 2 * (2 * shape.width)
  assert.is(attentionFlops(shape, 'forward'), forward)
  assert.is(attentionFlops(shape, 'backward'), 2.5 * forward)
})

test('medians, of times and of the ratios within each round', () => {
  assert.equal(spreadOf([3, 1, 2]), { median: 2, min: 1, max: 3 })
  assert.is(spreadOf([4, 1, 2, 3]).median, 2.5)
  // A slow spell of the machine that both were in leaves the ratio as it is.
  assert.is(medianRatio([2, 20, 2, 2], [1, 10, 1, 1]), 2)
})

test.run()
