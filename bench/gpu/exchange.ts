/**
 * Communication on a GPU as far as one rank can tell: that NCCL or RCCL opens and a group of one is the identity, what its calls cost, and what it
 * costs to cut a tensor-parallel product into chunks, each exchanged on the group's stream while the next is computed.
 */
import { AuroraError } from '../../src/errors.ts'
import { rowParallelLinear } from '../../src/ops/index.ts'
import { Group } from '../../src/parallel/index.ts'
import { TensorParallel } from '../../src/parallel/tensor.ts'
import { type Device, randomNormal, scope, tensor, zeros } from '../../src/tensor/index.ts'
import type { Row } from '../harness/report.ts'
import { type Bench, type Case, measureCase } from './measure.ts'

export async function measureExchanges(bench: Bench): Promise<Row[]> {
  const { device } = bench
  const group = await connect(device).catch(error => {
    if (!(error instanceof AuroraError)) throw error
    bench.note(`communication: ${error.message}`)
  })
  if (!group) return []
  try {
    await expectIdentity(group)
    return await scope(async () => {
      const rows: Row[] = []
      for (const one of [...reductions(bench, group), ...products(bench, group)]) {
        const row = bench.wanted(one.what) ? await measureCase(bench, one) : undefined
        if (row) rows.push(row)
      }
      await group.synchronize()
      return rows
    })
  } finally {
    group.close()
    await device.trim()
  }
}

const connect = (device: Device) =>
  Group.connect({
    name: 'bench',
    ranks: [0],
    rank: 0,
    device,
    kind: 'nccl',
    host: '127.0.0.1',
    timeoutMs: 30_000,
    exchange: async (_, __, bytes) => [bytes],
  })

/** A group of one that changes numbers would make its times worthless. */
async function expectIdentity(group: Group): Promise<void> {
  await scope(async () => {
    const { device } = group
    const numbers = Float32Array.from({ length: 1000 }, (_, i) => i - 500)
    const [x, gathered, scattered] = [tensor(numbers, [1000], { device }), zeros([1000], { device }), zeros([1000], { device })]
    group.allReduce(x)
    group.broadcast(x, 0)
    group.allGather(x, gathered)
    group.reduceScatter(gathered, scattered)
    await group.barrier()
    const found = await scattered.read()
    const wrong = numbers.findIndex((number, i) => number !== found[i])
    if (wrong >= 0) throw new Error(`element ${wrong} of a group of one is ${found[wrong]}, not ${numbers[wrong]}`)
  })
}

function reductions({ device, quick }: Bench, group: Group): Case[] {
  return (quick ? [2 ** 10] : [2 ** 16, 2 ** 20, 2 ** 25]).map(bytes => {
    const x = zeros([bytes / 2], { device, dtype: 'bf16' })
    return {
      what: `bf16 all-reduce of one rank, ${bytes / 1024} KiB`,
      of: 'copy',
      bytes: 2 * bytes,
      work: () => group.allReduce(x),
    }
  })
}

/** The second product of an MLP of Aurora-M's width on one of four ranks. */
function products({ device, quick }: Bench, group: Group): Case[] {
  const [N, from, to] = quick ? [16, 32, 24] : [2048, 6144, 6144]
  const random = (shape: [number, number]) => randomNormal(shape, { device, dtype: 'bf16', std: 0.05, random: [1, 0, 0, 0] })
  const [x, weight] = [random([N, from]), random([to, from])]
  return [1, 2, 4, 8].map(tensorChunks => {
    const exchange = new TensorParallel(group, { sequenceParallel: false, tensorChunks })
    return {
      what: `bf16 row-parallel ${N} × ${from} × ${to}, ${tensorChunks} chunks`,
      of: 'bf16',
      flops: 2 * N * from * to,
      bytes: 2 * (N * from + N * to + from * to),
      work: () => void rowParallelLinear(x, weight, undefined, exchange),
    }
  })
}
