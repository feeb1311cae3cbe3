/** The processes of a parallel job, as each of them sees it: they find each other, exchange small things, and learn when one fails. */
import * as z from 'zod'
import { AuroraError } from '../../errors.ts'
import type { WorldEnvironment } from '../environment.ts'
import type { Exchange } from '../group.ts'
import { RunningClock } from './clock.ts'
import type { Connection } from './connection.ts'
import { beatInterval, Coordinator, type JobOptions } from './coordinator.ts'
import { Deferred } from './deferred.ts'
import { enter } from './enter.ts'
import { endedWithoutWord, errorSchema, type Failure, failureOf, type Identity, silent, toError, wrongWords } from './failure.ts'
import { read } from './frames.ts'

export interface JoinOptions {
  /** Of the package; the same on every rank. */
  version: string
  /** A digest of what the job is to do; the same on every rank. */
  definition: string
  /** A rank that is silent for so long has failed; milliseconds, 60 000 unless given here or by AURORA_DEADLINE. */
  deadlineMs?: number
  /** The time in which all ranks must have come; milliseconds, five deadlines unless given. */
  joinMs?: number
  /** Gives up joining. */
  signal?: AbortSignal
}

/** Bytes that one rank may give to an exchange. */
const largestGift = 16 << 20

const messageSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('start'), host: z.string().max(256), hostname: z.string().max(256), pid: z.int() }),
  z.object({ kind: z.literal('beat'), at: z.string().max(1000) }),
  z.object({ kind: z.literal('given'), at: z.string().max(1000), call: z.int(), sizes: z.array(z.int().min(0)).max(100_000) }),
  z.object({ kind: z.literal('failed'), error: errorSchema }),
  z.object({ kind: z.literal('bye') }),
])

interface Call {
  name: string
  resolve: (parts: Uint8Array[]) => void
  reject: (error: unknown) => void
}

export class World {
  readonly rank: number
  readonly size: number
  readonly localRank: number
  readonly localSize: number
  /** This rank's address for data connections: one that the other ranks can reach. */
  host = ''
  readonly #options: JobOptions
  readonly #connection: Connection
  readonly #coordinator: Coordinator | undefined
  readonly #failed = new AbortController()
  readonly #calls = new Map<number, Call>()
  readonly #clock: RunningClock
  readonly #timer: NodeJS.Timeout
  #callNumber = 0
  #heard = 0
  #at = 'the start of the job'
  #zero: Identity
  #zeroAt = 'the start of the job'
  #told = 0
  #telling: NodeJS.Timeout | undefined
  #waiting = 0
  #alive: NodeJS.Timeout | undefined
  readonly #started = new Deferred<void>()
  #closing: Promise<void> | undefined
  readonly #farewell = new Deferred<void>()
  #closed = false

  /**
   * Joins the job: rank 0 listens at the master's port, all connect to it, and the promise resolves on all when all have come.
   *
   * @throws ERR_WORLD, the same on every rank, when a rank's version, world size or definition is not rank 0's, a rank is given twice
   * or is missing; on this rank alone when rank 0 cannot be reached, the port is in use, or token or job are wrong. ERR_RANK_FAILED
   * when a rank ends meanwhile. The signal's reason when that aborts.
   */
  static async join(environment: WorldEnvironment, options: JoinOptions): Promise<World> {
    const { version, definition, signal } = options
    const { deadlineMs = environment.deadlineMs ?? 60_000, joinMs = 5 * deadlineMs } = options
    signal?.throwIfAborted()
    const job: JobOptions = { version, definition, deadlineMs, joinMs }
    const coordinator = environment.rank === 0 ? await Coordinator.listen(environment, job) : undefined
    let world: World | undefined
    const alive = setInterval(() => {}, 60_000)
    try {
      world = await enter(environment, job, signal, (connection, zero) => {
        return new World(environment, job, connection, zero, coordinator)
      })
      await world.#start(signal)
      return world
    } catch (error) {
      // Rank 0 takes the others with it. They have been told by now of what its coordinator found itself.
      if (world) world.fail(error)
      else coordinator?.fail(error)
      throw error
    } finally {
      clearInterval(alive)
    }
  }

  private constructor(
    { rank, size, localRank, localSize }: WorldEnvironment,
    options: JobOptions,
    connection: Connection,
    zero: Identity,
    coordinator: Coordinator | undefined,
  ) {
    this.rank = rank
    this.size = size
    this.localRank = localRank
    this.localSize = localSize
    this.#options = options
    this.#connection = connection
    this.#zero = zero
    this.#coordinator = coordinator
    const interval = beatInterval(options.deadlineMs)
    this.#clock = new RunningClock(interval)
    this.#timer = setInterval(() => this.#beat(), interval).unref()
    connection.trust()
    connection.onBytes = () => {
      this.#heard = this.#clock.now
    }
    connection.onFrame = ({ header, payload }) => this.#take(header, payload)
    connection.onEnd = error => this.#fail((error ? wrongWords : endedWithoutWord)(this.#zero, this.#zeroAt, error?.message))
  }

  /** Aborted when the job has failed anywhere; the reason is an AuroraError ERR_RANK_FAILED that names the rank and what it was at. */
  get failed(): AbortSignal {
    return this.#failed.signal
  }

  /** What this rank is at, for messages about it: "step 12, all_reduce of the gradients". */
  at(operation: string): void {
    this.#at = operation.slice(0, 1000)
    if (this.#coordinator) this.#coordinator.at = this.#at
    // Soon rather than at the next heartbeat, since a rank that is killed says nothing more; seldom enough to cost nothing.
    if (performance.now() - this.#told > 50) this.#tell()
    else this.#telling ??= setTimeout(() => this.#tell(), 50).unref()
  }

  /**
   * Every member of `ranks` gives up to 16 MiB under the same key and gets everybody's, in order of `ranks`. A key may be used again
   * by the same ranks when its exchange has ended.
   *
   * @throws ERR_WORLD for wrong arguments; the reason of `failed` when the job fails meanwhile.
   */
  readonly exchange: Exchange = (key, ranks, bytes) => this.#exchange('exchange', key, ranks, bytes)

  /** Everybody's JSON value, in order of ranks. */
  async gather<T>(key: string, value: T): Promise<T[]> {
    const parts = await this.#exchange('gather', key, this.#everybody(), Buffer.from(JSON.stringify(value) ?? 'null'))
    return parts.map(part => JSON.parse(Buffer.from(part).toString('utf8')) as T)
  }

  /** Resolves when all ranks have come to it. */
  async barrier(key: string): Promise<void> {
    await this.#exchange('barrier', key, this.#everybody(), new Uint8Array())
  }

  /** Ends the job for everybody: `failed` is aborted on all ranks with an error that names this rank and holds this one's code and words. */
  fail(error: unknown): void {
    if (this.#closed || this.#failed.signal.aborted) return
    this.#connection.send({ kind: 'fail', at: this.#at, error: failureOf(error), judged: false })
  }

  /** After a failure: rank 0 has told the others, who would otherwise find it gone without a word. Two seconds at most. */
  async settled(): Promise<void> {
    await this.#coordinator?.settled(2000)
  }

  /** Leaves the job when all ranks have come to do so; immediately, when it has failed. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (!this.#failed.signal.aborted) {
      this.#connection.send({ kind: 'leave' })
      await this.#whileAlive(this.#farewell.promise)
    }
    this.#closed = true
    clearInterval(this.#timer)
  }

  #everybody(): number[] {
    return Array.from({ length: this.size }, (_, rank) => rank)
  }

  async #start(signal: AbortSignal | undefined): Promise<void> {
    const interrupted = new Deferred<never>()
    const onAbort = () => interrupted.reject(signal!.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      await Promise.race([this.#started.promise, interrupted.promise])
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  async #exchange(kind: string, key: string, ranks: readonly number[], bytes: Uint8Array): Promise<Uint8Array[]> {
    const name = `${kind} '${key}'`
    const wrong = (expected: string, found: string) =>
      new AuroraError({ code: 'ERR_WORLD', message: `${name} cannot begin`, expected, found })
    this.#failed.signal.throwIfAborted()
    if (this.#closing) throw wrong('a world that is open', 'one that is closed')
    if (key.length > 500) throw wrong('a key of at most 500 characters', `one of ${key.length}`)
    if (bytes.length > largestGift) throw wrong(`at most ${largestGift} bytes`, String(bytes.length))
    const order = [...new Set(ranks)].sort((a, b) => a - b)
    const known = order.every(rank => Number.isInteger(rank) && rank >= 0 && rank < this.size)
    if (!known || order.length !== ranks.length || !order.includes(this.rank)) {
      throw wrong(`different ranks of 0 to ${this.size - 1}, this rank ${this.rank} among them`, `[${ranks.join(', ')}]`)
    }
    const full = JSON.stringify([name, order])
    if ([...this.#calls.values()].some(call => call.name === full))
      throw wrong('a key that is not in use', 'one that is under way')
    const call = this.#callNumber++
    const reply = new Promise<Uint8Array[]>((resolve, reject) => this.#calls.set(call, { name: full, resolve, reject }))
    this.#told = performance.now()
    this.#connection.send(
      { kind: 'give', call, key: name, ranks: order.length < this.size ? order : undefined, at: this.#at },
      bytes,
    )
    const parts = await this.#whileAlive(reply)
    return ranks.map(rank => parts[order.indexOf(rank)]!)
  }

  #take(header: Record<string, unknown>, payload: Uint8Array): void {
    const message = read(messageSchema, header)
    switch (message.kind) {
      case 'start':
        this.host = message.host
        this.#zero = { ...this.#zero, hostname: message.hostname, pid: message.pid }
        this.#started.resolve()
        break
      case 'beat':
        this.#zeroAt = message.at
        break
      case 'given': {
        this.#zeroAt = message.at
        const call = this.#calls.get(message.call)
        if (!call) break
        this.#calls.delete(message.call)
        let start = 0
        const parts = message.sizes.map(size => {
          start += size
          return new Uint8Array(payload.subarray(start - size, start))
        })
        call.resolve(parts)
        break
      }
      case 'failed':
        this.#fail(message.error)
        break
      case 'bye':
        this.#connection.finish()
        this.#farewell.resolve()
    }
  }

  #tell(): void {
    clearTimeout(this.#telling)
    this.#telling = undefined
    this.#told = performance.now()
    this.#connection.send({ kind: 'beat', at: this.#at })
  }

  #beat(): void {
    const now = this.#clock.tick()
    if (this.#failed.signal.aborted || this.#closed) return
    this.#tell()
    if (now - this.#heard <= this.#options.deadlineMs) return
    const error = silent(this.#zero, this.#zeroAt, this.#options.deadlineMs)
    // Rank 0 reads it when it wakes up, so that it does not take the others' end for theirs.
    this.#connection.send({ kind: 'fail', at: this.#at, error, judged: true })
    this.#fail(error)
  }

  #fail(failure: Failure): void {
    if (this.#closed || this.#failed.signal.aborted) return
    clearInterval(this.#timer)
    const error = toError(failure)
    this.#failed.abort(error)
    this.#started.reject(error)
    for (const call of this.#calls.values()) call.reject(error)
    this.#calls.clear()
    this.#farewell.resolve()
    this.#connection.finish()
  }

  /** The sockets do not keep the process alive, so that a program which ends without `close` ends; what is awaited does. */
  async #whileAlive<T>(work: Promise<T>): Promise<T> {
    if (this.#waiting++ === 0) this.#alive = setInterval(() => {}, 60_000)
    try {
      return await work
    } finally {
      if (--this.#waiting === 0) clearInterval(this.#alive)
    }
  }
}
