/** Tests of several processes: each runs the same function of a module, and they meet through this one. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Exchange } from '../../src/parallel/index.ts'

/** What a rank's function gets beside the test's arguments. */
export interface RankOfTest {
  rank: number
  size: number
  /** By way of the test's process. */
  exchange: Exchange
  /** Tells the test something before the result: `reports` of startRanks. */
  report(value: unknown): void
}

/** The default export of a module that runRanks is given. */
export type RankFunction<Args, Result> = (rank: RankOfTest, args: Args) => Promise<Result>

/** How a process ended. `result` or `error` (an AuroraError's fields, where it was one) when its function came to its end. */
export interface Outcome<Result> {
  result?: Result
  error?: { message: string; code?: string; found?: string; expected?: string; stack?: string }
  exitCode: number | null
  signal: NodeJS.Signals | null
  stderr: string
}

export interface RunningRanks<Result> {
  processes: ChildProcess[]
  /** Resolves with the next value that this rank reports. */
  report(rank: number): Promise<unknown>
  /** How each process ends, by rank. */
  ends: Promise<Outcome<Result>>[]
  /** All of `ends`. Rejects when they take longer than the time limit; they are killed then. */
  outcomes: Promise<Outcome<Result>[]>
}

export type ToTest =
  | { exchange: number; key: string; ranks: readonly number[]; bytes: Uint8Array }
  | { report: unknown }
  | { result: unknown }
  | { error: Outcome<unknown>['error'] }
export type ToRank = { exchange: number; all: Uint8Array[] }

export interface RankOptions {
  /** Until all are killed; default 60. */
  seconds?: number
  env?: Record<string, string>
  /** A program that starts each rank's process, with its own arguments, in its own place (`ip netns exec …`). */
  through?: (rank: number) => readonly string[]
}

const program = fileURLToPath(new URL('./rank-process.ts', import.meta.url))

/** Starts `size` processes that call the default export of `module` (a file: URL). */
export function startRanks<Args, Result>(
  size: number,
  module: string,
  args: Args,
  { seconds = 60, env = {}, through = () => [] }: RankOptions = {},
): RunningRanks<Result> {
  const given = new Map<string, { from: ChildProcess; exchange: number; rank: number; bytes: Uint8Array }[]>()
  const reports: unknown[][] = []
  const listeners: ((value: unknown) => void)[][] = []
  const processes: ChildProcess[] = []
  const ends: Promise<Outcome<Result>>[] = []
  for (let rank = 0; rank < size; rank++) {
    reports.push([])
    listeners.push([])
    const [execPath, ...execArgv] = [...through(rank), process.execPath, '--import', 'tsx']
    const child = fork(program, [module, String(rank), String(size), JSON.stringify(args)], {
      execPath,
      execArgv,
      env: { ...process.env, AURORA_NUM_THREADS: '1', ...env },
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    })
    processes.push(child)
    const outcome: Outcome<Result> = { exitCode: null, signal: null, stderr: '' }
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      outcome.stderr += text
    })
    child.on('message', message => {
      const said = message as ToTest
      if ('result' in said) outcome.result = said.result as Result
      else if ('error' in said) outcome.error = said.error
      else if ('report' in said) {
        const listener = listeners[rank]!.shift()
        if (listener) listener(said.report)
        else reports[rank]!.push(said.report)
      } else {
        const key = `${said.key} of ${said.ranks.join(' ')}`
        const all = given.get(key) ?? []
        given.set(key, all)
        all.push({ from: child, exchange: said.exchange, rank, bytes: said.bytes })
        if (all.length < said.ranks.length) return
        given.delete(key)
        const bytes = said.ranks.map(member => all.find(other => other.rank === member)!.bytes)
        for (const other of all) other.from.send({ exchange: other.exchange, all: bytes } satisfies ToRank)
      }
    })
    ends.push(
      new Promise(resolve => {
        child.on('close', (exitCode, signal) => resolve({ ...outcome, exitCode, signal }))
      }),
    )
  }
  let timer: NodeJS.Timeout
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      for (const child of processes) child.kill('SIGKILL')
      reject(new Error(`the processes did not end within ${seconds} s`))
    }, seconds * 1000)
  })
  return {
    processes,
    report: rank =>
      new Promise(resolve => {
        if (reports[rank]!.length > 0) resolve(reports[rank]!.shift())
        else listeners[rank]!.push(resolve)
      }),
    ends,
    outcomes: Promise.race([Promise.all(ends), late]).finally(() => clearTimeout(timer)),
  }
}

/** The results of all ranks; throws when one of them fails. */
export async function runRanks<Args, Result>(
  size: number,
  module: string,
  args: Args,
  options: RankOptions = {},
): Promise<Result[]> {
  const outcomes = await startRanks<Args, Result>(size, module, args, options).outcomes
  const failed = outcomes.flatMap((outcome, rank) => {
    const { error, exitCode, signal, stderr } = outcome
    return error || exitCode !== 0 || !('result' in outcome)
      ? [`rank ${rank}: ${error?.stack ?? `exit status ${exitCode ?? signal}`}\n${stderr}`]
      : []
  })
  if (failed.length > 0) throw new Error(failed.join('\n'))
  return outcomes.map(({ result }) => result!)
}
