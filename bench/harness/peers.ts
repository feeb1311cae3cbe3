/**
 * What results are compared with. A peer is a program that reads one line for each run, `<problem> <calls>`, does the calls and
 * answers with the seconds of one of them; a problem that it has not just had it sets up and runs once untimed. A problem that
 * this machine or its version has no way to do it answers with `cannot: …`.
 */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Contender } from './timing.ts'

const root = join(import.meta.dirname, '..', '..')
const sources = join(root, 'bench', 'peers')

export class Peer {
  readonly name: string
  /** Version and settings, in its own words. */
  readonly about: string
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>
  readonly #settle: number

  private constructor(
    name: string,
    about: string,
    child: ChildProcessWithoutNullStreams,
    lines: AsyncIterator<string>,
    settle: number,
  ) {
    this.name = name
    this.about = about
    this.#child = child
    this.#lines = lines
    this.#settle = settle
  }

  /** Starts the program, whose first line says what it is. */
  static async start(
    name: string,
    command: readonly string[],
    options: { env?: NodeJS.ProcessEnv; settle?: number } = {},
  ): Promise<Peer> {
    const child = spawn(command[0]!, command.slice(1), { env: options.env ?? process.env })
    child.stderr.pipe(process.stderr)
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const first = await lines.next()
    if (first.done) throw new Error(`the peer ${name} ended before it said what it is: ${command.join(' ')}`)
    return new Peer(name, first.value, child, lines, options.settle ?? 5)
  }

  contender(problem: string, calls: number): Contender {
    return { name: this.name, settle: this.#settle, run: async () => Number(await this.ask(`${problem} ${calls}`)) }
  }

  async can(problem: string): Promise<boolean> {
    return !(await this.ask(`${problem} 1`)).startsWith('cannot')
  }

  async ask(line: string): Promise<string> {
    this.#child.stdin.write(`${line}\n`)
    const answer = await this.#lines.next()
    if (answer.done) throw new Error(`the peer ${this.name} ended at "${line}"`)
    return answer.value
  }

  async stop(): Promise<void> {
    const ended = new Promise(resolve => this.#child.once('close', resolve))
    this.#child.stdin.end()
    await ended
  }
}

/** A peer that is not here, and what would bring it. */
export interface Absent {
  name: string
  why: string
}

/** Compiles bench/peers/<name>.cpp into build/bench unless that is newer; undefined when the compiler or the library is missing. */
export function compilePeer(name: string, libraries: readonly string[]): string | undefined {
  const source = join(sources, `${name}.cpp`)
  const program = join(root, 'build', 'bench', basename(name))
  const isFresh =
    existsSync(program) && [source, join(sources, 'peer.h')].every(file => statSync(file).mtimeMs < statSync(program).mtimeMs)
  if (isFresh) return program
  mkdirSync(join(root, 'build', 'bench'), { recursive: true })
  const { status } = spawnSync(
    process.env.CXX ?? 'c++',
    ['-std=c++20', '-O2', source, '-o', program, ...libraries.map(library => `-l${library}`)],
    { encoding: 'utf8' },
  )
  return status === 0 ? program : undefined
}

/** The first Python that imports torch. */
export function pythonWithTorch(): string | undefined {
  const candidates = [process.env.AURORA_PYTHON, 'python3', '/usr/bin/python3'].filter(python => python !== undefined)
  return candidates.find(python => spawnSync(python, ['-c', 'import torch'], { stdio: 'ignore' }).status === 0)
}

/** Starts bench/peers/torch/<script>, which uses `threads` threads. */
export async function torchPeer(script: string, threads: number): Promise<Peer | Absent> {
  const python = pythonWithTorch()
  if (!python)
    return { name: 'torch', why: 'no Python that imports torch (apt install python3-torch, or AURORA_PYTHON=/path/to/python)' }
  return Peer.start('torch', [python, join(sources, 'torch', script), String(threads)], { env: peerEnvironment(threads) })
}

/** The environment for a peer: all threads, and no settings that this shell has for its libraries. */
export function peerEnvironment(threads: number): NodeJS.ProcessEnv {
  const { OPENBLAS_CORETYPE: _, OPENBLAS_L2_SIZE: __, ...env } = process.env
  return { ...env, OMP_NUM_THREADS: String(threads), OPENBLAS_NUM_THREADS: String(threads) }
}
