/** One try of a job: its ranks as processes of this machine, from their start until none is left. */
import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { AuroraError } from '../../errors.ts'
import type { Program } from './command.ts'
import type { Keeper } from './keeper.ts'
import type { JobOutput } from './output.ts'

/** The exit code of a rank that ends because another one failed. */
export const otherRankFailed = 3

export interface Outcome {
  /** Of the rank that is most likely the cause, the first of these; 0 when none failed. */
  code: number
  /** That rank and how it ended, for people. */
  failure?: string
  /** What ended it, unless it ended by itself. */
  signal?: NodeJS.Signals
}

export interface JobSetting {
  program: Program
  /** The ranks to start here, and the variables of each beside those of this process. */
  ranks: readonly { rank: number; variables: NodeJS.ProcessEnv }[]
  /** How long the others may take to end by themselves after one has failed. */
  graceMs: number
  output: JobOutput
  keeper: Keeper
}

/** How long output may still come after a rank has ended: a process that left its group may hold the pipe open for ever. */
const lastWordsMs = 2000

export class LocalJob {
  readonly #setting: JobSetting
  readonly #alive = new Map<number, ChildProcess>()
  #outcome: Outcome = { code: 0 }
  /** Of the outcome: see #failed. */
  #blame = 0
  #interrupted = false
  /** This launcher has killed ranks itself. */
  #killed = false
  #grace: NodeJS.Timeout | undefined

  constructor(setting: JobSetting) {
    this.#setting = setting
  }

  /** Starts the ranks and resolves when all have ended. @throws ERR_LAUNCH when the program cannot be started. */
  async run(): Promise<Outcome> {
    const kill = () => this.#signal('SIGKILL')
    process.on('exit', kill)
    try {
      await Promise.all(this.#setting.ranks.map(({ rank, variables }) => this.#rank(rank, variables)))
      return this.#outcome
    } finally {
      kill()
      clearTimeout(this.#grace)
      process.off('exit', kill)
    }
  }

  /** Passes a user's signal on. */
  interrupt(signal: NodeJS.Signals): void {
    this.#interrupted = true
    this.#signal(signal)
    // One that was stopped takes it when it runs on.
    this.#signal('SIGCONT')
  }

  async #rank(rank: number, variables: NodeJS.ProcessEnv): Promise<void> {
    const { program, output, keeper } = this.#setting
    // A group of its own, so that signals reach all that it starts, and those of the terminal reach it through the launcher only.
    const child = spawn(program.file, program.args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...variables },
      detached: true,
    })
    const group = child.pid
    if (group === undefined) throw await startError(child, program)
    this.#alive.set(group, child)
    keeper.add(group)
    output.follow(rank, child.stdout, process.stdout)
    output.follow(rank, child.stderr, process.stderr)
    const closed = new Promise<void>(resolve => child.once('close', resolve))
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>(resolve =>
      child.once('exit', (...how) => resolve(how)),
    )
    signalGroup(group, 'SIGKILL')
    this.#alive.delete(group)
    keeper.remove(group)
    if (code !== 0) this.#failed(rank, code, signal)
    if (this.#interrupted || this.#outcome.code !== 0) this.#expectEnd()
    await Promise.race([closed, new Promise(resolve => setTimeout(resolve, lastWordsMs).unref())])
  }

  #failed(rank: number, code: number | null, signal: NodeJS.Signals | null): void {
    // A rank that fails takes the others with it, and the news of their ends come in any order. The one to name was killed by somebody else, or
    // at least failed by itself, or at least did not end when another was said to have failed.
    const killed = this.#killed && signal !== null
    const blame = this.#interrupted ? 1 : code === otherRankFailed ? 2 : killed ? 3 : signal === null ? 4 : 5
    if (blame <= this.#blame) return
    this.#blame = blame
    const earlier = this.#outcome.code !== 0
    const how = killed ? 'did not end, and was killed' : signal ? `was ended by ${signal}` : `ended with code ${code}`
    this.#outcome = {
      code: code ?? 128 + (signalNumbers[signal!] ?? 0),
      failure: `rank ${rank} ${how}`,
      signal: signal ?? undefined,
    }
    if (earlier || this.#interrupted || this.#alive.size === 0) return
    this.#setting.output.say(`rank ${rank} ${how}; the others are given ${this.#setting.graceMs / 1000} s to end`)
  }

  #expectEnd(): void {
    const { graceMs, output } = this.#setting
    this.#grace ??= setTimeout(() => {
      if (this.#alive.size === 0) return
      output.say(`${this.#alive.size} of the ranks have not ended, and are killed`)
      this.#killed = true
      this.#signal('SIGKILL')
    }, graceMs)
  }

  #signal(signal: NodeJS.Signals): void {
    for (const group of this.#alive.keys()) signalGroup(group, signal)
  }
}

const signalNumbers: Partial<Record<NodeJS.Signals, number>> = constants.signals

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal)
  } catch {
    // It is gone already.
  }
}

async function startError(child: ChildProcess, { file }: Program): Promise<AuroraError> {
  const cause = await new Promise<Error>(resolve => child.once('error', resolve))
  return new AuroraError({
    code: 'ERR_LAUNCH',
    message: `cannot start ${file}`,
    expected: 'a verb of aurora, or a program',
    found: cause.message,
    cause,
  })
}
