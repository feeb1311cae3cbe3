/**
 * Runs untrusted Python programs in a process of their own, one process a program, with little to damage: isolated
 * interpreter, empty working folder, minimal environment, limits on CPU time, memory, file size, processes and output, no
 * files, sockets or threads (an audit hook), no network where the system lets an ordinary user have a network namespace of its own,
 * and a wall clock that kills the process group.
 *
 * This limits damage from what a language model writes by accident. It is not a security boundary: the program shares the
 * machine's kernel, and Python code that sets out to escape its interpreter, or to forge a pass by digging the nonce out of the
 * launcher's frames, can. Code from an adversary belongs in a virtual machine.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AuroraError } from '../../errors.ts'
import { dropPrivileges, launcher } from './launcher.ts'

export interface SandboxOptions {
  /** Seconds of wall-clock time before the program is killed, default 6; CPU time is limited to the same, rounded up. */
  timeout?: number
  /** Address space in bytes, default 512 MiB. */
  memory?: number
  /** Bytes a program may write to standard output or error, default 64 KiB. */
  output?: number
  /** Programs run at a time, default 2. */
  concurrency?: number
  /** The interpreter, default 'python3'; a superuser without it named gets /usr/bin/python3 where only that is open to all. */
  python?: string
  signal?: AbortSignal
}

/** passed: ended without an exception. failed: an assertion. error: another exception. timeout, output: killed for it. crashed: died otherwise. */
export type Outcome = 'passed' | 'failed' | 'error' | 'timeout' | 'output' | 'crashed'

export interface Execution {
  outcome: Outcome
  /** The exception, or why the program was killed; empty when it passed. */
  detail: string
}

/** What the programs run in: kept with the results. */
export interface SandboxInfo {
  /** Version of Python. */
  python: string
  /** Whether the programs have a network namespace of their own, without any network. */
  networkIsolated: boolean
  /**
   * Whether the system refuses the programs new processes and threads. It does not when a superuser runs an interpreter that
   * only superusers can read; then the audit hook alone refuses processes.
   */
  processesLimited: boolean
}

interface Sandbox extends SandboxInfo {
  command: string
  prefix: string[]
}

const environment = { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8' }
const sandboxes = new Map<string, Promise<Sandbox>>()
/** Process groups that run now: killed when this process exits. */
const running = new Set<number>()
process.on('exit', () => {
  for (const group of running) killGroup(group)
})

/** Whether and how programs can be run here. Throws ERR_PYTHON_MISSING. */
export async function sandboxInfo(python?: string): Promise<SandboxInfo> {
  const { python: version, networkIsolated, processesLimited } = await openSandbox(python)
  return { python: version, networkIsolated, processesLimited }
}

/** Runs every program, `concurrency` at a time; results in the order of the programs. Equal programs run once. */
export async function executePrograms(programs: readonly string[], options: SandboxOptions = {}): Promise<Execution[]> {
  const sandbox = await openSandbox(options.python)
  const distinct = [...new Set(programs)]
  const executions = new Map<string, Execution>()
  let next = 0
  const worker = async () => {
    while (next < distinct.length) {
      options.signal?.throwIfAborted()
      const program = distinct[next++]!
      executions.set(program, await execute(sandbox, program, options))
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, options.concurrency ?? 2) }, worker))
  return programs.map(program => executions.get(program)!)
}

async function execute(sandbox: Sandbox, program: string, options: SandboxOptions): Promise<Execution> {
  const { timeout = 6, memory = 512 * 2 ** 20, output = 64 * 2 ** 10, signal } = options
  const nonce = randomBytes(16).toString('hex')
  const cwd = await mkdtemp(join(tmpdir(), 'aurora-code-'))
  const limits = [String(Math.ceil(timeout)), String(memory)]
  try {
    return await new Promise<Execution>((resolve, reject) => {
      const child = spawn(sandbox.command, [...sandbox.prefix, '-c', launcher, ...limits], {
        cwd,
        env: environment,
        detached: true, // a process group of its own, killed as a whole
        stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      })
      let killedFor: 'timeout' | 'output' | undefined
      const kill = (reason?: 'timeout' | 'output') => {
        killedFor ??= reason
        if (child.pid !== undefined) killGroup(child.pid)
      }
      const abort = () => kill()
      const clock = setTimeout(kill, timeout * 1000, 'timeout')
      signal?.addEventListener('abort', abort)
      const settle = () => {
        clearTimeout(clock)
        signal?.removeEventListener('abort', abort)
        if (child.pid !== undefined) running.delete(child.pid)
      }
      if (child.pid !== undefined) running.add(child.pid)
      for (const stream of [child.stdout, child.stderr]) watch(stream, output, () => kill('output'))
      const report = watch(child.stdio[3] as NodeJS.ReadableStream, 4096, () => kill('output'))
      child.once('error', cause => {
        settle()
        reject(
          new AuroraError({
            code: 'ERR_SANDBOX',
            message: 'the sandbox process could not be started',
            found: cause.message,
            cause,
          }),
        )
      })
      child.once('close', (_code, killed) => {
        settle()
        if (signal?.aborted) reject(signal.reason)
        else resolve(judge(report.text(), nonce, killedFor, killed, { timeout, output }))
      })
      child.stdin!.on('error', () => {}) // the child died before it had read all: 'close' tells
      child.stdin!.end(`${nonce}\n${program}`)
    })
  } finally {
    await rm(cwd, { recursive: true, force: true })
  }
}

function judge(
  report: string,
  nonce: string,
  killedFor: 'timeout' | 'output' | undefined,
  signal: NodeJS.Signals | null,
  limits: { timeout: number; output: number },
): Execution {
  if (killedFor === 'timeout' || signal === 'SIGXCPU')
    return { outcome: 'timeout', detail: `ran longer than ${limits.timeout} s` }
  if (killedFor === 'output') return { outcome: 'output', detail: `wrote more than ${limits.output} bytes` }
  if (report === nonce) return { outcome: 'passed', detail: '' }
  if (signal !== null) return { outcome: 'crashed', detail: `killed by ${signal}` }
  if (report === '') return { outcome: 'crashed', detail: 'exited before its checks had ended' }
  return { outcome: report.startsWith('AssertionError') ? 'failed' : 'error', detail: report }
}

/** Collects a stream's first `limit` bytes and calls `exceeded` at the first one more. */
function watch(stream: NodeJS.ReadableStream | null, limit: number, exceeded: () => void): { text(): string } {
  const chunks: Buffer[] = []
  let bytes = 0
  stream?.on('data', (chunk: Buffer) => {
    const room = limit - bytes
    bytes += chunk.length
    if (room > 0) chunks.push(chunk.subarray(0, room))
    if (bytes > limit) exceeded()
  })
  stream?.on('error', () => {})
  return { text: () => Buffer.concat(chunks).toString('utf8') }
}

function killGroup(leader: NonNullable<ChildProcess['pid']>): void {
  try {
    process.kill(-leader, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}

/** Finds the interpreter and what isolation the system gives, once for each interpreter. */
function openSandbox(python = ''): Promise<Sandbox> {
  let sandbox = sandboxes.get(python)
  if (sandbox === undefined) {
    sandbox = isolate(python === '' ? ['python3', '/usr/bin/python3'] : [python])
    sandboxes.set(python, sandbox)
    sandbox.catch(() => sandboxes.delete(python)) // it may be installed while we run
  }
  return sandbox
}

interface Interpreter {
  executable: string
  version: string
  processesLimited: boolean
}

const flags = ['-I', '-S', '-B']

/** The first candidate whose programs can be refused processes, else the first that runs. */
async function findInterpreter(candidates: string[]): Promise<Interpreter> {
  const script = `${dropPrivileges}
import resource, sys
assert sys.version_info >= (3, 8), 'Python ' + sys.version
executable = sys.executable
drop_privileges()
print(executable, sys.version.split()[0], os.geteuid() != 0, sep='\\n')`
  const found: Interpreter[] = []
  let failure: Error | undefined
  for (const candidate of candidates) {
    try {
      const [executable, version, limited] = (await run(candidate, [...flags, '-c', script])).trim().split('\n') as [
        string,
        string,
        string,
      ]
      found.push({ executable, version, processesLimited: limited === 'True' })
      if (limited === 'True') break
    } catch (error) {
      failure ??= error as Error
    }
  }
  const best = found.find(each => each.processesLimited) ?? found[0]
  if (best !== undefined) return best
  throw new AuroraError({
    code: 'ERR_PYTHON_MISSING',
    message: `code evaluation cannot run "${candidates[0]}"`,
    expected: 'Python 3.8 or newer on a POSIX system',
    found: failure?.message.trim().split('\n').at(-1),
    hint: 'install python3, or leave the code suite out',
    cause: failure,
  })
}

async function isolate(candidates: string[]): Promise<Sandbox> {
  const { executable, version: python, processesLimited } = await findInterpreter(candidates)
  // A superuser makes a network namespace directly and can then still become nobody; others need a user namespace.
  const unshare = process.geteuid?.() === 0 ? ['--net'] : ['--map-root-user', '--net']
  const networkIsolated = await run('unshare', [...unshare, executable, ...flags, '-c', '']).then(
    () => true,
    () => false,
  )
  return networkIsolated
    ? { python, networkIsolated, processesLimited, command: 'unshare', prefix: [...unshare, executable, ...flags] }
    : { python, networkIsolated, processesLimited, command: executable, prefix: flags }
}

function run(command: string, args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { timeout: 20_000 }, (error, stdout) => (error ? reject(error) : resolve(stdout)))
  })
}
