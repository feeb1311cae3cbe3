/** This process's place in a parallel run: the world of all ranks, the groups it communicates in, and how a failure anywhere ends it. */
import { AuroraError } from '../errors.ts'
import { type Device, device } from '../tensor/index.ts'
import { version } from '../version.ts'
import { expectToken, type WorldEnvironment, worldFromEnvironment } from './environment.ts'
import { connectGroups, type Groups } from './groups.ts'
import { type ParallelLayout, worldSize } from './layout.ts'
import { World } from './rendezvous/index.ts'

export interface JobOptions {
  layout: ParallelLayout
  device?: Device | string
  /** A digest of what the job is to do: ranks that would do different things refuse to start. */
  definition: string
  /** A rank that is silent, or that others wait for, for so long has failed; milliseconds, 60 000 unless given. */
  deadlineMs?: number
  /** Default: what the launcher has set; see worldFromEnvironment. */
  environment?: WorldEnvironment
  /** Gives up joining. */
  signal?: AbortSignal
}

export class ParallelJob {
  readonly world: World
  readonly groups: Groups
  readonly device: Device
  readonly #deadlineMs: number

  /**
   * Joins the other ranks; every rank of the layout calls it.
   *
   * @throws AuroraError ERR_WORLD (no launcher, or another number of ranks than the layout has; and see World.join), ERR_COMMUNICATION
   */
  static async join(options: JobOptions): Promise<ParallelJob> {
    const { layout, definition, deadlineMs = 60_000, environment = worldFromEnvironment(), signal } = options
    const on = device(options.device)
    const expected = worldSize(layout)
    if (!environment || environment.size !== expected) {
      throw new AuroraError({
        code: 'ERR_WORLD',
        message: 'the number of processes is not that of the layout',
        expected: `${expected} ranks: tensor ${layout.tensor} × pipeline ${layout.pipeline} × data ${layout.data}`,
        found: environment ? String(environment.size) : 'one process, started without a launcher',
        hint: `start it with: aurora launch --nproc ${expected} run …`,
      })
    }
    expectToken(environment.master, environment.token)
    const world = await World.join(environment, {
      version,
      definition: `${definition} ${JSON.stringify(layout)}`,
      deadlineMs,
      signal,
    })
    try {
      const { rank, host, exchange } = world
      const groups = await connectGroups(layout, { rank, device: on, host, timeoutMs: deadlineMs, exchange })
      return new ParallelJob(world, groups, on, deadlineMs)
    } catch (error) {
      throw await endJob(world, deadlineMs, error)
    }
  }

  private constructor(world: World, groups: Groups, on: Device, deadlineMs: number) {
    this.world = world
    this.groups = groups
    this.device = on
    this.#deadlineMs = deadlineMs
    // What waits for a rank that has failed wakes up.
    world.failed.addEventListener('abort', () => groups.abort(String((world.failed.reason as Error).message)), { once: true })
  }

  get rank(): number {
    return this.world.rank
  }

  /** Whether this rank speaks for the job: logs, progress, checkpoints' names. */
  get first(): boolean {
    return this.rank === 0
  }

  get layout(): ParallelLayout {
    return this.groups.layout
  }

  /** Everybody's value, in order of ranks. A key is used once. */
  gather<T>(key: string, value: T): Promise<T[]> {
    return this.world.gather(key, value)
  }

  /** Rank 0's value, for all. */
  async ask<T>(key: string, value: T): Promise<T> {
    return (await this.world.gather(key, this.first ? value : null))[0] as T
  }

  /**
   * Ends the job for everybody because of this rank's error, and says what the job's error is: that of the rank that failed first, where this
   * rank has only noticed that another is gone.
   */
  async fail(error: unknown): Promise<unknown> {
    const cause = await endJob(this.world, this.#deadlineMs, error)
    this.groups.abort(String((error as Error)?.message ?? error))
    return cause
  }

  /** Ends an orderly job; every rank calls it. */
  async close(): Promise<void> {
    try {
      await this.world.close()
    } finally {
      this.groups.close()
    }
  }
}

/**
 * Tells all ranks of this one's error and waits until they know; the process may end then. Resolves to the job's error: that of the rank that
 * failed first, where this one has only noticed that another is gone.
 */
async function endJob(world: World, deadlineMs: number, error: unknown): Promise<unknown> {
  const { failed } = world
  const isConsequence = error instanceof AuroraError && ['ERR_COMMUNICATION', 'ERR_RANK_FAILED'].includes(error.code)
  if (isConsequence) await aborted(failed, deadlineMs)
  world.fail(error)
  await aborted(failed, 2 * deadlineMs)
  await world.settled()
  return isConsequence && failed.aborted ? failed.reason : error
}

/** For the signal, or the time in which heartbeats would have told. */
async function aborted(signal: AbortSignal, timeoutMs: number): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>(resolve => {
    const timer = setTimeout(resolve, timeoutMs)
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer)
        resolve()
      },
      { once: true },
    )
  })
}
