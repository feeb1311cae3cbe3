import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Cursors, type MixtureReader, memoryDataset, mixture, type Sequence } from '../../src/data/index.ts'
import { random } from '../support/random.ts'
import { refuses } from '../support/refuses.ts'

/** Documents whose every token is unique in the dataset: `base` upwards. The last token of each is its end. */
function distinct(name: string, base: number, documents: number) {
  let next = base
  return memoryDataset(
    Array.from({ length: documents }, () => Array.from({ length: 1 + random.below(12) }, () => next++)),
    name,
  )
}

async function sequences(reader: MixtureReader, count: number): Promise<Sequence[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => reader.sequence(i)))
}

/** All trained targets of some sequences, of one domain. */
const targetsOf = (list: readonly Sequence[], domain: number) =>
  list.filter(sequence => sequence.domain === domain).flatMap(({ targets }) => [...targets].filter(target => target >= 0))

test('sequences overlap by one: every token is a target once an epoch', async () => {
  const data = distinct('d', 0, 40)
  const reader = mixture({ d: data }).reader({ seed: 3, length: 7 })
  const count = Math.floor((3 * data.tokens - 1) / 7)
  const list = await sequences(reader, count)
  for (const [i, { tokens, targets }] of list.entries()) {
    assert.equal(targets.slice(0, -1), tokens.slice(1))
    if (i > 0) assert.is(tokens[0], list[i - 1]!.targets.at(-1))
  }
  const learnt = [list[0]!.tokens[0]!, ...targetsOf(list, 0)]
  for (let epoch = 0; epoch + 1 < 3; epoch++) {
    const ids = learnt.slice(epoch * data.tokens, (epoch + 1) * data.tokens)
    assert.equal(
      ids.sort((a, b) => a - b),
      Array.from({ length: data.tokens }, (_, i) => i),
    )
  }
})

test('rows know where their document begins; positions run on, or restart where asked', async () => {
  const data = memoryDataset([
    [10, 11, 12],
    [20, 21],
    [30, 31, 32, 33],
  ])
  const starts = new Set([10, 20, 30])
  for (const documentBoundaries of [true, false]) {
    for (const resetPositions of [true, false]) {
      const reader = mixture({ d: data }, { documentBoundaries, resetPositions }).reader({ seed: 1, length: 5 })
      for (const { tokens, firstRow, positions } of await sequences(reader, 20)) {
        let first = 0
        for (let row = 0; row < 5; row++) {
          if (starts.has(tokens[row]!)) first = row
          assert.is(firstRow[row], documentBoundaries ? first : 0)
          assert.is(positions[row], resetPositions ? row - first : row)
        }
      }
    }
  }
})

test('batches depend on seed and index alone, whatever was asked for before', async () => {
  const make = (seed: number) => mixture({ a: distinctA, b: [distinctB, distinctC] }).reader({ seed, length: 9 })
  const [distinctA, distinctB, distinctC] = [distinct('a', 0, 30), distinct('b', 1000, 20), distinct('c', 2000, 10)]
  const list = await sequences(make(5), 300)
  const reader = make(5)
  for (let i = 0; i < 200; i++) {
    const index = random.below(300)
    assert.equal(await reader.sequence(index), list[index])
  }
  const batch = await make(5).batch({ step: 11, stage: 'cap', first: 44, sequences: 20 })
  assert.equal(batch.sequences, list.slice(44, 64))
  assert.is(batch.step, 11)
  assert.not.equal(await sequences(make(6), 300), list)
})

test('a stage that takes over neither repeats nor loses: other weights, other domains, another length', async () => {
  const [a, b, c] = [distinct('a', 0, 200), distinct('b', 10_000, 200), distinct('c', 20_000, 200)]
  const stages = [
    { mix: mixture({ a: { data: a, weight: 3 }, b: { data: b, weight: 1 } }), length: 8, count: 40, order: ['a', 'b'] },
    { mix: mixture({ c: { data: c, weight: 1 }, b: { data: b, weight: 2 } }), length: 5, count: 50, order: ['c', 'b'] },
    {
      mix: mixture({ a: { data: a, weight: 1 }, b: { data: b, weight: 1 }, c: { data: c, weight: 1 } }),
      length: 13,
      count: 30,
      order: ['a', 'b', 'c'],
    },
  ]
  let start: Cursors = {}
  const learnt: Record<string, number[]> = { a: [], b: [], c: [] }
  for (const { mix, length, count, order } of stages) {
    const reader = mix.reader({ seed: 9, length, start })
    const list = await sequences(reader, count)
    for (const [domain, name] of order.entries()) learnt[name]!.push(...targetsOf(list, domain))
    start = reader.cursors(count)
  }
  for (const [name, data] of Object.entries({ a, b, c })) {
    const cursor = start[`${name}/${name}`]!
    assert.is(learnt[name]!.length, cursor)
    // One stage with nothing but this domain learns the same tokens in the same order.
    const alone = mixture({ [name]: data }).reader({ seed: 9, length: 1 })
    assert.equal(learnt[name], targetsOf(await sequences(alone, cursor), 0))
  }
})

test('a stage resumed from any step goes on as if it had not stopped', async () => {
  const mix = mixture({ a: { data: distinct('a', 0, 50), weight: 2 }, b: { data: distinct('b', 5000, 20), weight: 1 } })
  const through = mix.reader({ seed: 2, length: 6, start: { 'a/a': 17, 'gone/x': 5 } })
  const list = await sequences(through, 120)
  for (const stop of [0, 1, 59, 119]) {
    const resumed = mix.reader({ seed: 2, length: 6, start: { 'a/a': 17, 'gone/x': 5 } })
    assert.equal(await resumed.sequence(stop), list[stop])
    assert.equal(resumed.cursors(stop), through.cursors(stop))
  }
  assert.is(through.cursors(120)['gone/x'], 5, 'streams of earlier stages keep their place')
})

test('shares follow the weights, by domain and by source; without weights, the tokens', async () => {
  const data = (name: string, tokens: number) => memoryDataset([Array.from({ length: tokens }, () => 1)], name)
  const [x, y, z] = [data('x', 100), data('y', 300), data('z', 600)]
  assert.equal(mixture({ x, y, z }).weights, { x: 0.1, y: 0.3, z: 0.6 })
  assert.equal(mixture({ x: { data: x, weight: 1 }, yz: { data: [y, z], weight: 3 } }).weights, { x: 0.25, yz: 0.75 })
  const bySource = mixture({ x: { data: x, weight: 1 }, yz: { data: [{ data: y, weight: 4 }, { data: z, weight: 1 }], weight: 1 } }) // biome-ignore format: one mixture
  const cursors = bySource.reader({ seed: 0, length: 10 }).cursors(1000)
  assert.equal(cursors, { 'x/x': 5000, 'yz/y': 4000, 'yz/z': 1000 })
  assert.equal(bySource.tokens, { 'x/x': 100, 'yz/y': 300, 'yz/z': 600 })
})

test('micro-batches hold the rows of the batch, and their weights sum to one over it', async () => {
  const reader = mixture({ a: distinct('a', 0, 30), b: distinct('b', 900, 30) }).reader({ seed: 4, length: 6 })
  const batch = await reader.batch({ step: 0, stage: 's', first: 0, sequences: 7 })
  const micros = [...batch.microBatches(3)]
  assert.equal(
    micros.map(micro => [micro.sequences, micro.tokens.length]),
    [
      [3, 18],
      [3, 18],
      [1, 6],
    ],
  )
  let sum = 0
  micros.forEach((micro, m) => {
    micro.weights.forEach((weight, row) => {
      const sequence = batch.sequences[3 * m + Math.floor(row / 6)]!
      const first = 6 * Math.floor(row / 6)
      assert.is(micro.tokens[row], sequence.tokens[row - first])
      assert.is(micro.targets[row], sequence.targets[row - first])
      assert.is(micro.positions[row], sequence.positions[row - first])
      assert.is(micro.firstRow[row], first + sequence.firstRow[row - first]!)
      assert.is(micro.domain[row], sequence.domain)
      sum += weight
    })
    assert.is(micro.normalizer, batch.trainedTokens)
  })
  assert.is(batch.tokens, 42)
  assert.ok(Math.abs(sum - 1) < 1e-6)
})

test('far into a run is as near as its beginning', async () => {
  const reader = mixture({ a: { data: distinct('a', 0, 30), weight: 1 }, b: { data: distinct('b', 900, 30), weight: 2 } }).reader(
    { seed: 4, length: 2048 },
  )
  const before = performance.now()
  await reader.sequence(3_000_000)
  await reader.sequence(3_000_000 - 5000)
  assert.ok(performance.now() - before < 5000)
})

test('wrong mixtures are refused before anything is read', async () => {
  const [a, b] = [distinct('a', 0, 3), distinct('b', 0, 3)]
  const empty = memoryDataset([[]], 'empty')
  await refuses(() => mixture({}), 'ERR_INVALID_ARGUMENT', /no domains/)
  await refuses(() => mixture({ a: { data: a, weight: 1 }, b }), 'ERR_INVALID_ARGUMENT', /all or none/)
  await refuses(() => mixture({ a: { data: a, weight: 0 }, b: { data: b, weight: 1 } }), 'ERR_INVALID_ARGUMENT', /positive/)
  await refuses(() => mixture({ a: { data: a, weight: Number.NaN } }), 'ERR_INVALID_ARGUMENT', /positive/)
  await refuses(() => mixture({ a: [a, a] }), 'ERR_INVALID_ARGUMENT', /one name/)
  await refuses(() => mixture({ a: [] }), 'ERR_INVALID_ARGUMENT', /no sources/)
  await refuses(() => mixture({ a: empty }), 'ERR_INVALID_ARGUMENT', /empty/)
  await refuses(() => mixture({ a: { data: a, fim: 0.5 } }), 'ERR_INVALID_ARGUMENT', /tokenizer/)
  await refuses(() => mixture({ a }).reader({ seed: 1, length: 0 }), 'ERR_INVALID_ARGUMENT', /length/)
  await refuses(() => mixture({ a }).reader({ seed: 1, length: 4, start: { 'a/a': -1 } }), 'ERR_INVALID_ARGUMENT', /cursor/)
  await refuses(() => mixture({ a }).reader({ seed: 1, length: 4 }).sequence(-1), 'ERR_INVALID_ARGUMENT', /index/)
  await refuses(() => mixture({ a }).reader({ seed: 1, length: 4, vocabSize: 2 }).sequence(0), 'ERR_TOKEN', /a\/a/)
  await refuses(
    () =>
      mixture({ a: memoryDataset([[1, -1]]) })
        .reader({ seed: 1, length: 4 })
        .sequence(0),
    'ERR_TOKEN',
  )
})

test.run()
