/** Where this process stands in a parallel job: torchrun's variables, as `aurora launch` and Kubernetes set them, or Slurm's. */
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { AuroraError } from '../errors.ts'
import { firstHost, tasksOfNode } from './slurm.ts'

export interface WorldEnvironment {
  /** 0 … size − 1. */
  rank: number
  /** Processes of the job. */
  size: number
  /** This process's place among those of its machine. */
  localRank: number
  localSize: number
  /** Name or address of rank 0's machine, and the port it listens on. */
  master: string
  port: number
  /** Own address for data connections; undefined: that of the connection to the master. */
  host: string | undefined
  /** The job's shared secret; undefined only where the master's address is loopback. */
  token: string | undefined
  /** Tells this job from an earlier one at the same address. */
  job: string
  /** A rank that is silent for so long has failed; undefined: World.join's own. */
  deadlineMs?: number
}

type Variables = Readonly<Record<string, string | undefined>>

/**
 * The world that the environment describes, or undefined when it describes none: a run of one process.
 *
 * RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT come first; under srun, Slurm's variables stand in for
 * those that are not set, and the port follows from the job's number. AURORA_JOB_TOKEN is the shared secret, AURORA_JOB_ID the job's
 * name, AURORA_HOST the address or the network interface (hsn0) for data connections, AURORA_DEADLINE the seconds of silence after
 * which a rank has failed.
 *
 * @throws ERR_WORLD that names the variable: one that is missing, not a number, or does not fit the others.
 */
export function worldFromEnvironment(env: Variables = process.env): WorldEnvironment | undefined {
  const read = (name: string) => (env[name] === undefined || env[name].trim() === '' ? undefined : env[name].trim())
  const torch = read('RANK') !== undefined || read('WORLD_SIZE') !== undefined
  const slurm = read('SLURM_PROCID') !== undefined
  if (!torch && !slurm) return undefined

  const number = (...names: string[]) => numberOf(read, names)
  const size = number('WORLD_SIZE', 'SLURM_NTASKS')
  if (!torch && size?.value === 1) return undefined
  const rank = number('RANK', 'SLURM_PROCID')
  if (!rank) throw missing('RANK', `${size!.name} is ${size!.value}`)
  if (!size) throw missing(rank.name === 'RANK' ? 'WORLD_SIZE' : 'SLURM_NTASKS', `${rank.name} is ${rank.value}`)
  if (size.value < 1) throw wrong(size.name, 'a number of processes, at least 1', String(size.value))
  if (rank.value >= size.value) {
    throw wrong(rank.name, `a rank below ${size.name}, which is ${size.value}`, String(rank.value))
  }

  const localRank = number('LOCAL_RANK', 'SLURM_LOCALID')
  const localSize = number('LOCAL_WORLD_SIZE', 'SLURM_NTASKS_PER_NODE') ?? slurmLocalSize(read)
  if (localRank && !localSize) throw missing('LOCAL_WORLD_SIZE', `${localRank.name} is ${localRank.value}`)
  if (!localRank && localSize?.name === 'LOCAL_WORLD_SIZE') throw missing('LOCAL_RANK', `${localSize.name} is ${localSize.value}`)
  if (localSize && (localSize.value < 1 || localSize.value > size.value)) {
    throw wrong(localSize.name, `1 to ${size.value}, which is ${size.name}`, String(localSize.value))
  }
  if (localRank && localSize && localRank.value >= localSize.value) {
    throw wrong(localRank.name, `a rank below ${localSize.name}, which is ${localSize.value}`, String(localRank.value))
  }

  const master = masterOf(read)
  if (master === undefined) throw missing('MASTER_ADDR', `${size.name} is ${size.value}`)
  const port = number('MASTER_PORT')?.value ?? slurmPort(read)
  if (port === undefined) throw missing('MASTER_PORT', `MASTER_ADDR is ${master}`)
  if (port < 1 || port > 65_535) throw wrong('MASTER_PORT', 'a port, 1 to 65535', String(port))
  const token = read('AURORA_JOB_TOKEN')
  expectToken(master, token)
  return {
    rank: rank.value,
    size: size.value,
    localRank: localRank?.value ?? 0,
    localSize: localSize?.value ?? 1,
    master,
    port,
    host: ownAddress(read('AURORA_HOST')),
    token,
    deadlineMs: deadline(read('AURORA_DEADLINE')),
    job: read('AURORA_JOB_ID') ?? slurmJob(read) ?? read('TORCHELASTIC_RUN_ID') ?? `${master}:${port}`,
  }
}

/** @throws ERR_WORLD when a job that others can reach has no secret */
export function expectToken(master: string, token: string | undefined): void {
  if (token !== undefined || isLoopback(master)) return
  throw new AuroraError({
    code: 'ERR_WORLD',
    message: 'AURORA_JOB_TOKEN is not set, and the job is open to the network',
    expected: 'a secret that all ranks of the job share',
    found: `none, with rank 0 at ${master}`,
    hint: 'export AURORA_JOB_TOKEN=$(openssl rand -hex 32) before the ranks are started',
  })
}

/** True for localhost, 127.0.0.0/8 and ::1: what only processes of the same machine can reach. */
export function isLoopback(host: string): boolean {
  const plain = host.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '')
  return plain === 'localhost' || plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'))
}

type Read = (name: string) => string | undefined
interface Named {
  name: string
  value: number
}

/** The first of the variables that is set. */
function numberOf(read: Read, names: readonly string[]): Named | undefined {
  const name = names.find(each => read(each) !== undefined)
  if (name === undefined) return undefined
  const text = read(name)!
  if (!/^\d{1,9}$/.test(text)) throw wrong(name, 'a whole number', JSON.stringify(text.slice(0, 80)))
  return { name, value: Number(text) }
}

function slurmLocalSize(read: Read): Named | undefined {
  const node = numberOf(read, ['SLURM_NODEID'])?.value ?? 0
  for (const name of ['SLURM_STEP_TASKS_PER_NODE', 'SLURM_TASKS_PER_NODE']) {
    const text = read(name)
    const value = text === undefined ? undefined : tasksOfNode(text, node)
    if (value !== undefined) return { name, value }
  }
  return undefined
}

function masterOf(read: Read): string | undefined {
  const address = read('MASTER_ADDR')
  if (address !== undefined) {
    if (!/^[\w.:-]{1,253}$/.test(address))
      throw wrong('MASTER_ADDR', 'a host name or address', JSON.stringify(address.slice(0, 80)))
    return address
  }
  const name = ['SLURM_STEP_NODELIST', 'SLURM_JOB_NODELIST'].find(each => read(each) !== undefined)
  if (name === undefined) return undefined
  const host = firstHost(read(name)!)
  if (host === undefined) throw wrong(name, 'a list of hosts, such as nid[001-003,007]', JSON.stringify(read(name)!.slice(0, 80)))
  return host
}

/** Below the ports that systems hand out by themselves (32768 and up on Linux). */
function slurmPort(read: Read): number | undefined {
  const job = numberOf(read, ['SLURM_JOB_ID'])
  return job && 15_000 + (job.value % 15_000)
}

/** A step of a job, and a requeued job, are jobs of their own here. */
function slurmJob(read: Read): string | undefined {
  const job = read('SLURM_JOB_ID')
  return job && [job, read('SLURM_STEP_ID') ?? '', read('SLURM_RESTART_COUNT') ?? '0'].join('.')
}

function deadline(seconds: string | undefined): number | undefined {
  if (seconds === undefined) return undefined
  if (!/^\d{1,6}(\.\d+)?$/.test(seconds) || Number(seconds) < 1)
    throw wrong('AURORA_DEADLINE', 'seconds, at least 1', JSON.stringify(seconds))
  return Number(seconds) * 1000
}

function ownAddress(given: string | undefined): string | undefined {
  if (given === undefined || isIP(given)) return given
  const interfaces = networkInterfaces()
  // A link-local address is of no use without its scope.
  const usable = (interfaces[given] ?? []).filter(each => !each.address.startsWith('fe80'))
  const address = (usable.find(each => each.family === 'IPv4') ?? usable[0])?.address
  if (address === undefined) {
    throw wrong(
      'AURORA_HOST',
      `an IP address or a network interface (${Object.keys(interfaces).join(', ')})`,
      JSON.stringify(given),
    )
  }
  return address
}

function missing(name: string, because: string): AuroraError {
  return new AuroraError({
    code: 'ERR_WORLD',
    message: `${name} is not set`,
    expected: `${name}, because ${because}`,
    found: 'nothing',
    hint: 'start all ranks through aurora launch, srun or a job that sets RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, or unset them all',
  })
}

function wrong(name: string, expected: string, found: string): AuroraError {
  return new AuroraError({ code: 'ERR_WORLD', message: `${name} is wrong`, expected, found })
}
