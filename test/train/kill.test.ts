/**
 * A run that is killed again and again, at random moments of every phase, ends with the same bits as one left in peace: the
 * same weights, metrics with each step once, TensorBoard events with each step once, evaluations each once.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomInt } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readRun, readScalarEvents, runFiles } from '../../src/train/index.ts'

const child = fileURLToPath(new URL('kill/run.ts', import.meta.url))
const steps = 48

const recipe = (output: string) => `
output: ${output}
seed: 11
model: { create: { nLayer: 2, nEmbd: 32, nHead: 2, nPositions: 32 }, dtype: bf16 }
tokenizer: { train: { vocabSize: 320 } }
data:
  en: { files: text/en-*.txt, heldOut: 0.2 }
  fi: { files: text/fi-*.txt }
batch: { sequences: 6, length: 32, microBatch: 4 }
schedule: { type: warmupCosine, peak: 5.0e-3, warmup: 5 }
stages:
  - { name: base, steps: 20, mixture: { en: 1 } }
  - { name: cap, steps: 16, mixture: { en: 0.2, fi: 0.8 }, freeze: ['*.wpe.*'] }
  - { name: cat, steps: 12, mixture: { fi: 1 }, schedule: { type: constant, lr: 1.0e-3 } }
evaluations: [{ type: bitsPerByte, when: [before, stages, checkpoints] }]
checkpoints: { every: 6, keep: 2 }
`

/** When to kill: `count` events of the kind after the start (of the process), and then some random milliseconds. */
interface Moment {
  phase: string
  /** The child's line, or 'saving': the checkpoint folder holds something unfinished. */
  event: string
  count: number
  milliseconds: number
}

/** Each process redoes at most what follows the last checkpoint (6 steps), so that every one of these is reached in turn. */
const moments: Moment[] = [
  { phase: 'in the first steps', event: 'step', count: 1 + randomInt(4), milliseconds: randomInt(10) },
  { phase: 'while saving the first checkpoint', event: 'saving', count: 1, milliseconds: randomInt(4) },
  { phase: 'in a stage', event: 'step', count: 7 + randomInt(4), milliseconds: randomInt(10) },
  { phase: 'while evaluating', event: 'evaluate', count: 2, milliseconds: randomInt(20) },
  { phase: 'when a stage begins', event: 'stage', count: 2, milliseconds: randomInt(4) },
  { phase: 'while saving', event: 'saving', count: 1, milliseconds: randomInt(25) },
  { phase: 'after a checkpoint', event: 'checkpoint', count: 2, milliseconds: 0 },
  { phase: 'while saving', event: 'saving', count: 2, milliseconds: randomInt(12) },
]

let folder = ''
test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aurora-kill-'))
  await mkdir(join(folder, 'text'))
  const words = {
    en: 'the lamp on the quay was lit before the boats came home',
    fi: 'lamppu laiturilla paloi ennen kuin veneet tulivat kotiin',
  }
  for (const [lang, text] of Object.entries(words)) {
    for (let i = 0; i < 15; i++) {
      const list = text.split(' ')
      const document = Array.from({ length: 60 }, (_, k) => list[(k * (i + 2) + (k >> 2)) % list.length]).join(' ')
      await writeFile(join(folder, 'text', `${lang}-${i}.txt`), `${document}.\n`)
    }
  }
  for (const name of ['whole', 'killed']) await writeFile(join(folder, `${name}.yaml`), recipe(name))
})
test.after(() => rm(folder, { recursive: true }))

function start(name: string): ChildProcess {
  return spawn(process.execPath, ['--import', 'tsx', child, join(folder, `${name}.yaml`)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

/** Runs the child until it ends, or until the moment has come; says whether it was killed. */
async function run(name: string, moment?: Moment): Promise<boolean> {
  const started = start(name)
  const ended = new Promise<string>(resolve => started.on('exit', (code, signal) => resolve(signal ?? String(code))))
  let left = moment?.count ?? Number.POSITIVE_INFINITY
  const hit = async () => {
    if (--left !== 0) return
    await setTimeout(moment!.milliseconds)
    started.kill('SIGKILL')
  }
  if (moment?.event === 'saving') void watchSaving(join(folder, name, 'checkpoints'), started, hit)
  for await (const line of createInterface(started.stdout!)) if (line === moment?.event) await hit()
  const how = await ended
  assert.ok(how === 'SIGKILL' || how === '0', `the child ended with ${how}`)
  return how === 'SIGKILL'
}

/** Calls `hit` each time a checkpoint begins to be written. */
async function watchSaving(checkpoints: string, started: ChildProcess, hit: () => Promise<void>): Promise<void> {
  const seen = new Set(existsSync(checkpoints) ? readdirSync(checkpoints) : [])
  while (started.exitCode === null && started.signalCode === null) {
    const unfinished = existsSync(checkpoints)
      ? readdirSync(checkpoints).filter(entry => /^step-\d+\.tmp-/.test(entry) && !seen.has(entry))
      : []
    for (const entry of unfinished) {
      seen.add(entry)
      await hit()
    }
    await setTimeout(1)
  }
}

async function digest(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}

test('killed at random moments in every phase, a run still ends with the same bits', async () => {
  assert.not(await run('whole'))
  for (const moment of moments) {
    console.log(`killing ${moment.phase}: ${moment.event} ${moment.count} + ${moment.milliseconds} ms`)
    assert.ok(await run('killed', moment), `the run ended before it was killed ${moment.phase}`)
  }
  assert.not(await run('killed'))

  const [whole, killed] = ['whole', 'killed'].map(name => runFiles(join(folder, name))) as [
    ReturnType<typeof runFiles>,
    ReturnType<typeof runFiles>,
  ]
  for (const file of ['model.safetensors', 'config.json', 'tokenizer.json']) {
    assert.is(await digest(join(killed.model, file)), await digest(join(whole.model, file)), file)
  }
  const last = (await readdir(whole.checkpoints)).sort().at(-1)!
  for (const file of ['model.safetensors', 'optimizer.safetensors']) {
    assert.is(await digest(join(killed.checkpoints, last, file)), await digest(join(whole.checkpoints, last, file)), file)
  }

  const [expected, found] = [await readRun(join(folder, 'whole')), await readRun(join(folder, 'killed'))]
  const numbers = ({ metrics }: typeof found) =>
    metrics.map(({ step, stage, loss, lossByDomain, lr, gradNorm, tokens }) => ({
      step,
      stage,
      loss,
      lossByDomain,
      lr,
      gradNorm,
      tokens,
    }))
  assert.is(found.metrics.length, steps)
  assert.equal(numbers(found), numbers(expected))
  const results = ({ evaluations }: typeof found) => evaluations.map(({ name, point, result }) => ({ name, point, result }))
  assert.equal(results(found), results(expected))
  assert.equal(
    found.evaluations.map(({ point }) => point.label),
    ['start', 'step-6', 'step-12', 'step-18', 'base', 'step-24', 'step-30', 'cap', 'step-42', 'cat'],
  )
  assert.equal((await readdir(killed.checkpoints)).sort(), ['step-000042', 'step-000048'])

  for (const [part, count] of Object.entries({ train: steps, evaluation: found.evaluations.length })) {
    const files = await readdir(join(killed.tensorboard, part))
    assert.is(files.length, 1)
    const events = await readScalarEvents(join(killed.tensorboard, part, files[0]!))
    assert.is(events.length, count)
    if (part === 'train') assert.equal(events.map(({ step }) => step), Array.from({ length: steps }, (_, i) => i + 1)) // biome-ignore format: one call
  }
})

test.run()
