import { once } from 'node:events'
import { createServer } from 'node:net'
import { hostname } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { AuroraError } from '../../src/errors.ts'
import { World } from '../../src/parallel/index.ts'
import { RunningClock } from '../../src/parallel/rendezvous/clock.ts'
import { Coordinator } from '../../src/parallel/rendezvous/coordinator.ts'
import { enter } from '../../src/parallel/rendezvous/enter.ts'
import { refuses } from '../support/refuses.ts'
import { job, options, pause, processes, type RankProcess, type Words, worlds } from './support.ts'

const reasonOf = async ({ failed }: World) => {
  if (!failed.aborted) await once(failed, 'abort')
  return failed.reason as AuroraError
}
/** The error of each join; fails when one of them succeeds. */
const refusals = (joins: Promise<World>[]) =>
  Promise.all(
    joins.map(join =>
      join.then(
        () => assert.unreachable('joined') as never,
        error => {
          assert.instance(error, AuroraError)
          return error as AuroraError
        },
      ),
    ),
  )

test('ranks that come in any order gather, exchange in groups, and leave together', async () => {
  const environments = await job(5)
  const order = environments.map(each => ({ each, delay: Math.random() * 200 }))
  const all = await Promise.all(
    order.map(async ({ each, delay }) => {
      await pause(delay)
      return World.join(each, options)
    }),
  )
  assert.equal(
    all.map(({ rank, size, localRank, host }) => [rank, size, localRank, host]),
    [0, 1, 2, 3, 4].map(rank => [rank, 5, rank, '127.0.0.1']),
  )
  for (const gathered of await Promise.all(
    all.map(world => world.gather('values', { rank: world.rank, words: '≠'.repeat(world.rank) })),
  )) {
    assert.equal(
      gathered,
      [0, 1, 2, 3, 4].map(rank => ({ rank, words: '≠'.repeat(rank) })),
    )
  }
  // Two groups use the same key at the same time; one names its ranks in another order on each rank.
  const bytes = (rank: number) => new Uint8Array(1000 * rank).fill(rank)
  const exchange = (rank: number, ranks: number[]) => all[rank]!.exchange('addresses', ranks, bytes(rank))
  const results = await Promise.all([
    exchange(3, [3, 0]),
    exchange(0, [0, 3]),
    exchange(1, [1, 2, 4]),
    exchange(2, [1, 2, 4]),
    exchange(4, [1, 2, 4]),
  ])
  const expected = [
    [3, 0],
    [0, 3],
    [1, 2, 4],
    [1, 2, 4],
    [1, 2, 4],
  ].map(ranks => ranks.map(bytes))
  assert.equal(results, expected)
  assert.is(results[0]![0]!.buffer.byteLength, 3000, 'a part has its memory to itself')
  // A key is free again after its use.
  for (let round = 0; round < 3; round++) await Promise.all(all.map(world => world.barrier('again')))
  let closed = 0
  const closing = all.slice(1).map(world => world.close().then(() => closed++))
  await pause(50)
  assert.is(closed, 0, 'nobody leaves before the last')
  await all[0]!.close()
  await Promise.all(closing)
  assert.ok(all.every(({ failed }) => !failed.aborted))
})

test('a world of one', async () => {
  const [world] = await worlds(1)
  assert.equal(await world!.gather('alone', 7), [7])
  await world!.close()
  await refuses(() => world!.barrier('late'), 'ERR_WORLD', /barrier 'late' cannot begin.*closed/)
})

test('what an exchange refuses', async () => {
  const [world, other] = await worlds(2)
  const exchange = (ranks: number[], bytes = new Uint8Array(1), key = 'k') => world!.exchange(key, ranks, bytes)
  for (const ranks of [[], [1], [0, 0], [0, 2], [0, -1], [0, 0.5]]) {
    await refuses(() => exchange(ranks), 'ERR_WORLD', /exchange 'k' cannot begin; expected different ranks of 0 to 1/)
  }
  await refuses(() => exchange([0, 1], new Uint8Array((16 << 20) + 1)), 'ERR_WORLD', /at most 16777216 bytes/)
  await refuses(() => exchange([0, 1], undefined, 'k'.repeat(501)), 'ERR_WORLD', /at most 500 characters/)
  const first = exchange([0, 1])
  await refuses(() => exchange([0, 1]), 'ERR_WORLD', /under way/)
  await Promise.all([first, other!.exchange('k', [0, 1], new Uint8Array(0))])
  await Promise.all([world!.close(), other!.close()])
})

test('large gifts', async () => {
  const all = await worlds(3)
  const large = (rank: number) => new Uint8Array(3_000_000 + rank).fill(rank + 1)
  for (const parts of await Promise.all(all.map(world => world.exchange('large', [0, 1, 2], large(world.rank))))) {
    assert.ok(parts.every((part, rank) => Buffer.compare(part, large(rank)) === 0))
  }
  await Promise.all(all.map(world => world.close()))
})

test('a rank that does not fit comes before rank 0 has connected to itself: rank 0 hears of it, too', async () => {
  const [zero, one] = await job(2)
  const limits = { version: '1', deadlineMs: 60_000, joinMs: 3000 }
  const join = (environment: typeof zero, definition: string) => () =>
    enter(environment!, { ...limits, definition }, undefined, () => assert.unreachable('joined'))
  await Coordinator.listen(zero!, { ...limits, definition: 'abc' })
  await refuses(join(one, 'xyz'), 'ERR_WORLD', /rank 1 of 2 .* does not fit the job: its definition/)
  await refuses(join(zero, 'abc'), 'ERR_WORLD', /rank 1 of 2 .* does not fit the job: its definition/)
})

test('a rank that does not fit: all get the same error, the late one too', async () => {
  const cases: [object, object, RegExp][] = [
    [
      { size: 4 },
      {},
      /rank 2 of 4 \(host .*, process \d+\) does not fit the job: its world size is not rank 0's; expected 3 \(rank 0\); found 4 \(rank 2\)/,
    ],
    [{}, { version: '9.9.9' }, /its version is not rank 0's; expected 1\.2\.3 \(rank 0\); found 9\.9\.9 \(rank 2\)/],
    [{}, { definition: 'xyz' }, /its definition is not rank 0's; expected abc \(rank 0\); found xyz \(rank 2\)/],
    [{ rank: 3 }, {}, /its range of ranks is not rank 0's; expected 0 to 2 \(rank 0\); found 3 \(rank 3\)/],
    [{ rank: 1 }, {}, /rank 1 of 3 was given twice; expected one process a rank; found rank 1 .* and rank 1/],
  ]
  for (const [changes, others, message] of cases) {
    const [zero, one, two] = await job(3)
    const early = World.join(zero!, options)
    const first = World.join(one!, options)
    // Only after rank 1 is in, so that it is clear who is too many.
    await pause(300)
    const wrong = World.join({ ...two!, ...changes }, { ...options, ...others })
    const known = refusals([early, first, wrong])
    await known
    // The wrong one was no rank 2, so that the right one may still be on its way.
    const late = 'rank' in changes ? [World.join(two!, options)] : []
    const errors = await refusals([early, first, wrong, ...late])
    assert.ok(
      errors.every(({ code }) => code === 'ERR_WORLD'),
      String(errors[0]),
    )
    assert.match(errors[0]!.message, message)
    assert.is(new Set(errors.map(error => error.message)).size, 1, errors.join('\n'))
  }
})

test('a rank that never comes', async () => {
  const [zero, one] = await job(3)
  for (const error of await refusals(
    [zero!, one!].map(each => World.join(each, { ...options, joinMs: 1000, deadlineMs: 400 })),
  )) {
    assert.is(error.code, 'ERR_WORLD')
    assert.match(error.message, /1 of 3 ranks have not joined within 1 s.*all but rank 2/)
  }
})

test('a port that is in use, and a rank 0 that cannot be reached', async () => {
  const [zero, one] = await job(2)
  const other = createServer(socket => socket.end('220 mail.example ESMTP\r\n'.repeat(3)).on('error', () => {})).listen(
    zero!.port,
    '127.0.0.1',
  )
  await once(other, 'listening')
  const [first, second] = await refusals([World.join(zero!, options), World.join(one!, { ...options, joinMs: 500 })])
  assert.match(first!.message, /rank 0 cannot listen at port \d+.*another process uses.*MASTER_PORT/)
  assert.match(
    second!.message,
    /rank 1 could not reach rank 0 at 127\.0\.0\.1:\d+ within 0\.5 s.*found another program at that port/,
  )
  assert.is(second!.code, 'ERR_WORLD')
  other.close()
  const [nobody] = await refusals([World.join(one!, { ...options, joinMs: 300 })])
  assert.match(nobody!.message, /could not reach rank 0.*ECONNREFUSED/)
})

test('joining can be given up, and the others learn of it', async () => {
  const [zero, one] = await job(3)
  const stop = new AbortController()
  const join = World.join(zero!, { ...options, signal: stop.signal })
  const other = refusals([World.join(one!, options)])
  await pause(300)
  stop.abort(new Error('the user has had enough'))
  assert.is(await join.catch(error => error), stop.signal.reason)
  assert.match((await other)[0]!.message, /rank 0 of 3 .* failed during the start of the job: the user has had enough/)
  const alone = new AbortController()
  const [, another] = await job(2)
  const lonely = World.join(another!, { ...options, signal: alone.signal }).catch(error => error)
  await pause(50)
  alone.abort(new Error('no more'))
  assert.is(await lonely, alone.signal.reason)
})

test("one rank's error is told to all, in every wait", async () => {
  const all = await worlds(3)
  const pending = [all[0]!.barrier('x'), all[1]!.gather('y', 1)].map(each =>
    each.then(
      () => 'passed',
      error => error,
    ),
  )
  all[2]!.at('step 12, all_reduce of the gradients')
  all[2]!.fail(
    new AuroraError({ code: 'ERR_DISK_FULL', message: 'cannot write x', expected: 'room', found: 'none', hint: 'make some' }),
  )
  for (const world of all) {
    const reason = await reasonOf(world)
    assert.is(reason.code, 'ERR_RANK_FAILED')
    assert.is(
      reason.message,
      `rank 2 of 3 (host ${hostname()}, process ${process.pid}) failed during step 12, all_reduce of the gradients: cannot write x [ERR_DISK_FULL]; expected room; found none. Hint: make some`,
    )
    assert.is(await world.barrier('later').catch(error => error), reason)
    await world.close()
  }
  assert.equal(await Promise.all(pending), [all[0]!.failed.reason, all[1]!.failed.reason])
})

test('a rank that leaves while others wait for it', async () => {
  for (const leaveFirst of [true, false]) {
    const all = await worlds(3)
    const leave = () => void all[2]!.close()
    if (leaveFirst) leave()
    if (leaveFirst) await pause(50)
    const waiting = all[0]!.barrier('the end').then(
      () => 'passed',
      error => error as AuroraError,
    )
    if (!leaveFirst) await pause(50)
    if (!leaveFirst) leave()
    assert.match(String(await waiting), /rank 2 of 3 .*it has left the job before 'barrier 'the end'', for which others wait/)
    await Promise.all(all.map(world => world.close()))
  }
})

const allLearn = async (ranks: RankProcess[], code: string, message: RegExp) => {
  for (const rank of ranks) {
    const words = await rank.event<Words>('failed')
    assert.is(words.code, code)
    assert.match(words.message, message)
  }
}
const end = async (ranks: RankProcess[]) => {
  for (const { child } of ranks) child.kill('SIGKILL')
  await Promise.all(ranks.map(rank => rank.end()))
}

test('a communication that broke is blamed on the rank that ended, if one did', async () => {
  for (const killed of [true, false]) {
    const ranks = await processes(3)
    ranks[1]!.say('fail', 'a peer closed the connection')
    await ranks[1]!.event('fail')
    if (killed) ranks[2]!.child.kill('SIGKILL')
    const message = killed ? /^rank 2 of 3 .* ended without a word/ : /^rank 1 of 3 .* failed .*a peer closed .*ERR_COMMUNICATION/
    await allLearn(killed ? ranks.slice(0, 2) : ranks, 'ERR_RANK_FAILED', message)
    await end(ranks)
  }
})

for (const victim of [1, 0]) {
  test(`rank ${victim} is killed: the others learn who, where and at what`, async () => {
    const ranks = await processes(3)
    const killed = ranks[victim]!
    const others = ranks.filter(rank => rank !== killed)
    killed.say('at', 'step 12, all_reduce of the gradients')
    for (const rank of ranks) rank.say('barrier', 'all know')
    await Promise.all(ranks.map(rank => rank.event('barrier')))
    for (const rank of others) rank.say('barrier', 'nobody comes')
    killed.child.kill('SIGKILL')
    const pid = killed.child.pid
    await allLearn(
      others,
      'ERR_RANK_FAILED',
      new RegExp(
        `^rank ${victim} of 3 \\(host ${hostname()}, process ${pid}\\) ended without a word during step 12, all_reduce of the gradients`,
      ),
    )
    await end(ranks)
  })

  test(`rank ${victim} freezes: the others learn of it, and it as well when it wakes up`, async () => {
    const ranks = await processes(3, { deadlineMs: 1500, joinMs: 60_000 })
    const frozen = ranks[victim]!
    frozen.child.kill('SIGSTOP')
    const silence = new RegExp(
      `^rank ${victim} of 3 \\(host .*, process ${frozen.child.pid}\\) has been silent for 1\\.5 s during`,
    )
    await allLearn(
      ranks.filter(rank => rank !== frozen),
      'ERR_RANK_FAILED',
      silence,
    )
    frozen.child.kill('SIGCONT')
    await allLearn([frozen], 'ERR_RANK_FAILED', silence)
    await end(ranks)
  })
}

test('a pause of the whole job is nobody’s fault', async () => {
  const ranks = await processes(3, { deadlineMs: 2000, joinMs: 60_000 })
  for (const { child } of ranks) child.kill('SIGSTOP')
  await pause(5000)
  for (const { child } of ranks) child.kill('SIGCONT')
  for (const rank of ranks) rank.say('barrier', 'after')
  await Promise.all(ranks.map(rank => rank.event('barrier')))
  for (const rank of ranks) rank.say('close')
  await Promise.all(ranks.map(rank => rank.event('close')))
  await Promise.all(ranks.map(rank => rank.end()))
})

test('the clock stands still in pauses', () => {
  let wall = 5000
  const clock = new RunningClock(100, () => wall)
  wall += 100
  assert.is(clock.tick(), 100)
  wall += 3_600_000
  assert.is(clock.tick(), 250)
  wall -= 50
  assert.is(clock.tick(), 250)
  wall += 20
  assert.is(clock.tick(), 270)
})

test.run()
