/** `aurora launch … run`: a recipe as a parallel job, what interrupts it, and what is wrong with it. */
import type { ChildProcess } from 'node:child_process'
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { latestStep, verifyCheckpoint } from '../../src/checkpoint/index.ts'
import { runFiles } from '../../src/train/index.ts'
import { readMetrics } from '../../src/train/metrics-log.ts'
import { random } from '../support/random.ts'
import { aurora, type Finished, recipeFolder } from './support.ts'

const pause = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))
const entry = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

/** A recipe of two ranks with `steps` steps in each of its two stages, and where it writes to. */
async function parallelRecipe(steps: number, parallel: string) {
  const { folder, recipe } = await recipeFolder(steps)
  appendFileSync(recipe, `parallel: { ${parallel}, deadline: 4 }\n`)
  return { folder, recipe, output: join(folder, 'run') }
}

const launch = (recipe: string, ...more: string[]) => ['launch', '--nproc', '2', '--deadline', '4', 'run', recipe, ...more]

/** The launcher's processes, by rank. */
function ranksOf(launcher: ChildProcess): Map<number, number> {
  const read = (path: string) => {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      return ''
    }
  }
  const ranks = new Map<number, number>()
  for (const pid of read(`/proc/${launcher.pid}/task/${launcher.pid}/children`).trim().split(' ').map(Number)) {
    const rank = /\0RANK=(\d+)\0/.exec(`\0${read(`/proc/${pid}/environ`)}`)
    if (rank) ranks.set(Number(rank[1]), pid)
  }
  return ranks
}

const lives = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Losses by step, each step once, and the trained model's bytes. */
async function resultOf(output: string) {
  const files = runFiles(output)
  const metrics = await readMetrics(files.metrics)
  return {
    steps: metrics.map(({ step }) => step),
    losses: metrics.map(({ loss }) => loss),
    model: readFileSync(join(files.model, 'model.safetensors')).toString('base64'),
  }
}

test('a rank is killed twice, and --restarts comes to the same; so does an interrupted run that is resumed', async () => {
  const { folder, recipe, output } = await parallelRecipe(60, 'data: 2')
  const ended = await aurora(launch(recipe))
  assert.is(ended.code, 0, ended.err)
  const expected = await resultOf(output)
  assert.is(expected.steps.length, 120)

  const killed = join(folder, 'killed')
  const seen = new Set<number>()
  const restarted = await aurora(
    ['launch', '--nproc', '2', '--restarts', '2', '--deadline', '4', 'run', recipe, '--output', killed],
    {
      started: launcher => void killRanks(launcher, killed, seen),
    },
  )
  assert.is(restarted.code, 0, restarted.err)
  assert.match(restarted.err, /restart 1 of 2, from the last checkpoint/)
  assert.match(restarted.err, /restart 2 of 2, from the last checkpoint/)
  assert.not.ok([...seen].some(lives))
  assert.equal(await resultOf(killed), expected)

  const interrupted = join(folder, 'interrupted')
  const first = await aurora(launch(recipe, '--output', interrupted), {
    started: launcher => void interrupt(launcher, interrupted),
  })
  assert.is(first.code, 130, first.err)
  const step = Number(/\[0\] stopped after a checkpoint at step (\d+) of 120/.exec(first.err)?.[1])
  assert.ok(step > 0 && step < 120, first.err)
  assert.not.match(first.err, /error/)
  const last = (await latestStep(runFiles(interrupted).checkpoints))!
  assert.is(last.step, step)
  assert.is((await verifyCheckpoint(last.path)).files, 2)
  const second = await aurora(launch(recipe, '--output', interrupted, '--resume'))
  assert.is(second.code, 0, second.err)
  assert.equal(await resultOf(interrupted), expected)
})

/** Twice kills a rank some time after a checkpoint of its try. */
async function killRanks(launcher: ChildProcess, output: string, seen: Set<number>): Promise<void> {
  let from = 0
  for (let times = 0; times < 2; times++) {
    from = await checkpointAfter(launcher, output, from)
    await pause(random.below(100))
    const ranks = ranksOf(launcher)
    for (const pid of ranks.values()) seen.add(pid)
    const rank = random.below(2)
    console.log(`kills rank ${rank} after step ${from}`)
    process.kill(ranks.get(rank)!, 'SIGKILL')
    // The next try has other processes.
    while (launcher.exitCode === null && [...ranks.values()].some(lives)) await pause(20)
  }
}

async function interrupt(launcher: ChildProcess, output: string): Promise<void> {
  await checkpointAfter(launcher, output, 0)
  await pause(random.below(100))
  launcher.kill('SIGINT')
}

/** Waits for a checkpoint of a later step, and returns that. */
async function checkpointAfter(launcher: ChildProcess, output: string, step: number): Promise<number> {
  while (launcher.exitCode === null) {
    const last = await latestStep(runFiles(output).checkpoints)
    if (last && last.step > step) return last.step
    await pause(20)
  }
  throw new Error(`the job ended before a checkpoint after step ${step}`)
}

test('a frozen rank is named by the other, and killed', async () => {
  const { recipe, output } = await parallelRecipe(400, 'data: 2')
  const frozen = random.below(2)
  let ranks = new Map<number, number>()
  const freeze = async (launcher: ChildProcess) => {
    await checkpointAfter(launcher, output, 0)
    ranks = ranksOf(launcher)
    process.kill(ranks.get(frozen)!, 'SIGSTOP')
  }
  const ended = await aurora(launch(recipe), { started: launcher => void freeze(launcher) })
  assert.is(ended.code, 137, ended.err)
  assert.match(ended.err.trim().split('\n').at(-1)!, new RegExp(`rank ${frozen} did not end, and was killed`))
  assert.match(ended.err, new RegExp(`\\[${1 - frozen}\\] error rank ${frozen} of 2 .* has been silent for 4 s during step`))
  assert.match(ended.err, /1 of the ranks have not ended, and are killed/)
  assert.is(ranks.size, 2)
  while ([...ranks.values()].some(lives)) await pause(20)
})

const errorsOf = ({ err }: Finished, rank: number) => err.split('\n').filter(line => line.startsWith(`[${rank}] error`))

test('what only rank 0 finds is printed once, with its own code and hint', async () => {
  const { recipe } = await parallelRecipe(2, 'data: 2')
  assert.is((await aurora(launch(recipe))).code, 0)
  const again = await aurora(launch(recipe))
  assert.is(again.code, 1)
  assert.match(again.err, /\[0\] error .* holds checkpoints of a run \[ERR_RUN_EXISTS\]\n(.*\n)*\[0\] {3}hint {6}go on with it/)
  assert.equal(errorsOf(again, 1), [])
  assert.is(again.err.match(/ERR_/g)!.length, 1, again.err)
})

test('another number of processes than the layout has', async () => {
  const { recipe } = await parallelRecipe(2, 'data: 4')
  const two = await aurora(launch(recipe))
  assert.is(two.code, 1)
  for (const rank of [0, 1])
    assert.match(errorsOf(two, rank).join(), /the number of processes is not that of the layout \[ERR_WORLD\]/)
  const { recipe: other } = await parallelRecipe(2, 'tensor: 2')
  const alone = await aurora(['run', other])
  assert.is(alone.code, 1)
  assert.match(
    alone.err,
    /the number of processes is not that of the layout \[ERR_WORLD\]\n(.*\n)* {2}hint {6}start it with: aurora launch --nproc 2 run/,
  )
})

test('ranks with different recipes', async () => {
  const [a, b] = [await parallelRecipe(2, 'data: 2'), await parallelRecipe(3, 'data: 2')]
  const words = [
    '--',
    'sh',
    '-c',
    `if [ $RANK = 0 ]; then exec "$0" ${entry} run ${a.recipe}; else exec "$0" ${entry} run ${b.recipe}; fi`,
  ]
  const ended = await aurora(['launch', '--nproc', '2', ...words, process.execPath])
  assert.is(ended.code, 1)
  for (const rank of [0, 1]) {
    assert.is(errorsOf(ended, rank).length, 1)
    assert.match(errorsOf(ended, rank)[0]!, /rank 1 of 2 .* does not fit the job: its definition is not rank 0's \[ERR_WORLD\]/)
  }
})

test.run()
