import { fork } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { atomicFolder, commitStep, keepSteps, latestStep, listSteps, recoverFolder } from '../../src/checkpoint/index.ts'
import { temporaryFolder } from '../support/folder.ts'
import { refuses } from '../support/refuses.ts'

const root = temporaryFolder()
const fill = (text: string) => async (folder: string) => {
  mkdirSync(join(folder, 'sub'))
  await writeFile(join(folder, 'a'), text)
  await writeFile(join(folder, 'sub', 'b'), text)
}

if (process.argv[2] === 'save-forever') {
  // A run that saves until it is killed: each step's files hold its number, many times over.
  const run = process.argv[3]!
  await recoverFolder(run)
  const last = await latestStep(run)
  process.send!('started')
  for (let step = (last?.step ?? 0) + 1; ; step++) {
    await commitStep(run, step, async folder => {
      for (const name of ['a', 'b', 'c']) await writeFile(join(folder, name), `${step} `.repeat(2000))
    })
    await keepSteps(run, 2)
  }
}

test('steps are listed in order, the latest is found, old ones go, spared ones stay', async () => {
  const run = join(root, 'run')
  assert.equal(await listSteps(run), [])
  assert.is(await latestStep(run), undefined)
  for (const step of [5, 1_000_000, 20, 300]) await commitStep(run, step, fill(`${step}`))
  mkdirSync(join(run, 'step-notes'))
  writeFileSync(join(run, 'step-000999'), 'not a folder')
  assert.equal(
    (await listSteps(run)).map(({ step }) => step),
    [5, 20, 300, 1_000_000],
  )
  assert.is((await latestStep(run))!.path, join(run, 'step-1000000'))
  assert.is(readFileSync(join(run, 'step-000020', 'sub', 'b'), 'utf8'), '20')
  await keepSteps(run, 1, step => step === 20)
  assert.equal(
    (await listSteps(run)).map(({ step }) => step),
    [20, 1_000_000],
  )
})

test('a failing save leaves nothing, and replacing is all or nothing', async () => {
  const run = join(root, 'failing')
  await commitStep(run, 1, fill('old'))
  const failing = async (folder: string) => {
    await writeFile(join(folder, 'half'), 'x')
    throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
  }
  await refuses(() => commitStep(run, 1, failing), 'ERR_DISK_FULL', /step-000001/)
  await refuses(() => commitStep(run, 2, failing), 'ERR_DISK_FULL')
  assert.equal(readdirSync(run), ['step-000001'])
  await atomicFolder(join(run, 'step-000001'), fill('new'))
  assert.is(readFileSync(join(run, 'step-000001', 'a'), 'utf8'), 'new')
  assert.equal(readdirSync(run), ['step-000001'])
  await refuses(() => commitStep(run, -1, fill('')), 'ERR_INVALID_ARGUMENT')
})

test('leftovers of killed saves are cleared, a folder caught in replacement comes back', async () => {
  const run = join(root, 'killed')
  await commitStep(run, 3, fill('three'))
  for (const name of ['step-000004.tmp-0123456789ab', 'step-000002.old-0123456789ab', 'step-000003.old-0123456789ab']) {
    mkdirSync(join(run, name))
    writeFileSync(join(run, name, 'a'), name)
  }
  writeFileSync(join(run, 'metrics.jsonl.tmp-0123456789ab'), '')
  await recoverFolder(run)
  assert.equal(readdirSync(run).sort(), ['step-000002', 'step-000003'])
  assert.is(readFileSync(join(run, 'step-000003', 'a'), 'utf8'), 'three')
  assert.equal(await recoverFolder(join(root, 'absent')), [])
})

test('a run killed at random moments while saving only ever has whole checkpoints', async () => {
  const run = join(root, 'random')
  mkdirSync(run)
  let reached = 0
  for (let round = 0; round < 6; round++) {
    const child = fork(process.argv[1]!, ['save-forever', run])
    await new Promise(resolve => child.once('message', resolve))
    await new Promise(resolve => setTimeout(resolve, 5 + Math.random() * 60))
    const dead = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGKILL')
    await dead
    const steps = await listSteps(run)
    for (const { step, path } of steps) {
      for (const name of ['a', 'b', 'c']) assert.is(readFileSync(join(path, name), 'utf8'), `${step} `.repeat(2000))
    }
    const latest = steps.at(-1)?.step ?? 0
    assert.ok(latest >= reached, 'a committed step never goes back')
    reached = latest
  }
  assert.ok(reached > 0, 'something was saved')
  await recoverFolder(run)
  assert.not(readdirSync(run).some(name => /tmp|old/.test(name)))
  assert.ok(existsSync(run))
})

test.run()
