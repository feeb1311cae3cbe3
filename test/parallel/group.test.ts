/** Groups of processes: collectives through Group, and what the others see when one of them fails. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Exchange, Group } from '../../src/parallel/index.ts'
import { device, empty, tensor, zeros } from '../../src/tensor/index.ts'
import { runRanks, startRanks } from '../support/ranks.ts'
import { refuses } from '../support/refuses.ts'
import type { Collectives } from './ranks/collectives.ts'
import type { Scenario } from './ranks/failure.ts'

const script = (name: string) => new URL(`./ranks/${name}.ts`, import.meta.url).href

/** How processes of one machine reach each other. */
const ways = [
  { name: 'through shared memory', env: { AURORA_SHARED_MEMORY: '1' } },
  { name: 'over sockets', env: { AURORA_SHARED_MEMORY: '0' } },
]
type Way = (typeof ways)[number]

for (const way of ways)
  for (const size of [2, 3])
    test(`collectives of ${size} processes ${way.name}`, async () => {
      const count = 1 + Math.floor(Math.random() * 3000)
      const about = `${count} elements`
      const results = await runRanks<{ count: number }, Collectives>(size, script('collectives'), { count }, way)
      const value = (rank: number, i: number) => (i % 97) * (rank + 1)
      const range = (length: number, of: (i: number) => number) => Array.from({ length }, (_, i) => of(i))
      const members = range(size, rank => rank + 1).reduce((sum, member) => sum + member, 0)
      const sum = range(count, i => value(0, i) * members)
      for (let rank = 0; rank < size; rank++) {
        const place = size - 1 - rank
        const worldRank = (of: number) => size - 1 - of
        const found = results[rank]!
        assert.equal(found.sum, sum, about)
        assert.equal(
          found.max,
          range(count, i => value(size - 1, i)),
          about,
        )
        assert.equal(
          found.gathered,
          range(size * count, i => value(worldRank(Math.floor(i / count)), i % count)),
          about,
        )
        assert.equal(
          found.gatheredInPlace,
          range(size * count, i => value(worldRank(Math.floor(i / count)), i)),
          about,
        )
        assert.equal(
          found.scattered,
          range(count, i => value(0, place * count + i) * members),
          about,
        )
        assert.equal(
          found.broadcast,
          range(count, i => value(0, i)),
          about,
        )
        assert.equal(found.received, sum, about)
        const factor = (size / 2) ** 7 / 2
        assert.ok(
          found.ordered.every((x, i) => x === sum[i]! * factor),
          about,
        )
      }
    })

interface Failure {
  code: string
  message: string
  milliseconds: number
}

async function failuresOf(way: Way, scenario: Scenario, whenReady?: (processes: { kill(signal: 'SIGKILL'): void }[]) => void) {
  const running = startRanks<{ scenario: Scenario }, Failure[]>(3, script('failure'), { scenario }, way)
  await running.report(2)
  whenReady?.(running.processes)
  return running.outcomes
}

function failsTwice(failures: Failure[] | undefined, message: RegExp, milliseconds = 5000): void {
  assert.is(failures?.length, 2)
  for (const failure of failures!) {
    assert.is(failure.code, 'ERR_COMMUNICATION')
    assert.match(failure.message, message)
    assert.ok(failure.milliseconds < milliseconds, `after ${failure.milliseconds} ms`)
  }
}

for (const way of ways) {
  test(`a killed process is an error on the others, at once, ${way.name}`, async () => {
    const outcomes = await failuresOf(way, 'kill', processes => processes[2]!.kill('SIGKILL'))
    assert.is(outcomes[2]!.signal, 'SIGKILL')
    for (const { result, exitCode } of outcomes.slice(0, 2)) {
      assert.is(exitCode, 0)
      // One of the two may see the other give up first.
      failsTwice(result, /allReduce: communication failed; expected .*rank [012] of group 'world'; found .*connection/)
    }
    assert.ok(outcomes.some(({ result }) => /rank 2/.test(result?.[0]?.message ?? '')))
  })

  test(`an aborted group fails on every member, ${way.name}`, async () => {
    const outcomes = await failuresOf(way, 'abort')
    for (const { result } of outcomes.slice(0, 2)) failsTwice(result, /connection that ended/)
    assert.is(outcomes[2]!.result as unknown, 'left')
  })

  test(`a member that does not come is waited for until the timeout, and named, ${way.name}`, async () => {
    const outcomes = await failuresOf(way, 'late')
    assert.ok(outcomes.some(({ result }) => /from rank 2 of group 'world' within 500 ms/.test(result?.[0]?.message ?? '')))
    for (const { result } of outcomes.slice(0, 2)) failsTwice(result, /rank [012] of group 'world'/)
  })

  test(`a process may exit while a collective blocks, ${way.name}`, async () => {
    const outcomes = await failuresOf(way, 'exit')
    assert.equal(
      outcomes.map(({ exitCode }) => exitCode),
      [0, 4, 3],
    )
    failsTwice(outcomes[0]!.result, /connection/)
  })

  test(`a closed member is an error on the others, ${way.name}`, async () => {
    const outcomes = await failuresOf(way, 'close')
    for (const { result } of outcomes.slice(0, 2)) failsTwice(result, /connection that ended/)
  })
}

const alone: Exchange = async (_, __, bytes) => [bytes]
const connect = (options: Partial<Parameters<typeof Group.connect>[0]> = {}) =>
  Group.connect({
    name: 'one',
    ranks: [3],
    rank: 3,
    device: device('cpu'),
    host: '127.0.0.1',
    timeoutMs: 1000,
    exchange: alone,
    ...options,
  })

test('a group of one is the identity', async () => {
  const group = await connect()
  assert.is(group.rank, 0)
  assert.is(group.size, 1)
  const x = tensor(Float32Array.of(1, 2, 3))
  const y = zeros([3])
  group.allReduce(x)
  group.broadcast(x, 0)
  group.allGather(x, y)
  assert.equal([...(await y.read())], [1, 2, 3])
  const z = zeros([3])
  group.reduceScatter(y, z, 'max')
  assert.equal([...(await z.read())], [1, 2, 3])
  await group.barrier()
  group.abort('enough')
  group.allReduce(x)
  await refuses(() => group.synchronize(), 'ERR_COMMUNICATION', /enough/)
  group.close()
  await refuses(() => group.allReduce(x), 'ERR_CLOSED')
  await refuses(() => group.close(), 'ERR_CLOSED')
})

test('wrong arguments are refused where they are given', async () => {
  await refuses(() => connect({ ranks: [0, 1] }), 'ERR_INVALID_ARGUMENT', /this process's rank, 3/)
  await refuses(() => connect({ ranks: [] }), 'ERR_INVALID_ARGUMENT')
  await refuses(() => connect({ ranks: [3, 3] }), 'ERR_INVALID_ARGUMENT')
  await refuses(() => connect({ ranks: [3, 4], kind: 'single' }), 'ERR_INVALID_ARGUMENT')
  await refuses(() => connect({ ranks: [3, 4], kind: 'nccl' }), 'ERR_NOT_SUPPORTED')
  await refuses(() => connect({ ranks: [3, 4], timeoutMs: 0 }), 'ERR_INVALID_ARGUMENT')
  await refuses(() => connect({ ranks: [3, 4], host: 'no such host' }), 'ERR_COMMUNICATION', /no such host/)
  await refuses(() => connect({ ranks: [3, 4], exchange: async () => [] }), 'ERR_COMMUNICATION')
  await refuses(() => connect({ ranks: [3, 4], exchange: async (_, __, bytes) => [bytes, bytes] }), 'ERR_COMMUNICATION')
  const group = await connect()
  await refuses(() => group.allReduce(tensor(Uint8Array.of(1))), 'ERR_DTYPE')
  await refuses(() => group.allGather(empty([2]), empty([3])), 'ERR_SHAPE')
  await refuses(() => group.broadcast(empty([2]), 1), 'ERR_INVALID_ARGUMENT')
  await refuses(() => group.send(empty([2]), 0), 'ERR_INVALID_ARGUMENT')
  group.close()
})

test.run()
