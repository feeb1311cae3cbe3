/** aurora launch: what the ranks are told, what is shown of them, and that none is left in the end. */
import type { ChildProcess } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { commitStep, latestStep } from '../../src/checkpoint/index.ts'
import { Resumption, separate } from '../../src/cli/launch/command.ts'
import { JobOutput } from '../../src/cli/launch/output.ts'
import { Progress } from '../../src/cli/terminal.ts'
import { runFiles } from '../../src/train/index.ts'
import { temporaryFolder } from '../support/folder.ts'
import { aurora, recipeFolder } from './support.ts'

const pause = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))
const node = (program: string) => ['--', process.execPath, '-e', program]

/** Waits until it is true; the test runner's patience is the limit. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await pause(50)
}
function lives(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
const pidsIn = (out: string) => [...out.matchAll(/pid (\d+)/g)].map(([, pid]) => Number(pid))

/** Starts the command; `out` is what it has printed so far, both streams. */
function start(args: string[]) {
  const running = {
    child: undefined as unknown as ChildProcess,
    out: '',
    finished: undefined as unknown as ReturnType<typeof aurora>,
  }
  running.finished = aurora(args, {
    started: child => {
      running.child = child
      for (const stream of [child.stdout!, child.stderr!]) stream.on('data', text => (running.out += text))
    },
  })
  return running
}

test('every rank is told its place; lines carry the rank; the exit code is 0', async () => {
  const names = ['RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'LOCAL_WORLD_SIZE', 'MASTER_ADDR', 'AURORA_NUM_THREADS', 'AURORA_DEADLINE']
  const program = `
    const { env } = process
    process.stdout.write(${JSON.stringify(names)}.map(name => env[name]).join(' '))
    setTimeout(() => console.log(' ' + [env.MASTER_PORT, env.AURORA_JOB_TOKEN, env.AURORA_JOB_ID].join(' ')), 100)
    console.error('to stderr\\r\\nlast\\rline without end ' + env.AURORA_PROGRESS)`
  const { code, out, err } = await aurora(['launch', '--nproc', '3', '--threads', '2', '--deadline', '7.5', ...node(program)])
  assert.is(code, 0, err)
  const lines = out.trim().split('\n').sort()
  assert.equal(
    lines.map(line => line.split(' ').slice(0, 8)),
    [0, 1, 2].map(rank => [`[${rank}]`, String(rank), '3', String(rank), '3', '127.0.0.1', '2', '7.5']),
  )
  const shared = new Set(lines.map(line => line.split(' ').slice(8).join(' ')))
  assert.is(shared.size, 1)
  assert.match([...shared][0]!, /^\d{4,5} [0-9a-f]{64} [0-9a-f]{16}\.0$/)
  const others = err.trim().split('\n').sort()
  assert.equal(others, [
    '[0] line without end lines',
    '[0] to stderr',
    '[1] line without end none',
    '[1] to stderr',
    '[2] line without end none',
    '[2] to stderr',
  ])
})

test('a verb of the command runs as it is, with its own options', async () => {
  const { code, out } = await aurora(['launch', '--nproc=2', '--port', '23456', 'doctor', '--json'])
  assert.is(code, 0)
  for (const rank of [0, 1]) {
    const json = out
      .split('\n')
      .filter(line => line.startsWith(`[${rank}]`))
      .map(line => line.slice(4))
      .join('\n')
    assert.ok((JSON.parse(json) as { what: string }[]).some(({ what }) => what === 'aurora-m'))
  }
})

test('one of several machines', async () => {
  const program = `const { env } = process; console.log(env.RANK, env.WORLD_SIZE, env.LOCAL_RANK, env.MASTER_ADDR, env.MASTER_PORT, env.AURORA_JOB_TOKEN)`
  process.env.AURORA_JOB_TOKEN = 'shared'
  try {
    const several = ['--nproc=2', '--nodes=3', '--node=2', '--master', 'host0', '--port', '29500']
    const { code, out } = await aurora(['launch', ...several, ...node(program)])
    assert.is(code, 0)
    assert.equal(out.trim().split('\n').sort(), ['[4] 4 6 0 host0 29500 shared', '[5] 5 6 1 host0 29500 shared'])
    for (const wrong of [['--node=3'], ['--restarts', '1']]) {
      assert.is((await aurora(['launch', ...several, ...wrong, ...node(program)])).code, 2, wrong[0])
    }
    delete process.env.AURORA_JOB_TOKEN
    const { code: refused, err } = await aurora(['launch', ...several, ...node(program)])
    assert.is(refused, 2)
    assert.match(err, /several machines need AURORA_JOB_TOKEN/)
  } finally {
    delete process.env.AURORA_JOB_TOKEN
  }
})

test('wrong command lines', async () => {
  for (const args of [
    [],
    ['--nproc', '2'],
    ['--nproc', '0', 'doctor'],
    ['doctor'],
    ['--nproc', '2', '--port', '70000', 'doctor'],
    ['--nproc', '2', '--deadline', '0', 'doctor'],
  ]) {
    assert.is((await aurora(['launch', ...args])).code, 2, args.join(' '))
  }
  const { code, err } = await aurora(['launch', '--nproc', '2', '--', '/nowhere/at-all'])
  assert.is(code, 1)
  assert.match(err, /error cannot start \/nowhere\/at-all \[ERR_LAUNCH\]/)
})

test('one rank fails: its code is the answer; those that do not end, even stopped ones and their children, are killed', async () => {
  const program = `
    const { spawn } = require('node:child_process')
    const rank = Number(process.env.RANK)
    process.on('SIGTERM', () => {})
    if (rank === 1) {
      // Only when all have begun.
      setTimeout(() => process.exit(7), 1500)
    } else {
      const child = spawn('sleep', ['1000'], { stdio: 'inherit' })
      console.log('pid', process.pid, 'pid', child.pid)
      if (rank === 0) setTimeout(() => process.kill(process.pid, 'SIGSTOP'), 50)
      setInterval(() => {}, 1000)
    }`
  const { code, out, err } = await aurora(['launch', '--nproc', '3', '--deadline', '1', ...node(program)])
  assert.is(code, 7, err)
  assert.match(err, /rank 1 ended with code 7; the others are given 1 s to end/)
  assert.match(err, /2 of the ranks have not ended, and are killed/)
  assert.is(pidsIn(out).length, 4)
  await until(() => !pidsIn(out).some(lives))
})

test('a rank that is killed gives 128 and the number of the signal', async () => {
  const { code, err } = await aurora([
    'launch',
    '--nproc',
    '2',
    ...node(`if (process.env.RANK === '1') process.kill(process.pid, 'SIGKILL')`),
  ])
  assert.is(code, 137)
  assert.match(err, /rank 1 was ended by SIGKILL/)
})

test('the rank that is named did not end because of another', async () => {
  const program = `const { RANK } = process.env; setTimeout(() => process.exit(RANK === '1' ? 6 : 3), RANK === '1' ? 400 : 0)`
  const { code, err } = await aurora(['launch', '--nproc', '3', ...node(program)])
  assert.is(code, 6)
  assert.match(err.trim().split('\n').at(-1)!, /rank 1 ended with code 6/)
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} is passed on once, and all end by themselves`, async () => {
    const program = `
      let times = 0
      process.on('${signal}', () => {
        times++
        setTimeout(() => { console.log('times ' + times); process.exit(0) }, 300)
      })
      setInterval(() => {}, 1000)
      console.log('ready pid', process.pid)`
    const running = start(['launch', '--nproc', '2', ...node(program)])
    await until(() => pidsIn(running.out).length === 2)
    running.child.kill(signal)
    const { code, out } = await running.finished
    assert.is(code, 130)
    assert.equal(out.match(/times \d/g), ['times 1', 'times 1'])
    assert.not.ok(pidsIn(out).some(lives))
  })
}

test('a second signal kills what does not obey the first', async () => {
  const program = `process.on('SIGINT', () => console.log('not yet')); setInterval(() => {}, 1000); console.log('pid', process.pid)`
  const running = start(['launch', '--nproc', '2', ...node(program)])
  await until(() => pidsIn(running.out).length === 2)
  running.child.kill('SIGINT')
  await until(() => running.out.match(/not yet/g)?.length === 2)
  running.child.kill('SIGINT')
  const { code, out } = await running.finished
  assert.is(code, 130)
  await until(() => !pidsIn(out).some(lives))
})

test('a launcher that is killed leaves nothing behind', async () => {
  const program = `
    process.on('SIGTERM', () => {}) // must be killed
    process.stdout.on('error', () => {})
    setInterval(() => {}, 1000)
    console.log('pid', process.pid)
    if (process.env.RANK === '1') setTimeout(() => process.kill(process.pid, 'SIGSTOP'), 50)`
  const running = start(['launch', '--nproc', '2', ...node(program)])
  await until(() => pidsIn(running.out).length === 2)
  running.child.kill('SIGKILL')
  await until(() => !pidsIn(running.out).some(lives))
})

test('--restarts starts all again, says so, and gives up in the end', async () => {
  const folder = temporaryFolder()
  const program = `
    const { appendFileSync, readFileSync } = require('node:fs')
    if (process.env.RANK === '0') {
      appendFileSync(${JSON.stringify(join(folder, 'tries'))}, process.env.AURORA_JOB_ID + '\\n')
      if (readFileSync(${JSON.stringify(join(folder, 'tries'))}, 'utf8').split('\\n').length < 4) process.exit(5)
    }`
  const first = await aurora(['launch', '--nproc', '2', '--restarts', '1', ...node(program)])
  assert.is(first.code, 5)
  assert.match(first.err, /rank 0 ended with code 5\nrestart 1 of 1, from the beginning\nrank 0 ended with code 5/)
  const second = await aurora(['launch', '--nproc', '2', '--restarts', '5', ...node(program)])
  assert.is(second.code, 0, second.err)
  const jobs = (await readFile(join(folder, 'tries'), 'utf8')).trim().split('\n')
  assert.is(new Set(jobs).size, 3, 'a try is a job of its own')
})

test('a run that is killed after a checkpoint goes on from it', async () => {
  const { folder, recipe } = await recipeFolder(200)
  const running = start(['launch', '--nproc', '1', '--restarts', '1', 'run', recipe, '--output', join(folder, 'here')])
  const checkpoints = runFiles(join(folder, 'here')).checkpoints
  await until(async () => (await latestStep(checkpoints)) !== undefined)
  const children = await readFile(`/proc/${running.child.pid}/task/${running.child.pid}/children`, 'utf8')
  for (const pid of children.trim().split(' ').map(Number)) {
    if ((await readFile(`/proc/${pid}/cmdline`, 'utf8')).includes(recipe)) process.kill(pid, 'SIGKILL')
  }
  const { code, err } = await running.finished
  assert.is(code, 0, err)
  assert.match(err, /rank 0 was ended by SIGKILL\nrestart 1 of 1, from the last checkpoint/)
  assert.match(err, /\[0\] going on after step \d+ of 400/)
})

test("an earlier run's checkpoint is not gone on with unless that was asked for", async () => {
  const { folder, recipe } = await recipeFolder(4)
  const words = ['run', '--max-steps', '3', recipe]
  const { checkpoints } = runFiles(join(folder, 'run'))
  const fresh = await Resumption.of(words)
  assert.equal(await fresh.words(), words)
  await mkdir(checkpoints, { recursive: true })
  await commitStep(checkpoints, 4, path => writeFile(join(path, 'x'), ''))
  assert.equal(await fresh.words(), [...words, '--resume'], 'a checkpoint of this job')
  const later = await Resumption.of(words)
  assert.equal(await later.words(), words, 'that of an earlier one')
  await commitStep(checkpoints, 8, path => writeFile(join(path, 'x'), ''))
  assert.equal(await later.words(), [...words, '--resume'])
  assert.equal(await (await Resumption.of([...words, '--resume'])).words(), [...words, '--resume'])
  assert.equal(await (await Resumption.of([...words, `--output=${folder}`])).words(), [...words, `--output=${folder}`])
  assert.equal(await (await Resumption.of(['run', '/nowhere.yaml'])).words(), ['run', '/nowhere.yaml'])
  assert.equal(await (await Resumption.of(['node', 'run.mjs'])).words(), ['node', 'run.mjs'])
})

test('ranks under launch form a world; when one is killed, the others say which', async () => {
  const folder = temporaryFolder()
  const script = join(folder, 'ranks.ts')
  const parallel = fileURLToPath(new URL('../../src/parallel/index.ts', import.meta.url))
  await writeFile(
    script,
    `import { World, worldFromEnvironment } from ${JSON.stringify(parallel)}
    const main = async () => {
      const world = await World.join(worldFromEnvironment()!, { version: '1', definition: 'd' })
      console.log('sum', (await world.gather('ranks', world.rank)).reduce((a, b) => a + b))
      world.at('step 3, all_gather')
      await world.barrier('told')
      if (world.rank === 2) process.kill(process.pid, 'SIGKILL')
      await world.barrier('never')
    }
    main().catch(error => { console.error('error', error.message); process.exit(1) })`,
  )
  const tsx = fileURLToPath(import.meta.resolve('tsx'))
  const { code, out, err } = await aurora(['launch', '--nproc', '3', '--', process.execPath, '--import', tsx, script])
  assert.is(code, 137, err)
  for (const rank of [0, 1, 2]) assert.match(out, new RegExp(`^\\[${rank}\\] sum 3$`, 'm'))
  for (const rank of [0, 1])
    assert.match(err, new RegExp(`^\\[${rank}\\] error rank 2 of 3 .* ended without a word during step 3, all_gather`, 'm'))
})

test("rank 0's progress is one bar below the lines of all", async () => {
  const screen = Object.assign(new PassThrough(), { isTTY: true, columns: 40 }) as unknown as NodeJS.WriteStream & PassThrough
  const output = new JobOutput(2, new Progress(screen))
  const sources = [new PassThrough(), new PassThrough()]
  for (const [rank, source] of sources.entries()) output.follow(rank, source, screen)
  // What a rank that is told to relay writes.
  const relay = new Progress(sources[0] as unknown as NodeJS.WriteStream, 10, 'relay')
  relay.update('first', 0.5, 'step 5/10')
  await pause(20)
  sources[1]!.write('a line\n')
  await pause(20)
  relay.line('a stage')
  sources[0]!.end()
  await pause(20)
  const shown = String(screen.read())
  assert.match(
    stripVTControlCharacters(shown),
    /^\rfirst █{12}·{12} {2}50 % st\r {39}\r\[1\] a line\n\rfirst █+·+ {2}50 % st\r {39}\r\[0\] a stage\n$/,
  )
  const none = Object.assign(new PassThrough(), { isTTY: true }) as unknown as NodeJS.WriteStream & PassThrough
  const silent = new Progress(none, 10, 'none')
  silent.update('first', 0.5)
  silent.line('a stage')
  silent.clear()
  assert.is(none.read(), null)
})

test('where the command to start begins', () => {
  const cases: [string, string][] = [
    ['launch --nproc 2 run x.yaml --resume', 'launch --nproc 2 -- run x.yaml --resume'],
    ['launch --nproc=2 --port 1 node x --port 2', 'launch --nproc=2 --port 1 -- node x --port 2'],
    ['launch --nproc 2 -- node -- x', 'launch --nproc 2 -- node -- x'],
    ['--debug launch --nproc 2 x', '--debug launch --nproc 2 -- x'],
    ['launch --help', 'launch --help'],
    ['launch', 'launch'],
    ['run launch --resume', 'run launch --resume'],
    ['', ''],
  ]
  for (const [given, expected] of cases) assert.equal(separate(given.split(' ')), expected.split(' '))
})

test.run()
