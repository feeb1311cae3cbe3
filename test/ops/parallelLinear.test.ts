/** Column- and row-parallel products: derivatives of one rank's, in chunks of rows, and what is enqueued in which order. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { columnParallelLinear, rowParallelLinear } from '../../src/ops/index.ts'
import { Group } from '../../src/parallel/index.ts'
import { TensorParallel } from '../../src/parallel/tensor.ts'
import { copy, device, scope, type Tensor, tensor } from '../../src/tensor/index.ts'
import { between, checkDerivative, dtypes, noise, tolerances } from '../support/derivatives.ts'
import * as reference from '../support/reference.ts'

const alone = await Group.connect({
  name: 'one',
  ranks: [0],
  rank: 0,
  device: device(),
  host: '',
  timeoutMs: 1000,
  exchange: async (_, __, bytes) => [bytes],
})

const exchangeOf = (tensorChunks: number) => new TensorParallel(alone, { sequenceParallel: false, tensorChunks })

for (const dtype of dtypes) {
  for (const activation of ['none', 'gelu'] as const) {
    test(`column-parallel with ${activation}, ${dtype}: output and gradients of x, weight and bias`, async () => {
      for (let round = 0; round < 3; round++) {
        const [rows, inputs, outputs, chunks] = [between(1, 9), between(1, 19), between(1, 17), between(1, 5)]
        await checkDerivative({
          dtype,
          tolerance: tolerances[dtype] * (activation === 'none' ? 1 : 1.5),
          inputs: {
            x: { shape: [rows, inputs], kind: 'activation' },
            weight: { shape: [outputs, inputs], kind: 'parameter', scale: 0.5 },
            bias: { shape: [outputs], kind: 'parameter' },
          },
          run: ({ x, weight, bias }) => columnParallelLinear(x, weight, bias, activation, exchangeOf(chunks)),
          reference: ({ x, weight, bias }) => reference.linear(x, weight, bias, inputs, activation),
        })
      }
    })
  }

  test(`row-parallel, ${dtype}: output and gradients of x, weight and bias`, async () => {
    for (let round = 0; round < 3; round++) {
      const [rows, inputs, outputs, chunks] = [between(1, 9), between(1, 19), between(1, 17), between(1, 5)]
      await checkDerivative({
        dtype,
        tolerance: tolerances[dtype],
        inputs: {
          x: { shape: [rows, inputs], kind: 'activation' },
          weight: { shape: [outputs, inputs], kind: 'parameter', scale: 0.5 },
          bias: { shape: [outputs], kind: 'parameter' },
        },
        run: ({ x, weight, bias }) => rowParallelLinear(x, weight, bias, exchangeOf(chunks)),
        reference: ({ x, weight, bias }) => reference.linear(x, weight, bias, inputs),
      })
    }
  })
}

/** The first of two ranks whose data are equal, and a record of what it was asked. */
function pair(log: string[]): Group {
  const group: Partial<Group> = {
    size: 2,
    rank: 0,
    beside(run) {
      run()
      log.push('beside')
      return { wait: () => log.push('wait') }
    },
    allReduce: x => void log.push(`allReduce of ${x.shape[0]} rows`),
    allGather(x, y) {
      log.push(`allGather of ${x.shape[0]} rows`)
      for (const half of [0, 1]) copy(x, y.view(half * x.size, x.shape))
    },
    reduceScatter(x, y) {
      log.push(`reduceScatter of ${x.shape[0]} rows`)
      copy(x.view(0, y.shape), y)
    },
  }
  return group as Group
}

test('a chunk is exchanged beside the next one’s product', () => {
  const log: string[] = []
  const exchange = new TensorParallel(pair(log), { sequenceParallel: false, tensorChunks: 3 })
  scope(() => {
    const like = tensor(noise(7 * 2), [7, 2])
    const compute = (part: Tensor, first: number) => log.push(`rows ${first} to ${first + part.shape[0]! - 1}`)
    exchange.sumOf(like, [7, 2], compute, () => log.push('meanwhile'))
  })
  assert.equal(
    log,
    [
      ['rows 0 to 1', 'allReduce of 2 rows', 'beside'],
      ['rows 2 to 3', 'allReduce of 2 rows', 'beside'],
      ['rows 4 to 6', 'allReduce of 3 rows', 'beside'],
      ['meanwhile', 'wait', 'wait', 'wait'],
    ].flat(),
  )
})

test('under sequence parallelism a chunk has rows of every rank', async () => {
  await scope(async () => {
    for (const tensorChunks of [1, 2, 3, 9]) {
      const log: string[] = []
      const exchange = new TensorParallel(pair(log), { sequenceParallel: true, tensorChunks })
      const values = noise(5 * 3)
      const x = tensor(values, [5, 3])
      const all = tensor(new Float32Array(2 * 5 * 3), [10, 3])
      exchange.forRows(x, (rows, first) => copy(rows, all.view(first * 3, rows.shape)))
      assert.equal([...(await all.read())], [...values, ...values])
      // Each rank's share is what all ranks have: the first rank's rows of it.
      const own = exchange.sumOf(x, [10, 3], (part, first) => copy(all.view(first * 3, part.shape), part))
      assert.equal([...(await own.read())], [...values])
      const exchanges = Math.min(tensorChunks, 5)
      assert.is(log.filter(line => line.startsWith('allGather')).length, exchanges)
      assert.is(log.filter(line => line.startsWith('reduceScatter')).length, exchanges)
    }
  })
})

test.run()
