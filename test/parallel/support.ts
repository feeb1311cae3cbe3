/** Worlds of several ranks, in this process or one process a rank. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../src/cli/launch/port.ts'
import { type JoinOptions, World, type WorldEnvironment } from '../../src/parallel/index.ts'

export const options: JoinOptions = { version: '1.2.3', definition: 'abc', deadlineMs: 60_000 }

/** The environments of a job's ranks, at a port of its own. */
export async function job(size: number, changes: Partial<WorldEnvironment> = {}): Promise<WorldEnvironment[]> {
  const port = await freePort()
  return Array.from({ length: size }, (_, rank) => ({
    rank,
    size,
    localRank: rank,
    localSize: size,
    master: '127.0.0.1',
    port,
    host: undefined,
    token: 'the token',
    job: 'job 1',
    ...changes,
  }))
}

/** All ranks of a job in this process. */
export async function worlds(size: number, changes: Partial<JoinOptions> = {}): Promise<World[]> {
  return Promise.all((await job(size)).map(each => World.join(each, { ...options, ...changes })))
}

export interface Words {
  code: string
  message: string
}

const started = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of started) child.kill('SIGKILL')
})

/** A rank in a process of its own. */
export class RankProcess {
  readonly child: ChildProcess
  readonly #events: { event: string; value: unknown }[] = []
  readonly #wake: (() => void)[] = []
  #closed = false

  constructor(environment: WorldEnvironment, changes: Partial<JoinOptions> = {}) {
    const argument = JSON.stringify({ environment, options: { ...options, ...changes } })
    const program = fileURLToPath(new URL('rank.ts', import.meta.url))
    this.child = spawn(process.execPath, ['--import', 'tsx', program, argument], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.child.on('message', message => {
      this.#events.push(message as { event: string; value: unknown })
      for (const wake of this.#wake.splice(0)) wake()
    })
    this.child.on('close', () => {
      this.#closed = true
      for (const wake of this.#wake.splice(0)) wake()
    })
    started.add(this.child)
  }

  say(verb: 'at' | 'barrier' | 'fail' | 'close', text = ''): void {
    this.child.send({ verb, text })
  }

  /** The next event of that name; rejects when the process ends before it comes. */
  async event<T = string>(name: string): Promise<T> {
    while (true) {
      const found = this.#events.findIndex(({ event }) => event === name)
      if (found >= 0) return this.#events.splice(found, 1)[0]!.value as T
      if (this.#closed) throw new Error(`the rank ended without ${name}; it said ${JSON.stringify(this.#events)}`)
      await new Promise<void>(resolve => this.#wake.push(resolve))
    }
  }

  async end(): Promise<void> {
    if (!this.#closed) await once(this.child, 'close')
  }
}

/** All ranks of a job, a process each, that have joined. */
export async function processes(size: number, changes: Partial<JoinOptions> = {}): Promise<RankProcess[]> {
  const ranks = (await job(size)).map(each => new RankProcess(each, changes))
  await Promise.all(ranks.map(rank => rank.event('joined')))
  return ranks
}

export const pause = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))
