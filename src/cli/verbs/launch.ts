/** `aurora launch`: a command as a parallel job of several processes on this machine. */
import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { type Command, InvalidArgumentError } from 'commander'
import colours from 'picocolors'
import { nonNegative, positive, wholeNumber } from '../flags.ts'
import { programOf, Resumption } from '../launch/command.ts'
import { LocalJob } from '../launch/job.ts'
import { Keeper } from '../launch/keeper.ts'
import { JobOutput } from '../launch/output.ts'
import { freePort } from '../launch/port.ts'

interface LaunchFlags {
  nproc: number
  nodes: number
  node: number
  master?: string
  port?: number
  restarts: number
  deadline: number
  threads?: number
}

export function addLaunch(aurora: Command, signal: AbortSignal): void {
  aurora
    .command('launch')
    .description('run a command as several processes of one parallel job')
    .usage('--nproc <n> [options] [--] <command...>')
    .argument('<command...>', 'a verb of aurora with its arguments, or any program with its own')
    .requiredOption('--nproc <n>', 'how many processes on this machine', positive)
    .option('--nodes <n>', 'how many machines, each with a launch of its own and as many processes', positive, 1)
    .option('--node <n>', 'which of the machines this one is, from 0', wholeNumber, 0)
    .option('--master <host>', 'name or address of machine 0, when there are several')
    .option('--port <port>', 'where rank 0 listens for the others (default: a free port)', portNumber)
    .option('--restarts <n>', 'start again at most n times after a failure, a run from its last checkpoint', wholeNumber, 0)
    .option('--deadline <seconds>', 'a silent process has failed; and what the others get to end themselves', seconds, 60)
    .option('--threads <n>', 'threads of each process (default: cores / nproc)', positive)
    .addHelpText(
      'after',
      '\nCtrl-C is passed on to all; a second one kills them. The exit code is that of the process that failed; 3 is that of one\nwhich ends because another has.\n\nExamples:\n  $ aurora launch --nproc 4 run recipe.yaml\n  $ aurora launch --nproc 4 --restarts 3 run recipe.yaml --output runs/trial\n  $ aurora launch --nproc 2 -- node train.mjs\n  $ aurora launch --nproc 8 --nodes 2 --node 1 --master host0 --port 29500 run recipe.yaml',
    )
    .action(async (words: string[], flags: LaunchFlags, verb: Command) => {
      const mistake = mistakeIn(flags)
      if (mistake) verb.error(`error: ${mistake}`)
      process.exitCode = await launch(
        words,
        flags,
        aurora.commands.map(verb => verb.name()),
        signal,
      )
    })
}

async function launch(words: string[], flags: LaunchFlags, verbs: readonly string[], signal: AbortSignal): Promise<number> {
  const output = new JobOutput(flags.nproc * flags.nodes)
  const keeper = new Keeper()
  const resumption = flags.restarts > 0 ? await Resumption.of(words) : undefined
  const secret = process.env.AURORA_JOB_TOKEN || randomBytes(32).toString('hex')
  const name = randomBytes(8).toString('hex')
  let job: LocalJob | undefined
  const forward = (received: NodeJS.Signals) => job?.interrupt(received)
  process.on('SIGINT', forward).on('SIGTERM', forward)
  try {
    for (let attempt = 0; ; attempt++) {
      const port = flags.port ?? (await freePort())
      const next = attempt > 0 ? await resumption!.words() : words
      if (signal.aborted) return 130
      if (attempt > 0) {
        output.say(
          colours.yellow(
            `restart ${attempt} of ${flags.restarts}${next.length > words.length ? ', from the last checkpoint' : ', from the beginning'}`,
          ),
        )
      }
      job = new LocalJob({
        program: programOf(next, verbs),
        ranks: ranksOf(flags, port, secret, flags.nodes > 1 ? undefined : `${name}.${attempt}`),
        graceMs: flags.deadline * 1000,
        output,
        keeper,
      })
      const { code, failure } = await job.run()
      if (failure && !signal.aborted) output.say(colours.red(failure))
      if (code === 0 || signal.aborted || attempt >= flags.restarts) return code
    }
  } finally {
    process.off('SIGINT', forward).off('SIGTERM', forward)
    keeper.end()
    output.close()
  }
}

/** What several machines need to be told; and the launches of several do not know of each other's failures, to start again together. */
function mistakeIn({ nodes, node, master, port, restarts }: LaunchFlags): string | undefined {
  if (node >= nodes) return `--node ${node} is not one of ${nodes} machines`
  if (nodes === 1) return master === undefined ? undefined : '--master is for several machines (--nodes)'
  if (master === undefined || port === undefined) return 'several machines need --master and --port, the same on all'
  if (!process.env.AURORA_JOB_TOKEN) return 'several machines need AURORA_JOB_TOKEN, the same on all (openssl rand -hex 32)'
  return restarts > 0 ? '--restarts is for one machine; let what starts the launches start them again' : undefined
}

/** The variables of torchrun, and what keeps ranks of one machine from getting into each other's way. */
function ranksOf(
  { nproc, nodes, node, master, threads, deadline }: LaunchFlags,
  port: number,
  token: string,
  job: string | undefined,
) {
  const each = threads ?? Math.max(1, Math.floor(availableParallelism() / nproc))
  const variables = (local: number, rank: number): NodeJS.ProcessEnv => ({
    RANK: String(rank),
    WORLD_SIZE: String(nproc * nodes),
    LOCAL_RANK: String(local),
    LOCAL_WORLD_SIZE: String(nproc),
    MASTER_ADDR: master ?? '127.0.0.1',
    MASTER_PORT: String(port),
    AURORA_JOB_TOKEN: token,
    ...(job ? { AURORA_JOB_ID: job } : {}),
    AURORA_DEADLINE: String(deadline),
    AURORA_NUM_THREADS: threads ? String(threads) : process.env.AURORA_NUM_THREADS || String(each),
    AURORA_PROGRESS: rank > 0 ? 'none' : process.stderr.isTTY ? 'relay' : 'lines',
    // The ranks write to pipes, and would not colour what a terminal shows.
    ...(colours.isColorSupported ? { FORCE_COLOR: '1' } : {}),
  })
  return Array.from({ length: nproc }, (_, local) => {
    const rank = node * nproc + local
    return { rank, variables: variables(local, rank) }
  })
}

function portNumber(text: string): number {
  const port = positive(text)
  if (port > 65_535) throw new InvalidArgumentError('expected a port, 1 to 65535.')
  return port
}

function seconds(text: string): number {
  const value = nonNegative(text)
  if (value < 1) throw new InvalidArgumentError('expected at least 1 second.')
  return value
}
