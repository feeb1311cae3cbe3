import { execFileSync, fork } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  abandonStep,
  beginStep,
  finishStep,
  keepSteps,
  latestStep,
  listSteps,
  openCheckpoint,
  pendingStep,
  recoverFolder,
  type ShardedSave,
  saveSharded,
  snapshot,
  verifyCheckpoint,
  writeShard,
} from '../../src/checkpoint/index.ts'
import { empty, full, scope } from '../../src/tensor/index.ts'
import { temporaryFolder } from '../support/folder.ts'
import { random } from '../support/random.ts'
import { refuses } from '../support/refuses.ts'
import { gatherAmong } from './layouts.ts'

const world = 3
const rows = 50_000

/** A step's checkpoint by ranks that are promises of this process: each has some rows of one tensor, all `value`. */
async function saveAll(run: string, step: number, value: number, own: (rank: number) => Partial<ShardedSave> = () => ({})) {
  const gather = gatherAmong(world)
  return Promise.allSettled(
    Array.from({ length: world }, async (_, rank) => {
      const block = await scope(() => {
        const tensor = full([rows, 4], value)
        return snapshot([{ name: 'w', shape: [world * rows, 4], dtype: 'f32', start: [rank * rows, 0], size: [rows, 4], tensor }])
      })
      const writeFiles = (folder: string) => writeFile(join(folder, 'training_state.json'), JSON.stringify({ step, value }))
      return saveSharded({ run, step, rank, job: 'a', blocks: block, gather: gather(rank), writeFiles, ...own(rank) })
    }),
  )
}

/** Reads a checkpoint of saveAll and sees that all of it is of one save. */
async function expectSaved(folder: string, value: number): Promise<void> {
  await verifyCheckpoint(folder)
  assert.is(JSON.parse(readFileSync(join(folder, 'training_state.json'), 'utf8')).value, value)
  await scope(async () => {
    const source = await openCheckpoint(folder)
    const tensor = empty(source.info('w').shape)
    await source.readInto('w', tensor)
    assert.ok((await tensor.read()).every(element => element === value))
    await source.close()
  })
}

if (process.argv[2] === 'save-forever') {
  const run = process.argv[3]!
  await recoverFolder(run)
  process.send!('started')
  for (let step = ((await latestStep(run))?.step ?? 0) + 1; ; step++) {
    // Every other step is saved again, over itself.
    for (let again = 0; again <= step % 2; again++) {
      for (const result of await saveAll(run, step, step)) if (result.status === 'rejected') throw result.reason
    }
    await keepSteps(run, 2)
  }
}

const root = temporaryFolder()

test('all ranks get the folder, which appears whole; saved again, it is replaced', async () => {
  const run = join(root, 'run')
  for (const value of [1, 2]) {
    const results = await saveAll(run, 7, value, rank => (rank === 1 ? { writeFiles: () => assert.unreachable() as never } : {}))
    for (const result of results) assert.equal(result, { status: 'fulfilled', value: join(run, 'step-000007') })
    assert.equal(readdirSync(run), ['step-000007'])
    assert.equal(readdirSync(join(run, 'step-000007')).sort(), [
      'manifest.json',
      'rank-00000.safetensors',
      'rank-00001.safetensors',
      'rank-00002.safetensors',
      'training_state.json',
    ])
    await expectSaved(join(run, 'step-000007'), value)
  }
})

test('when one rank fails, all fail, with its error; nothing is left but what was there', async () => {
  const run = join(root, 'failing')
  await saveAll(run, 1, 1)
  const boom = Object.assign(new Error('boom'), { code: 'ENOSPC' })
  const fails: [own: (rank: number) => Partial<ShardedSave>, first: RegExp, others: RegExp][] = [
    [
      rank => (rank === 0 ? { writeFiles: () => Promise.reject(boom) } : {}),
      /the disk is full/,
      /failed on rank 0: .*the disk is full/,
    ],
    [rank => (rank === 2 ? { signal: AbortSignal.abort(new Error('given up')) } : {}), /rank 2: given up/, /given up/],
    [rank => (rank === 1 ? { blocks: [] } : {}), /lacks an element/, /rank 0: .*lacks an element/],
    [rank => (rank === 1 ? { job: 'b' } : {}), /rank 1: .*does not exist/, /does not exist/],
  ]
  for (const step of [1, 2]) {
    for (const [own, first, others] of fails) {
      const results = await saveAll(run, step, 5, own)
      for (const [rank, result] of results.entries()) {
        assert.is(result.status, 'rejected')
        assert.match((result as PromiseRejectedResult).reason.message, rank === 0 ? first : others)
      }
      assert.equal(readdirSync(run), ['step-000001'])
    }
  }
  await expectSaved(join(run, 'step-000001'), 1)
})

test('a step begun is a leftover until it is finished; abandoned, it does not come back', async () => {
  const run = join(root, 'begun')
  const folder = await beginStep(run, 3, 'job')
  assert.is(folder, pendingStep(run, 3, 'job'))
  assert.is.not(folder, pendingStep(run, 3, 'other job'))
  writeFileSync(join(folder, 'half'), '')
  assert.equal(await listSteps(run), [])
  assert.is(await beginStep(run, 3, 'job'), folder)
  assert.equal(readdirSync(folder), [])
  writeFileSync(join(folder, 'rank-00001.safetensors.tmp-0123456789ab'), 'what a retry has left')
  writeFileSync(join(folder, 'whole'), '')
  assert.is(await finishStep(run, 3, 'job'), join(run, 'step-000003'))
  assert.equal(readdirSync(join(run, 'step-000003')), ['whole'])

  await beginStep(run, 4)
  await abandonStep(run, 4)
  await abandonStep(run, 4)
  await refuses(() => writeShard(pendingStep(run, 4), 0, []), 'ERR_FILE_NOT_FOUND', /step-000004/)
  assert.equal(readdirSync(run), ['step-000003'])
  await refuses(() => finishStep(run, 4), 'ERR_FILE_NOT_FOUND')

  await beginStep(run, 5, 'died')
  assert.equal(await recoverFolder(run), [pendingStep('', 5, 'died')])
  assert.equal(readdirSync(run), ['step-000003'])
  await refuses(() => beginStep(run, -1), 'ERR_INVALID_ARGUMENT')
})

test('a full disk: the error says so, the step is given up, the checkpoint before stays', async () => {
  const disk = join(root, 'disk')
  mkdirSync(disk)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk], { stdio: 'ignore' })
  } catch {
    return console.log('skipped: this user may not mount a small file system')
  }
  try {
    for (const result of await saveAll(disk, 1, 1)) assert.is(result.status, 'fulfilled')
    const free = () => statfsSync(disk).bfree * statfsSync(disk).bsize
    const before = free()
    for (const step of [1, 2]) {
      const results = await saveAll(disk, step, 2)
      assert.ok(results.some(result => /the disk is full/.test((result as PromiseRejectedResult).reason?.message)))
      for (const result of results) assert.is((result as PromiseRejectedResult).reason.code, 'ERR_DISK_FULL')
      assert.equal(readdirSync(disk), ['step-000001'])
      await expectSaved(join(disk, 'step-000001'), 1)
    }
    assert.is(free(), before)
  } finally {
    execFileSync('umount', [disk])
  }
})

test('a run killed at random moments while saving only ever has whole checkpoints', async () => {
  const run = join(root, 'killed')
  mkdirSync(run)
  let reached = 0
  let unfinished = 0
  for (let round = 0; round < 8; round++) {
    const child = fork(process.argv[1]!, ['save-forever', run])
    await new Promise(resolve => child.once('message', resolve))
    await new Promise(resolve => setTimeout(resolve, 20 + random.below(150)))
    const dead = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGKILL')
    await dead
    unfinished += readdirSync(run).filter(name => /\.(tmp|old)-/.test(name)).length
    await recoverFolder(run)
    assert.not(readdirSync(run).some(name => /tmp|old/.test(name)))
    const steps = await listSteps(run)
    for (const { step, path } of steps) await expectSaved(path, step)
    const latest = steps.at(-1)?.step ?? 0
    assert.ok(latest >= reached, 'a committed step never goes back')
    reached = latest
  }
  assert.ok(reached > 0, 'something was saved')
  console.log(`${reached} steps saved, ${unfinished} unfinished folders found`)
  rmSync(run, { recursive: true })
  assert.not(existsSync(run))
})

test.run()
