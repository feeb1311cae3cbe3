/** Parallel runs and what may happen to them: ranks that die, freeze or compute wrongly, disks that are full, files that are damaged. */
import { execFileSync } from 'node:child_process'
import { rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { latestStep } from '../../src/checkpoint/index.ts'
import { freePort } from '../../src/cli/launch/port.ts'
import { type ParallelLayout, singleLayout, World, worldSize } from '../../src/parallel/index.ts'
import { version } from '../../src/version.ts'
import { temporaryFolder } from '../support/folder.ts'
import { random } from '../support/random.ts'
import { refuses } from '../support/refuses.ts'
import { deadlineMs, expectErrors, goesOn, Run, type Straight, someMoment, straight, wholeCheckpoints } from './faults.ts'
import { environmentOf } from './training.ts'

const mixed = { tensor: 2, pipeline: 2, sequenceParallel: true }
const sharded = { data: 2, zero: true }

const undisturbed = new Map<object, Promise<Straight>>()
function expected(layout: Partial<ParallelLayout>): Promise<Straight> {
  if (!undisturbed.has(layout)) undisturbed.set(layout, straight(layout))
  return undisturbed.get(layout)!
}

/** What the others say of a rank that they have lost. */
const lost = (run: Run, rank: number, how: string) =>
  new RegExp(`^rank ${rank} of ${run.size} \\(host .+, process ${run.process(rank).pid}\\) ${how} during step \\d+`)

for (const [what, layout] of Object.entries({ '2×2×1': mixed, 'data 2 with ZeRO': sharded })) {
  test(`${what}: ranks are killed one after another, at some moment, rank 0 too; the others name it; resuming comes to the same bits`, async () => {
    const straight = await expected(layout)
    const of = { layout, dir: temporaryFolder(), slowSaving: 20 }
    const last = worldSize({ ...singleLayout, ...layout }) - 1
    for (const rank of random.shuffle([0, 1 + random.below(last)])) {
      const from = await wholeCheckpoints(of.dir)
      const run = await Run.start({ ...of, deadlineMs, resume: true })
      const moment = await someMoment(run, from)
      const since = performance.now()
      run.process(rank).kill('SIGKILL')
      const failures = await run.failures([rank], since)
      expectErrors(failures, 'ERR_RANK_FAILED', lost(run, rank, 'ended without a word'))
      console.log(`killed rank ${rank} at ${moment}: the others ended in ${failures.seconds.toFixed(1)} s`)
    }
    await goesOn(of, straight)
  })
}

for (const who of ['rank 0', 'another rank']) {
  test(`${who} freezes: the others name it; when it runs on it ends, and disturbs no new job`, async () => {
    const rank = who === 'rank 0' ? 0 : 1
    const run = await Run.start({ layout: sharded, deadlineMs, steps: [1000, 1] })
    await run.until(0, ({ step }) => step > 2)
    const since = performance.now()
    run.process(rank).kill('SIGSTOP')
    const failures = await run.failures([rank], since)
    expectErrors(failures, 'ERR_RANK_FAILED', lost(run, rank, `has been silent for ${deadlineMs / 1000} s`))
    console.log(`froze rank ${rank}: the others ended in ${failures.seconds.toFixed(1)} s`)
    // Rank 0 keeps the port as long as it is frozen.
    if (rank === 0) run.process(0).kill('SIGCONT')
    if (rank === 0) await run.ranks.ends[0]
    const dir = temporaryFolder()
    const next = await Run.start({ layout: sharded, dir, port: run.of.port, environment: { job: 'next' } })
    if (rank > 0) {
      await next.until(0, ({ step }) => step > 2)
      run.process(rank).kill('SIGCONT')
    }
    const { error, exitCode } = await run.ranks.ends[rank]!
    assert.is(exitCode, 1)
    assert.is(error?.code, 'ERR_RANK_FAILED', error?.message)
    assert.equal((await next.result()).losses, (await expected(sharded)).losses)
  })
}

test('a rank whose weights differ in one bit is named on all ranks', async () => {
  const replica = random.below(4)
  const cases = [
    {
      layout: { data: 4 },
      rank: replica,
      parameter: 'transformer.wte.weight',
      what: `^after step 4 rank ${replica} and ranks .* weights`,
    },
    {
      layout: { tensor: 2 },
      rank: random.below(2),
      parameter: 'transformer.h.3.ln_1.weight',
      what: '^after step 4 rank 1 and rank 0 .* norms',
    },
  ]
  for (const { layout, rank, parameter, what } of cases) {
    const run = await Run.start({ layout, flip: { rank, afterStep: 3, parameter } })
    expectErrors(await run.failures(), 'ERR_DIVERGED', new RegExp(what))
  }
})

test('a disk that is full for one rank: the run ends, the checkpoint before is whole, and the run goes on', async () => {
  const of = { layout: sharded, dir: temporaryFolder() }
  const rank = random.below(2)
  const run = await Run.start(of)
  await run.until(rank, ({ step }) => step >= 5)
  execFileSync('prlimit', ['--pid', String(run.process(rank).pid), '--fsize=4096:4096'])
  const failures = await run.failures()
  // Rank 0 has more to write than its shard.
  const own = new RegExp(`^cannot write .*${rank === 0 ? '' : 'rank-00001\\.safetensors'}: the file would be larger`)
  for (const [member, error] of failures.errors) {
    assert.is(error.code, 'ERR_DISK_FULL', error.message)
    assert.match(
      error.message,
      member === rank ? own : new RegExp(`^checkpoint of step \\d+ failed on rank ${rank}: cannot write `),
    )
  }
  assert.ok((await wholeCheckpoints(of.dir)) >= 2)
  await goesOn(of, await expected(sharded))
})

test('a disk that is full for all', async () => {
  const folder = temporaryFolder()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', folder], { stdio: 'pipe' })
  } catch (error) {
    console.log(`skipped: no small file system can be mounted here: ${(error as Error).message.trim()}`)
    return
  }
  try {
    const of = { layout: sharded, dir: join(folder, 'checkpoints') }
    const run = await Run.start(of)
    await run.until(0, ({ step }) => step >= 5)
    try {
      writeFileSync(join(folder, 'ballast'), new Uint8Array(48 << 20))
    } catch {
      // Now it is full.
    }
    expectErrors(
      await run.failures(),
      'ERR_DISK_FULL',
      /^(checkpoint of step \d+ failed on rank [01]: )?cannot write .*: the disk is full/,
    )
    assert.ok((await wholeCheckpoints(of.dir)) >= 2)
    rmSync(join(folder, 'ballast'))
    await goesOn(of, await expected(sharded))
  } finally {
    execFileSync('umount', [folder])
  }
})

test('a damaged checkpoint is refused on every rank; without it the run goes on from the one before', async () => {
  const of = { layout: sharded, dir: temporaryFolder() }
  const first = await Run.start({ ...of, slowSaving: 1 })
  await first.until(0, ({ step }) => step >= 9)
  first.process(1).kill('SIGKILL')
  await first.failures([1])
  for (const damage of ['truncated', 'missing']) {
    const { path } = (await latestStep(of.dir))!
    const shard = join(path, `rank-0000${random.below(2)}.safetensors`)
    if (damage === 'missing') rmSync(shard)
    else truncateSync(shard, 1000 + random.below(1000))
    const failures = await (await Run.start({ ...of, resume: true })).failures()
    const code = damage === 'missing' ? 'ERR_FILE_NOT_FOUND' : 'ERR_FILE_TRUNCATED'
    for (const [rank, error] of failures.errors) {
      assert.ok(error.message.includes(shard), `rank ${rank}: ${error.message}`)
      assert.ok(error.code === code || error.message.includes(`[${code}]`), `rank ${rank}: ${error.message}`)
    }
    rmSync(path, { recursive: true })
  }
  assert.ok((await latestStep(of.dir)) !== undefined, 'one is left')
  await goesOn(of, await expected(sharded))
})

test('ranks of other jobs, and strangers, do not disturb a run', async () => {
  const port = await freePort()
  const dir = temporaryFolder()
  const run = await Run.start({ layout: sharded, dir, port, environment: { token: 'the token' } })
  await run.until(0, ({ step }) => step >= 1)
  const join = (environment: { job?: string; token?: string; rank?: number }) => {
    const rank = environment.rank ?? 1
    const of = { port, environment: { token: 'the token', ...environment } }
    return World.join(environmentOf({ rank, size: 2 }, of), { version, definition: 'test', deadlineMs })
  }
  await refuses(() => join({ job: 'an earlier one' }), 'ERR_WORLD', /its job is not rank 0's/)
  await refuses(() => join({ token: 'another' }), 'ERR_WORLD', /does not belong to the job/)
  await refuses(() => join({}), 'ERR_WORLD', /its definition is not rank 0's|was given twice/)
  await refuses(() => join({ rank: 0 }), 'ERR_WORLD', /cannot listen/)
  assert.equal((await run.result()).losses, (await expected(sharded)).losses)
})

test('ranks that would do different things refuse to start, all with the same words', async () => {
  const odd = random.below(2)
  const cases = [
    { difference: { definition: 'another recipe' }, words: 'definition' },
    { difference: { version: '0.0.1' }, words: 'version' },
    { difference: { layout: { tensor: 2 } }, words: 'definition' },
  ]
  for (const { difference, words } of cases) {
    const run = await Run.start({ layout: { data: 2 }, odd: { rank: odd, ...difference } })
    expectErrors(
      await run.failures(),
      'ERR_WORLD',
      new RegExp(`^rank 1 of 2 .* does not fit the job: its ${words} is not rank 0's`),
    )
  }
})

test.run()
