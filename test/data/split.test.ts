import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { memoryDataset, split, type TokenDataset } from '../../src/data/index.ts'
import { random } from '../support/random.ts'
import { refuses } from '../support/refuses.ts'

const keys = (dataset: TokenDataset) => Array.from({ length: dataset.documents }, (_, i) => dataset.read(i).join())

test('no document is lost or on both sides, and the fraction is met', () => {
  const dataset = memoryDataset(Array.from({ length: 2000 }, (_, d) => [d, random.below(1000)]))
  for (const by of ['content', 'index'] as const) {
    const { train, heldOut } = split(dataset, { fraction: 0.1, seed: random.below(1000), by })
    assert.equal([...keys(train), ...keys(heldOut)].sort(), keys(dataset).sort())
    // Five standard deviations of the binomial.
    assert.ok(Math.abs(heldOut.documents - 200) < 67, `${heldOut.documents}`)
    assert.is(train.tokens + heldOut.tokens, dataset.tokens)
  }
})

test('by content, identical documents are on one side, in every dataset and element type', () => {
  const contents = Array.from({ length: 100 }, (_, d) => [d, 7])
  const first = memoryDataset([...contents, ...contents])
  const wide = memoryDataset(contents.toReversed())
  const narrow: TokenDataset = { ...wide, read: document => Uint16Array.from(wide.read(document)) }
  const options = { fraction: 0.3, seed: 5 }
  const held = new Set(keys(split(first, options).heldOut))
  assert.ok(held.size > 10)
  assert.not.ok(keys(split(first, options).train).some(key => held.has(key)))
  for (const other of [wide, narrow]) assert.equal(new Set(keys(split(other, options).heldOut)), held)
  assert.not.equal(new Set(keys(split(first, { ...options, seed: 6 }).heldOut)), held)
})

test('small datasets give one document rather than none; nothing and all are possible', async () => {
  const dataset = memoryDataset([[1], [2], [3]])
  assert.is(split(dataset, { fraction: 1e-9 }).heldOut.documents, 1)
  assert.is(split(dataset, { fraction: 0 }).heldOut.documents, 0)
  assert.is(split(dataset, { fraction: 1 }).train.documents, 0)
  assert.is(split(memoryDataset([[1], [1]]), { fraction: 1e-9 }).train.documents, 2, 'identical documents cannot be parted')
  await refuses(() => split(dataset, { fraction: -1 }), 'ERR_INVALID_ARGUMENT')
  await refuses(() => split(dataset, { fraction: 0.5 }).train.read(7), 'ERR_INVALID_ARGUMENT', /no such document/)
})

test('the training side keeps its name, so that its place is kept when the split is made again', () => {
  const { train, heldOut } = split(memoryDataset([[1], [2]], 'web'), { fraction: 0.5 })
  assert.is(train.name, 'web')
  assert.is.not(heldOut.name, 'web')
})

test.run()
