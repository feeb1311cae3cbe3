/** A rank's way into the job: it connects to rank 0 until that answers, shows that it belongs there, and checks that rank 0 does. */
import { connect, type Socket } from 'node:net'
import { hostname } from 'node:os'
import { AuroraError } from '../../errors.ts'
import { isLoopback, type WorldEnvironment } from '../environment.ts'
import { answerLimits, Connection } from './connection.ts'
import type { JobOptions } from './coordinator.ts'
import { type Failure, type Identity, toError } from './failure.ts'
import { read } from './frames.ts'
import { answerSchema, answerWordsSchema, challengeSchema, type Hello, keyOf, newNonce, proofOf, sameProof } from './handshake.ts'

/** How an attempt ended. */
interface Attempt<T> {
  joined?: { as: T }
  /** Another attempt may do better. */
  obstacle?: string
  /** No other attempt will. */
  refused?: Failure
}

const patienceMs = 10_000
const pauseMs = { first: 50, last: 1000 }

/** What rank 0 welcomed; made at once, before the next message comes. */
type Create<T> = (connection: Connection, zero: Identity) => T

export async function enter<T>(
  environment: WorldEnvironment,
  options: JobOptions,
  signal: AbortSignal | undefined,
  create: Create<T>,
): Promise<T> {
  const started = performance.now()
  let pause = pauseMs.first
  while (true) {
    const left = options.joinMs - (performance.now() - started)
    const timeoutMs = Math.min(patienceMs, Math.max(left, 1))
    const { joined, obstacle, refused } = await attempt(environment, options, timeoutMs, signal, create)
    if (joined) return joined.as
    signal?.throwIfAborted()
    if (refused) throw toError(refused)
    if (left <= pause) throw unreachable(environment, options, obstacle!)
    await new Promise<void>(resolve => {
      const done = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, pause)
      signal?.addEventListener('abort', done, { once: true })
    })
    signal?.throwIfAborted()
    pause = Math.min(2 * pause, pauseMs.last)
  }
}

function unreachable({ rank, master, port }: WorldEnvironment, { joinMs }: JobOptions, obstacle: string): AuroraError {
  return new AuroraError({
    code: 'ERR_WORLD',
    message: `rank ${rank} could not reach rank 0 at ${master}:${port} within ${joinMs / 1000} s`,
    expected: 'rank 0 of the same job',
    found: obstacle,
    hint: 'see what rank 0 printed; check MASTER_ADDR, MASTER_PORT and the firewall between the machines',
  })
}

function attempt<T>(
  environment: WorldEnvironment,
  options: JobOptions,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  create: Create<T>,
): Promise<Attempt<T>> {
  const { master, port, rank } = environment
  // Rank 0 listens in this very process: its machine's name may lead out to a proxy, or nowhere.
  const host = rank === 0 && !isLoopback(master) ? 'localhost' : master
  const socket = connect({ host, port })
  const connection = new Connection(socket, answerLimits)
  const key = keyOf(environment.token, environment.job)
  return new Promise(resolve => {
    let over = false
    const end = (result: Attempt<T>) => {
      if (over) return
      over = true
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      if (!result.joined) connection.destroy()
      resolve(result)
    }
    const timer = setTimeout(() => end({ obstacle: 'no answer' }), timeoutMs)
    const abort = () => end({ obstacle: 'interrupted' })
    signal?.addEventListener('abort', abort, { once: true })
    socket.on('error', (error: NodeJS.ErrnoException) => end({ obstacle: error.message || error.code }))
    // Where nobody listens, TCP may connect a port of this machine with itself, which would keep rank 0 from listening there.
    socket.on('connect', () => {
      if (socket.localPort === socket.remotePort && socket.localAddress === socket.remoteAddress) end({ obstacle: 'nobody' })
    })
    connection.onEnd = error => end({ obstacle: error ? 'another program at that port' : 'a connection that closed' })
    connection.onFrame = ({ header }) => {
      const challenge = challengeSchema.safeParse(header).data
      if (!challenge) return end({ obstacle: 'another program at that port' })
      const nonces = [challenge.nonce, newNonce()] as const
      const hello = JSON.stringify(helloOf(environment, options, socket))
      connection.onFrame = answer => {
        const { zero, refused } = judge(answer.header, key, nonces, environment)
        end(zero ? { joined: { as: create(connection, zero) } } : { refused })
      }
      connection.send({ kind: 'hello', nonce: nonces[1], hello, proof: proofOf(key, 'rank', nonces, hello) })
    }
  })
}

function helloOf({ rank, size, job, host }: WorldEnvironment, { version, definition }: JobOptions, socket: Socket): Hello {
  const address = (socket.localAddress ?? '127.0.0.1').replace(/^::ffff:/, '')
  return { rank, size, job, version, definition, hostname: hostname(), pid: process.pid, host, address }
}

function judge(
  header: Record<string, unknown>,
  key: string,
  nonces: readonly [string, string],
  { rank, master, port }: WorldEnvironment,
): { zero?: Identity; refused?: Failure } {
  const stranger = (expected: string, found: string) => ({
    refused: {
      code: 'ERR_WORLD',
      message: `rank ${rank} does not belong to the job at ${master}:${port}`,
      expected,
      found,
      hint: 'give all ranks of a job the same AURORA_JOB_TOKEN, and each job a MASTER_PORT of its own',
    },
  })
  const answer = answerSchema.safeParse(header).data
  if (!answer) return stranger('the token of that job', 'another token, or that of an earlier job')
  if (!sameProof(proofOf(key, 'coordinator', nonces, answer.words), answer.proof)) {
    return stranger('a rank 0 that knows the token', 'a process that does not')
  }
  const words = read(answerWordsSchema, JSON.parse(answer.words))
  return 'refused' in words ? { refused: words.refused } : { zero: words.welcome }
}
