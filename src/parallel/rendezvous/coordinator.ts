/** What rank 0 runs for the job: it admits the ranks, hands their bytes round, listens whether they live, and tells all what failed. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import * as z from 'zod'
import { AuroraError } from '../../errors.ts'
import { isLoopback, type WorldEnvironment } from '../environment.ts'
import { admit, mismatch } from './admission.ts'
import { RunningClock } from './clock.ts'
import { Connection, strangerLimits } from './connection.ts'
import { Exchanges } from './exchanges.ts'
import { endedWithoutWord, errorSchema, type Failure, failureOf, silent, toldError, wrongWords } from './failure.ts'
import { FrameError, read } from './frames.ts'
import { type Hello, keyOf, newNonce } from './handshake.ts'

export interface JobOptions {
  version: string
  definition: string
  /** Silence of that length is death. */
  deadlineMs: number
  /** The time in which all ranks must have come. */
  joinMs: number
}

/** Heartbeats: four chances within a deadline. */
export const beatInterval = (deadlineMs: number) => Math.min(1000, deadlineMs / 4)

interface Member {
  hello: Hello
  connection: Connection
  /** On the running clock, when it was last heard. */
  heard: number
  at: string
  left: boolean
}

const messageSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('beat'), at: z.string().max(1000) }),
  z.object({
    kind: z.literal('give'),
    call: z.int().min(0),
    key: z.string().max(1000),
    /** Ascending; all, when not given. */
    ranks: z.array(z.int().min(0)).max(100_000).optional(),
    at: z.string().max(1000),
  }),
  /** `judged`: the message is about another rank, and is to be passed on as it is. */
  z.object({ kind: z.literal('fail'), at: z.string().max(1000), error: errorSchema, judged: z.boolean() }),
  z.object({ kind: z.literal('leave') }),
])

/** What a stranger that connects may take of this process: connections at a time, and milliseconds to say who it is. */
const strangers = { most: 64, patienceMs: 5000 }

export class Coordinator {
  readonly #environment: WorldEnvironment
  readonly #options: JobOptions
  readonly #server: Server
  readonly #members: (Member | undefined)[]
  readonly #strangers = new Set<Connection>()
  readonly #exchanges: Exchanges
  readonly #clock: RunningClock
  readonly #timer: NodeJS.Timeout
  #state: 'joining' | 'running' | 'failed' | 'closed' = 'joining'
  #failure: Failure | undefined
  /** Ranks that know of the failure. */
  readonly #told = new Set<number>()
  /** An error that may be the consequence of another rank's end, held back until that shows. */
  #symptom: NodeJS.Timeout | undefined
  /** Keeps the process alive while others have to be told. */
  #hold: NodeJS.Timeout | undefined
  /** What rank 0 is at. */
  at = 'the start of the job'

  /** Listens at the job's port. @throws ERR_WORLD when it is in use. */
  static async listen(environment: WorldEnvironment, options: JobOptions): Promise<Coordinator> {
    const server = createServer({ noDelay: true })
    const { master, port } = environment
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) =>
        reject(
          new AuroraError({
            code: 'ERR_WORLD',
            message: `rank 0 cannot listen at port ${port}`,
            expected: 'a free port',
            found: cause.code === 'EADDRINUSE' ? 'a port that another process uses' : cause.message,
            hint: 'set MASTER_PORT to another port on every rank, or end the process that holds it (ss -ltnp tells which)',
            cause,
          }),
        ),
      )
      // Loopback stays loopback: a job of one machine is not to be seen from outside.
      server.listen({ port, host: isLoopback(master) ? master : undefined, backlog: 1024 }, resolve)
    })
    return new Coordinator(environment, options, server)
  }

  private constructor(environment: WorldEnvironment, options: JobOptions, server: Server) {
    this.#environment = environment
    this.#options = options
    this.#server = server
    this.#members = Array.from({ length: environment.size }, () => undefined)
    this.#exchanges = new Exchanges(this.#members.length)
    const interval = beatInterval(options.deadlineMs)
    this.#clock = new RunningClock(interval)
    this.#timer = setInterval(() => this.#beat(), interval).unref()
    server.removeAllListeners('error')
    // Out of file descriptors, say: the ranks that are in stay in.
    server.on('error', () => {})
    server.on('connection', socket => this.#greet(new Connection(socket, strangerLimits)))
    server.unref()
  }

  /** Rank 0 itself cannot go on, before it has joined. */
  fail(error: unknown): void {
    this.#fail(toldError({ rank: 0, size: this.#members.length, ...this.#self() }, this.at, failureOf(error)))
    this.#tell(0)
  }

  #greet(connection: Connection): void {
    const nonce = newNonce()
    const timer = setTimeout(() => connection.destroy(), strangers.patienceMs).unref()
    const forget = () => {
      clearTimeout(timer)
      this.#strangers.delete(connection)
    }
    connection.socket.once('close', forget)
    this.#strangers.add(connection)
    // A flood of strangers pushes out its own oldest; a rank that is pushed out comes again.
    if (this.#strangers.size > Math.max(strangers.most, 2 * this.#members.length)) {
      const [oldest] = this.#strangers
      oldest!.destroy()
      this.#strangers.delete(oldest!)
    }
    connection.onFrame = frame => {
      connection.onFrame = () => {}
      const key = keyOf(this.#environment.token, this.#environment.job)
      const { hello, answer } = admit(frame.header, nonce, key)
      if (!hello) {
        connection.send({ kind: 'stranger' })
        connection.finish()
        return
      }
      forget()
      this.#join(connection, hello, answer)
    }
    connection.send({ kind: 'challenge', nonce })
  }

  #join(connection: Connection, hello: Hello, answer: (words: object) => object): void {
    const refuse = (refused: Failure) => {
      connection.send(answer({ refused }))
      connection.finish()
    }
    const { rank } = hello
    const wrong = mismatch(hello, this.#environment, this.#options, this.#members[rank]?.hello)
    const harmless = wrong?.stale || this.#state === 'running' || this.#state === 'closed'
    if (wrong && !harmless) this.#fail(wrong.failure)
    if (wrong && harmless) {
      refuse(wrong.failure)
      return
    }
    if (this.#failure) {
      refuse(this.#failure)
      this.#tell(rank)
      return
    }
    const member: Member = { hello, connection, heard: this.#clock.now, at: 'the start of the job', left: false }
    this.#members[rank] = member
    connection.trust()
    connection.onBytes = () => {
      member.heard = this.#clock.now
    }
    connection.onFrame = ({ header, payload }) => this.#take(member, header, payload)
    connection.onEnd = error => {
      if (error) this.#fail(wrongWords(hello, member.at, error.message))
      else if (!member.left) this.#fail(endedWithoutWord(hello, member.at))
    }
    connection.send(answer({ welcome: { rank: 0, size: this.#members.length, ...this.#self() } }))
    if (this.#members.every(Boolean)) this.#start()
  }

  #self() {
    const own = this.#members[0]?.hello
    return { hostname: own?.hostname ?? this.#environment.master, pid: own?.pid ?? process.pid }
  }

  #start(): void {
    this.#state = 'running'
    const members = this.#members as Member[]
    // A rank on rank 0's machine may have come over loopback: the others reach it where they have reached rank 0.
    const distant = members.find(({ hello }) => !isLoopback(hello.address))
    const near = members[0]!.hello.host ?? distant?.connection.socket.localAddress?.replace(/^::ffff:/, '')
    for (const { hello, connection } of members) {
      const host = hello.host ?? (isLoopback(hello.address) ? (near ?? hello.address) : hello.address)
      connection.send({ kind: 'start', host, ...this.#self() })
    }
  }

  #take(member: Member, header: Record<string, unknown>, payload: Uint8Array): void {
    if (this.#state === 'failed' || this.#state === 'closed') return
    const message = read(messageSchema, header)
    if ('at' in message) member.at = message.at
    switch (message.kind) {
      case 'beat':
        break
      case 'give': {
        if (this.#state !== 'running') throw new FrameError('an exchange before the start')
        const gone = (message.ranks ?? [...this.#members.keys()]).find(rank => this.#members[rank]?.left)
        if (gone !== undefined) {
          this.#fail(this.#leftBefore(gone, message.key))
          break
        }
        this.#exchanges.give({ rank: member.hello.rank, ...message, payload }, (rank, reply, all) => {
          this.#members[rank]!.connection.send({ ...reply, at: this.at }, all)
        })
        break
      }
      case 'fail':
        if (message.judged) this.#fail(message.error)
        else this.#blame(toldError(member.hello, member.at, message.error), message.error.code === 'ERR_COMMUNICATION')
        break
      case 'leave':
        this.#leave(member)
    }
  }

  /** A communication that broke is often only how a rank's end shows first: the end itself, when it is seen soon after, is the better word. */
  #blame(failure: Failure, symptom: boolean): void {
    if (!symptom) this.#fail(failure)
    else this.#symptom ??= setTimeout(() => this.#fail(failure), 2 * beatInterval(this.#options.deadlineMs))
  }

  #leave(member: Member): void {
    member.left = true
    const waiting = this.#exchanges.waitingFor(member.hello.rank)
    if (waiting !== undefined) this.#fail(this.#leftBefore(member.hello.rank, waiting))
    if (this.#state === 'failed' || !this.#members.every(each => each?.left)) return
    this.#state = 'closed'
    for (const each of this.#members) {
      each!.connection.send({ kind: 'bye' })
      each!.connection.finish()
    }
    this.#stop()
  }

  #leftBefore(rank: number, key: string): Failure {
    const { hello, at } = this.#members[rank]!
    const error = toldError(hello, at, {
      code: 'ERR_WORLD',
      message: `it has left the job before '${key}', for which others wait`,
    })
    return { ...error, failed: { rank, told: false } }
  }

  #beat(): void {
    const now = this.#clock.tick()
    if (this.#state === 'joining' && now > this.#options.joinMs) this.#fail(this.#absent())
    if (this.#state !== 'joining' && this.#state !== 'running') return
    for (const member of this.#members) {
      if (!member || member.left) continue
      if (now - member.heard > this.#options.deadlineMs) {
        this.#fail(silent(member.hello, member.at, this.#options.deadlineMs))
        return
      }
      member.connection.send({ kind: 'beat', at: this.at })
    }
  }

  #absent(): Failure {
    const absent = this.#members.flatMap((member, rank) => (member ? [] : [rank]))
    const shown = absent.slice(0, 8).join(', ') + (absent.length > 8 ? ', …' : '')
    return {
      code: 'ERR_WORLD',
      message: `${absent.length} of ${this.#members.length} ranks have not joined within ${this.#options.joinMs / 1000} s`,
      expected: `${this.#members.length} ranks at ${this.#environment.master}:${this.#environment.port}`,
      found: `all but rank ${shown}`,
      hint: 'see what those ranks printed; under Slurm, start the command with srun',
    }
  }

  /** Ends the job: every rank that is in, or comes yet, is told why. Only the first failure counts. */
  #fail(failure: Failure): void {
    if (this.#failure || this.#state === 'closed') return
    const started = this.#state === 'running'
    this.#state = 'failed'
    this.#failure = failure
    // Ranks that are still on their way get the same error instead of a port where nobody listens.
    this.#hold = setTimeout(() => this.#stop(), started ? 0 : Math.min(this.#options.joinMs, 5000))
    for (const [rank, member] of this.#members.entries()) {
      if (!member) continue
      member.connection.send({ kind: 'failed', error: failure })
      member.connection.finish()
      this.#tell(rank)
    }
  }

  /** When every rank has closed its connection, after a failure: it has read the reason by then. Resolves after `mostMs` in any case. */
  async settled(mostMs: number): Promise<void> {
    const sockets = this.#members.flatMap(member =>
      member && !member.connection.socket.closed ? [member.connection.socket] : [],
    )
    let timer: NodeJS.Timeout | undefined
    // The timer keeps the process alive meanwhile, which the sockets do not.
    const late = new Promise<void>(resolve => {
      timer = setTimeout(resolve, mostMs)
    })
    await Promise.race([Promise.all(sockets.map(socket => once(socket, 'close'))), late])
    clearTimeout(timer)
  }

  #tell(rank: number): void {
    if (rank < this.#members.length) this.#told.add(rank)
    if (this.#state === 'failed' && this.#told.size === this.#members.length) this.#stop()
  }

  #stop(): void {
    clearTimeout(this.#hold)
    clearTimeout(this.#symptom)
    clearInterval(this.#timer)
    this.#server.close()
    for (const connection of this.#strangers) connection.destroy()
  }
}
