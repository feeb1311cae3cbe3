/** Runs of several processes to which something happens, and what must be true of them afterwards. */
import type { ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { latestStep, listSteps, verifyCheckpoint } from '../../src/checkpoint/index.ts'
import { freePort } from '../../src/cli/launch/port.ts'
import { type ParallelLayout, singleLayout, worldSize } from '../../src/parallel/index.ts'
import { temporaryFolder } from '../support/folder.ts'
import { random } from '../support/random.ts'
import { type Outcome, type RankOptions, type RunningRanks, startRanks } from '../support/ranks.ts'
import type { FaultyCase, Progress } from './faulty.ts'
import type { TrainingResult } from './training.ts'

/** Of the runs that lose a rank. The tests give a loaded machine far more time: until all are killed. */
export const deadlineMs = 3000
/** Of the others, for which it must not matter. */
const longDeadlineMs = 30_000

export const steps: [number, number] = [14, 8]
const totalSteps = steps[0] + steps[1]

export type Case = FaultyCase & { layout: Partial<ParallelLayout> }

export class Run {
  readonly of: Case
  readonly size: number
  readonly ranks: RunningRanks<TrainingResult>
  /** What each rank has reported last. */
  readonly #last: (Progress | undefined)[]
  readonly #waiting = new Set<() => void>()

  static async start(of: Case, options: RankOptions = {}): Promise<Run> {
    return new Run({ steps, every: 2, deadlineMs: longDeadlineMs, ...of, port: of.port ?? (await freePort()) }, options)
  }

  private constructor(of: Case, options: RankOptions) {
    this.of = of
    this.size = worldSize({ ...singleLayout, ...of.layout })
    this.ranks = startRanks(this.size, new URL('./faulty.ts', import.meta.url).href, of, { seconds: 90, ...options })
    this.#last = Array.from({ length: this.size }, () => undefined)
    this.ranks.outcomes.catch(() => {})
    for (let rank = 0; rank < this.size; rank++) void this.#follow(rank)
  }

  async #follow(rank: number): Promise<void> {
    while (true) {
      this.#last[rank] = (await this.ranks.report(rank)) as Progress
      for (const wake of this.#waiting) wake()
    }
  }

  process(rank: number): ChildProcess {
    return this.ranks.processes[rank]!
  }

  /** Waits until this is true of a rank's progress; rejects when all have ended before. */
  async until(rank: number, condition: (progress: Progress) => boolean): Promise<void> {
    const reached = new Promise<void>(resolve => {
      const wake = () => {
        if (!this.#last[rank] || !condition(this.#last[rank])) return
        this.#waiting.delete(wake)
        resolve()
      }
      this.#waiting.add(wake)
      wake()
    })
    const ended = this.ranks.outcomes.then(outcomes => {
      throw new Error(`the run ended: ${JSON.stringify(outcomes)}`)
    })
    await Promise.race([reached, ended])
  }

  /** The ends of all but some ranks, each of which must be an error; `seconds` from `since` to the last of them. */
  async failures(except: readonly number[] = [], since = performance.now()): Promise<Failures> {
    const others = Array.from({ length: this.size }, (_, rank) => rank).filter(rank => !except.includes(rank))
    const outcomes = await Promise.race([Promise.all(others.map(rank => this.ranks.ends[rank]!)), this.ranks.outcomes])
    const seconds = (performance.now() - since) / 1000
    for (const [i, { error, exitCode, stderr }] of outcomes.entries()) {
      assert.ok(error, `rank ${others[i]} has no error: ${JSON.stringify(outcomes[i])}`)
      assert.is(exitCode, 1, stderr)
    }
    return { errors: new Map(others.map((rank, i) => [rank, outcomes[i]!.error!])), seconds }
  }

  /** The result, the same on all ranks. */
  async result(): Promise<TrainingResult> {
    const outcomes = await this.ranks.outcomes
    for (const { error, stderr } of outcomes) assert.is(error?.message, undefined, stderr)
    for (const { result } of outcomes) assert.equal(result, outcomes[0]!.result)
    return outcomes[0]!.result!
  }
}

export interface Failures {
  errors: ReadonlyMap<number, NonNullable<Outcome<unknown>['error']>>
  seconds: number
}

/** Every rank's error has this code and these words. */
export function expectErrors({ errors }: Failures, code: string, words: RegExp): void {
  for (const [rank, error] of errors) {
    assert.is(error.code, code, `rank ${rank}: ${error.message}`)
    assert.match(error.message, words, `rank ${rank}: ${error.message}`)
  }
}

/** What an undisturbed run comes to. */
export interface Straight {
  losses: readonly number[]
  /** With a checksum for each block of weights and optimizer state. */
  manifest: string
}

export async function straight(layout: Partial<ParallelLayout>): Promise<Straight> {
  const dir = temporaryFolder()
  const { losses } = await (await Run.start({ layout, dir })).result()
  assert.is(losses.length, totalSteps)
  return { losses, manifest: await lastManifest(dir) }
}

export async function lastManifest(dir: string): Promise<string> {
  return readFileSync(join((await latestStep(dir))!.path, 'manifest.json'), 'utf8')
}

/** All checkpoints are whole; the step of the newest, 0 without one. */
export async function wholeCheckpoints(dir: string): Promise<number> {
  const steps = await listSteps(dir)
  for (const { path } of steps) await verifyCheckpoint(path)
  return steps.at(-1)?.step ?? 0
}

/** A run that goes on in `of.dir` comes to the losses and the bits of an undisturbed one. */
export async function goesOn(of: Case & { dir: string }, expected: Straight): Promise<void> {
  const from = await wholeCheckpoints(of.dir)
  const { losses } = await (await Run.start({ ...of, resume: true })).result()
  assert.equal(losses, expected.losses.slice(from))
  assert.is(await lastManifest(of.dir), expected.manifest)
  assert.ok(
    readdirSync(of.dir).every(name => /^step-\d+$/.test(name)),
    'what was not finished is gone',
  )
}

/** A random moment of a run that stands at step `from`: in a step or while a checkpoint is written. */
export async function someMoment(run: Run, from: number): Promise<string> {
  const saving = random.below(2) === 1
  const step = from + 1 + random.below(3)
  await run.until(0, progress => progress.step >= step && (!saving || progress.saving))
  const ms = random.below(60)
  await pause(ms)
  return `step ${step}${saving ? ', saving' : ''}, ${ms} ms later`
}
