/** One rank of group.test.ts: every collective of one group, on tensors that are functions of (rank, element). */

import { scale } from '../../../src/ops/index.ts'
import { Group } from '../../../src/parallel/index.ts'
import { device, empty, type Tensor, tensor } from '../../../src/tensor/index.ts'
import type { RankFunction } from '../../support/ranks.ts'

export interface Collectives {
  sum: number[]
  max: number[]
  gathered: number[]
  gatheredInPlace: number[]
  scattered: number[]
  broadcast: number[]
  received: number[]
  /** Eight sums, each followed by a halving on the current stream. */
  ordered: number[]
}

const run: RankFunction<{ count: number }, Collectives> = async ({ rank, size, exchange }, { count }) => {
  const cpu = device('cpu')
  // The group's order is not the world's.
  const ranks = Array.from({ length: size }, (_, place) => size - 1 - place)
  const group = await Group.connect({ name: 'all', ranks, rank, device: cpu, host: '127.0.0.1', timeoutMs: 30_000, exchange })
  const values = (length: number, of = rank) => Float32Array.from({ length }, (_, i) => (i % 97) * (of + 1))
  const numbers = async (x: Tensor) => [...(await x.read())]

  const sum = tensor(values(count))
  const max = tensor(values(count))
  const whole = empty([size * count])
  const inPlace = tensor(values(size * count))
  const part = empty([count])
  const spread = tensor(values(count))
  const message = empty([count])
  group.allReduce(sum)
  group.allReduce(max, 'max')
  group.allGather(part.view(0, [count]), whole) // overwritten below: order of one group's operations
  group.allGather(tensor(values(count)), whole)
  group.allGather(inPlace.view(group.rank * count, [count]), inPlace)
  group.reduceScatter(tensor(values(size * count)), part)
  group.broadcast(spread, size - 1)
  const next = (group.rank + 1) % size
  group.send(sum, next)
  group.receive(message, (group.rank + size - 1) % size)
  await group.barrier()

  let ordered = tensor(values(count))
  for (let step = 0; step < 8; step++) {
    group.allReduce(ordered)
    ordered = scale(ordered, 0.5)
  }
  await group.synchronize()
  const result = {
    sum: await numbers(sum),
    max: await numbers(max),
    gathered: await numbers(whole),
    gatheredInPlace: await numbers(inPlace),
    scattered: await numbers(part),
    broadcast: await numbers(spread),
    received: await numbers(message),
    ordered: await numbers(ordered),
  }
  group.close()
  return result
}

export default run
