import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Dropout } from '../../src/models/gpt-bigcode/dropout.ts'
import { full, scope } from '../../src/tensor/index.ts'
import { relativeError, sum } from '../support/reference.ts'

const rates = { embedding: 0.1, residual: 0.25, attention: 0.5 }

test('every layer, place, step and seed drops its own elements, and always the same ones', () =>
  scope(async () => {
    const x = full([4000], 1)
    const masks = async (dropout: Dropout) =>
      Promise.all(
        [
          dropout.embedding(x),
          ...[0, 1].flatMap(layer => (['attentionBranch', 'mlpBranch'] as const).map(place => dropout.branch(x, layer, place))),
        ].map(y => y.read()),
      )
    const [first, again] = [await masks(new Dropout(rates, 1, 5)), await masks(new Dropout(rates, 1, 5))]
    assert.equal(again, first)
    const all = [...first, ...(await masks(new Dropout(rates, 1, 6))), ...(await masks(new Dropout(rates, 2, 5)))]
    for (const [i, mask] of all.entries()) {
      // Means stay 1, and no two masks agree more than chance makes them.
      assert.ok(Math.abs(sum(mask) / 4000 - 1) < 0.06, `mask ${i}: mean ${sum(mask) / 4000}`)
      for (const other of all.slice(i + 1)) assert.ok(relativeError(mask, other) > 0.3, `mask ${i} is like another`)
    }
    const words = [0, 1].flatMap(layer => [5, 6].map(step => new Dropout(rates, 1, step).attention(layer)))
    assert.is(new Set(words.map(({ random }) => random.join())).size, 4)
    assert.ok(words.every(({ dropout }) => dropout === 0.5))
  }))

test('a rate of 0 leaves the tensor itself', () =>
  scope(() => {
    const x = full([3], 1)
    const none = new Dropout({ embedding: 0, residual: 0, attention: 0 }, 1, 1)
    assert.is(none.embedding(x), x)
    assert.is(none.branch(x, 0, 'mlpBranch'), x)
  }))

test.run()
