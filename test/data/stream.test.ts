import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { memoryDataset } from '../../src/data/index.ts'
import { DocumentStream } from '../../src/data/stream.ts'
import { random } from '../support/random.ts'

function randomDataset(documents: number) {
  return memoryDataset(
    Array.from({ length: documents }, (_, d) => Array.from({ length: random.below(6) ** 2 }, (_, i) => 100 * d + i)),
  )
}

function tokens(stream: DocumentStream, position: number, length: number): number[] {
  return stream.pieces(position, length).flatMap(({ document, start, end }) => [...stream.dataset.read(document, start, end)])
}

test('an epoch holds every document once, whole, in an order of its own', () => {
  for (const documents of [1, 2, 63, 64, 65, 300]) {
    const dataset = randomDataset(documents)
    if (dataset.tokens === 0) continue
    const stream = new DocumentStream('x', dataset, 7)
    const orders: string[] = []
    for (let epoch = 0; epoch < 4; epoch++) {
      const pieces = stream.pieces(epoch * dataset.tokens, dataset.tokens)
      const seen = pieces.map(({ document }) => document)
      const nonEmpty = Array.from({ length: documents }, (_, d) => d).filter(d => dataset.length(d) > 0)
      assert.equal(
        [...seen].sort((a, b) => a - b),
        nonEmpty,
      )
      assert.ok(pieces.every(piece => piece.epoch === epoch && piece.start === 0 && piece.end === dataset.length(piece.document)))
      orders.push(seen.join())
    }
    if (documents >= 63) assert.is(new Set(orders).size, 4)
  }
})

test('a window at any place, across epochs too, is that part of the whole', () => {
  const dataset = randomDataset(150)
  const whole = tokens(new DocumentStream('x', dataset, 1), 0, 3 * dataset.tokens)
  const stream = new DocumentStream('x', dataset, 1)
  for (let i = 0; i < 300; i++) {
    const position = random.below(2 * dataset.tokens)
    const length = random.below(dataset.tokens)
    assert.equal(tokens(stream, position, length), whole.slice(position, position + length))
  }
  for (const { start, end } of stream.pieces(0, 2 * dataset.tokens)) assert.ok(start < end, 'no piece is empty')
})

test('order depends on the seed and on the stream', () => {
  const dataset = memoryDataset(Array.from({ length: 100 }, (_, d) => [d]))
  const order = (key: string, seed: number | bigint) => tokens(new DocumentStream(key, dataset, seed), 0, 100).join()
  assert.is(order('a', 1), order('a', 1n))
  assert.is(new Set([order('a', 1), order('b', 1), order('a', 2), order('a', -1)]).size, 4)
})

test('windows longer than the dataset go through several epochs', () => {
  const stream = new DocumentStream('x', memoryDataset([[1, 2], [3]]), 5)
  const ids = tokens(stream, 0, 30)
  for (let epoch = 0; epoch < 10; epoch++) assert.equal(ids.slice(3 * epoch, 3 * epoch + 3).sort(), [1, 2, 3])
})

test.run()
