import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Tape } from '../../src/autograd/index.ts'
import { add, cast, concatColumns, dropout, embedding, gatherRows, l2Norm, scale, sliceColumns } from '../../src/ops/index.ts'
import { Purpose, RandomStream, randomWords } from '../../src/random/index.ts'
import { scope, tensor, zeros } from '../../src/tensor/index.ts'
import { between, checkDerivative, dtypes, noise, random, seed, tolerances } from '../support/derivatives.ts'
import * as reference from '../support/reference.ts'

const ids = (count: number, below: number) => Int32Array.from({ length: count }, () => random.below(below))

for (const dtype of dtypes) {
  const tolerance = tolerances[dtype]
  const [rows, width] = [between(1, 9), between(4, 19)]
  const x = { shape: [rows, width], kind: 'activation' } as const

  test(`add, ${dtype}: also of a tensor to itself`, async () => {
    await checkDerivative({
      dtype,
      tolerance,
      inputs: { a: x, b: x },
      run: ({ a, b }) => add(a, b),
      reference: ({ a, b }) => a.map((v, i) => v + b[i]!),
    })
    await checkDerivative({
      dtype,
      tolerance,
      inputs: { a: x },
      run: ({ a }) => add(a, a),
      reference: ({ a }) => a.map(v => 2 * v),
    })
  })

  test(`a sum used twice, ${dtype}: shared gradients are not added into in place`, async () => {
    await checkDerivative({
      dtype,
      tolerance: tolerance * 2,
      inputs: { a: x, b: x },
      run: ({ a, b }) => {
        const sum = add(a, b)
        return add(add(sum, scale(a, 3)), sum)
      },
      reference: ({ a, b }) => a.map((v, i) => 5 * v + 2 * b[i]!),
    })
  })

  test(`scale, ${dtype}`, async () => {
    await checkDerivative({
      dtype,
      tolerance,
      inputs: { x },
      run: ({ x }) => scale(x, -1.75),
      reference: ({ x }) => x.map(v => -1.75 * v),
    })
  })

  test(`cast from ${dtype}`, async () => {
    const to = dtype === 'f32' ? 'bf16' : 'f32'
    await checkDerivative({
      dtype,
      tolerance: tolerances.bf16,
      inputs: { x },
      run: ({ x }) => cast(x, to),
      reference: ({ x }) => x.map(v => v),
    })
  })

  test(`sliceColumns and concatColumns, ${dtype}`, async () => {
    const start = between(0, width - 1)
    const part = between(1, width - start)
    await checkDerivative({
      dtype,
      tolerance,
      inputs: { a: x, b: x },
      run: ({ a, b }) => concatColumns([sliceColumns(a, start, part), b, a]),
      reference: ({ a, b }) =>
        Float64Array.from(
          Array.from({ length: rows }, (_, n) => {
            const row = (of: Float64Array) => Array.from(of.subarray(n * width, (n + 1) * width))
            return [...row(a).slice(start, start + part), ...row(b), ...row(a)]
          }).flat(),
        ),
    })
  })

  test(`gatherRows with repeated rows, ${dtype}`, async () => {
    const picked = ids(between(1, 15), rows)
    await checkDerivative({
      dtype,
      tolerance,
      inputs: { x },
      run: ({ x }) => gatherRows(x, tensor(picked)),
      reference: ({ x }) =>
        Float64Array.from(Array.from(picked).flatMap(n => Array.from(x.subarray(n * width, (n + 1) * width)))),
    })
  })

  test(`embedding with repeated tokens, ${dtype}`, async () => {
    const [count, vocabulary, places] = [between(1, 15), between(1, 7), between(1, 9)]
    const [tokens, positions] = [ids(count, vocabulary), ids(count, places)]
    await checkDerivative({
      dtype,
      tolerance,
      inputs: {
        table: { shape: [vocabulary, width], kind: 'parameter' },
        positionTable: { shape: [places, width], kind: 'parameter' },
      },
      run: ({ table, positionTable }) => embedding(tensor(tokens), tensor(positions), table, positionTable),
      reference: ({ table, positionTable }) => reference.embedding(tokens, positions, table, positionTable, width),
    })
  })

  test(`dropout, ${dtype}: keeps what the random words say, scaled, and the same in the backward pass`, async () => {
    const words = randomWords(seed, Purpose.dropout, 3)
    const p = 0.4
    const stream = new RandomStream(words)
    const factors = Array.from({ length: rows * width }, () => (stream.uniform() >= Math.fround(p) ? 1 / (1 - p) : 0))
    await checkDerivative({
      dtype,
      tolerance,
      inputs: { x },
      run: ({ x }) => dropout(x, p, words),
      reference: ({ x }) => x.map((v, i) => v * factors[i]!),
    })
  })
}

test('an id outside its table surfaces at the next await', () =>
  scope(async () => {
    const table = tensor(noise(12), [4, 3])
    const y = embedding(tensor(Int32Array.of(1, 4)), tensor(Int32Array.of(0, 1)), table, table)
    await y.read().then(
      () => assert.unreachable('reading should fail'),
      error => assert.is(error.code, 'ERR_INDEX'),
    )
  }))

test('l2Norm', () =>
  scope(async () => {
    const values = noise(between(1, 3000))
    const norm = await l2Norm(tensor(values)).item()
    assert.ok(Math.abs(norm / Math.hypot(...values) - 1) < 1e-6)
    assert.not.ok(Number.isFinite(await l2Norm(tensor([1, Number.NaN])).item()))
    assert.not.ok(Number.isFinite(await l2Norm(tensor([1, Number.POSITIVE_INFINITY])).item()))
  }))

test('dropout of a part draws what dropout of the whole draws there', () =>
  scope(async () => {
    const words = randomWords(seed, Purpose.dropout, 5)
    for (let round = 0; round < 20; round++) {
      const first = 4 * between(0, 40)
      const part = between(1, 300)
      const whole = tensor(noise(first + part))
      const expected = (await dropout(whole, 0.4, words).read()).subarray(first)
      assert.equal(await dropout(whole.view(first, [part]), 0.4, words, first).read(), expected, `from ${first}, seed ${seed}`)
    }
  }))

test('embedding: a negative id adds nothing, and gets no gradient', () =>
  scope(async () => {
    const table = tensor(noise(3 * 9), [3, 9])
    const positionTable = tensor(noise(2 * 9), [2, 9])
    table.gradient = zeros([3, 9])
    positionTable.gradient = zeros([2, 9])
    const tape = new Tape()
    const h = tape.run(() =>
      embedding(tensor(Int32Array.of(2, -1, 1, -2)), tensor(Int32Array.of(-1, 1, 0, -1)), table, positionTable),
    )
    const upstream = noise(4 * 9)
    tape.backward(h, tensor(upstream, [4, 9]))
    const [t, p, y] = [await table.read(), await positionTable.read(), await h.read()]
    const row = (of: ArrayLike<number>, n: number) => Array.from({ length: 9 }, (_, j) => of[n * 9 + j]!)
    const zero = new Array<number>(9).fill(0)
    assert.equal(row(y, 0), row(t, 2))
    assert.equal(row(y, 1), row(p, 1))
    assert.equal(
      row(y, 2),
      [...row(t, 1)].map((value, j) => Math.fround(value + row(p, 0)[j]!)),
    )
    assert.equal(row(y, 3), zero)
    const [dt, dp] = [await table.gradient.read(), await positionTable.gradient.read()]
    assert.equal([row(dt, 0), row(dt, 1), row(dt, 2)], [zero, row(upstream, 2), row(upstream, 0)])
    assert.equal([row(dp, 0), row(dp, 1)], [row(upstream, 2), row(upstream, 1)])
  }))

test.run()
