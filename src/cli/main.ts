#!/usr/bin/env node
/**
 * The `aurora` command. Exit codes: 0 done; 1 the work failed (an error with its hint is on stderr); 2 the command line was
 * wrong; 3 another rank of a parallel job failed; 130 interrupted, after what was begun had been brought to a safe end.
 */
import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Command, CommanderError } from 'commander'
import colours from 'picocolors'
import { AuroraError } from '../errors.ts'
import { RankFailure, worldFromEnvironment } from '../parallel/index.ts'
import { version } from '../version.ts'
import { separate } from './launch/command.ts'
import { otherRankFailed } from './launch/job.ts'
import { addDoctor } from './verbs/doctor.ts'
import { addEval } from './verbs/eval.ts'
import { addExport } from './verbs/export.ts'
import { addGenerate } from './verbs/generate.ts'
import { addLaunch } from './verbs/launch.ts'
import { addPlan } from './verbs/plan.ts'
import { addPrepare } from './verbs/prepare.ts'
import { addRedteam } from './verbs/redteam.ts'
import { addReport } from './verbs/report.ts'
import { addRun } from './verbs/run.ts'

/** The whole command line; `signal` is what long verbs obey. */
export function program(signal: AbortSignal): Command {
  const aurora = new Command('aurora')
    .description('Continual pretraining of StarCoder-family (GPTBigCode) language models.')
    .version(version, '-v, --version')
    .option('--debug', 'print the stack of an error')
    .showHelpAfterError('(add --help for the options)')
    .configureHelp({ sortSubcommands: false })
    .exitOverride()
  for (const add of [addRun, addLaunch, addPlan, addPrepare, addEval, addRedteam, addGenerate, addExport, addReport, addDoctor])
    add(aurora, signal)
  for (const verb of aurora.commands) verb.exitOverride()
  return aurora
}

/** Runs one command line; resolves to its exit code and never throws. */
export async function main(argv: readonly string[]): Promise<number> {
  const interrupt = new AbortController()
  const aurora = program(interrupt.signal)
  // The first signal asks for a safe end, the second one insists.
  const onSignal = () => (interrupt.signal.aborted ? process.exit(130) : interrupt.abort(new Error('interrupted')))
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  try {
    await aurora.parseAsync(separate(argv), { from: 'user' })
    return interrupt.signal.aborted ? 130 : Number(process.exitCode ?? 0)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    if (interrupt.signal.aborted) {
      console.error('interrupted')
      return 130
    }
    if (!isToldElsewhere(error)) console.error(describe(error, Boolean(aurora.opts().debug)))
    return error instanceof RankFailure && error.rank !== worldFromEnvironment()?.rank ? otherRankFailed : 1
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

/** Whether another process of this machine prints this: an error that a rank has told of is its own to print, or one rank's of each machine. */
function isToldElsewhere(error: unknown): boolean {
  if (!(error instanceof RankFailure && error.told)) return false
  const { rank, localRank, localSize } = worldFromEnvironment()!
  const place = error.rank - (rank - localRank)
  return error.rank !== rank && ((place >= 0 && place < localSize) || localRank > 0)
}

function describe(error: unknown, debug: boolean): string {
  if (!(error instanceof AuroraError)) return error instanceof Error ? (error.stack ?? error.message) : String(error)
  const lines = [
    `${colours.red('error')} ${error.message.split('; expected ')[0]!.split('. Hint: ')[0]} ${colours.dim(`[${error.code}]`)}`,
  ]
  if (error.expected) lines.push(`  expected  ${error.expected}`)
  if (error.found) lines.push(`  found     ${error.found}`)
  if (error.hint) lines.push(`  hint      ${error.hint}`)
  if (debug && error.stack) lines.push(error.stack)
  return lines.join('\n')
}

/** True when this module is what Node was started with, also through npm's symbolic link in node_modules/.bin. */
function isEntry(): boolean {
  const started = process.argv[1]
  return started !== undefined && realpathSync(started) === realpathSync(fileURLToPath(import.meta.url))
}

/** When nobody reads what this process prints, as after `| head`, what it does comes to a safe end. */
function endWithoutReader(): void {
  let closed = false
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      if (!closed) process.emit('SIGTERM')
      closed = true
    })
}

if (isEntry()) {
  endWithoutReader()
  process.exitCode = await main(process.argv.slice(2))
}
