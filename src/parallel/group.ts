/** Groups of processes that communicate: reductions, gathers and messages between their tensors. */
import { lookup } from 'node:dns/promises'
import { AuroraError } from '../errors.ts'
import { type CommunicatorId, type CommunicatorKind, native } from '../native.ts'
import type { Device, Stream, Tensor } from '../tensor/index.ts'

export type Reduction = 'sum' | 'max'
const reductions = { sum: 0, max: 1 } as const satisfies Record<Reduction, number>

/** Work under way on a group's own stream. */
export interface Pending {
  /** What is enqueued on the device's current stream from now on starts after it. */
  wait(): void
}

/** All members give bytes under a key, and each gets everybody's, in order of `ranks`. */
export type Exchange = (key: string, ranks: readonly number[], bytes: Uint8Array) => Promise<Uint8Array[]>

export interface GroupOptions {
  /** Names the group in errors, and its key in the exchange: one name a group and its members. */
  name: string
  /** Its members' ranks in the world, in the group's order. */
  ranks: readonly number[]
  /** This process's rank in the world, one of `ranks`. */
  rank: number
  device: Device
  /** By default 'single' for one member, 'gloo' for CPU tensors, 'nccl' for others. */
  kind?: CommunicatorKind
  /** This machine's address or name that the others reach it at. */
  host: string
  /** The longest that anything waits for another member, in milliseconds. */
  timeoutMs: number
  exchange: Exchange
}

/**
 * Some ranks of the world that communicate. Its collectives enqueue on the device's current stream and return: what is enqueued there later finds
 * them done. Inside `beside` they enqueue on the group's own stream, to run while the current one goes on; what a group does beside is waited for before it does anything else.
 * All members call the same collectives in the same order, with tensors of equal dtypes and sizes. Floating-point sums are in order of the members, so
 * that every member gets the same bits every time ('nccl': the same on every member, in NCCL's own order).
 *
 * Wrong arguments throw at once. What fails later (a member that died, waits longer than the timeout, members at different
 * operations) rejects `synchronize` and `barrier` with ERR_COMMUNICATION, and every later operation of the group fails with it.
 *
 * A group of one and kind 'single' moves nothing: its collectives are the identity, on the device's current stream.
 */
export class Group {
  readonly name: string
  /** Its members' ranks in the world. */
  readonly ranks: readonly number[]
  /** This process's place in `ranks`. */
  readonly rank: number
  readonly size: number
  readonly device: Device
  readonly #id: CommunicatorId
  readonly #kind: CommunicatorKind
  /** Made when work first runs beside the current stream. */
  #stream: Stream | undefined

  private constructor(options: GroupOptions, rank: number, id: CommunicatorId, kind: CommunicatorKind) {
    this.name = options.name
    this.ranks = [...options.ranks]
    this.rank = rank
    this.size = options.ranks.length
    this.device = options.device
    this.#id = id
    this.#kind = kind
  }

  /** Every member calls this; resolves when all are connected. Rejects with ERR_COMMUNICATION, or ERR_DEVICE when a library is missing. */
  static async connect(options: GroupOptions): Promise<Group> {
    const { name, ranks, device } = options
    const rank = placeIn(options)
    const kind = options.kind ?? (ranks.length === 1 ? 'single' : device.name === 'cpu' ? 'gloo' : 'nccl')
    const host = kind === 'gloo' ? await addressOf(options.host) : ''
    const { id, address } = native.beginCommunicator(device.id, kind, rank, ranks.length, host, options.timeoutMs, name, ranks)
    if (kind === 'single') return new Group(options, rank, id, kind)
    try {
      const addresses = await options.exchange(`group ${name} of ranks ${ranks.join(', ')}`, ranks, new Uint8Array(address))
      await native.connectCommunicator(id, addresses)
      return new Group(options, rank, id, kind)
    } catch (error) {
      native.closeCommunicator(id)
      throw error
    }
  }

  /** x = the sum (or the maxima) of all members' x. f32, bf16 (summed in f32, rounded once) or i32; the same shape everywhere. */
  allReduce(x: Tensor, op: Reduction = 'sum'): void {
    native.allReduce(this.#id, x.id, reductions[op])
  }

  /** y = x of member 0, x of member 1, …: size · |x| elements of any dtype. x may be y's own part. */
  allGather(x: Tensor, y: Tensor): void {
    native.allGather(this.#id, x.id, y.id)
  }

  /** y = this member's part of the sum (or maxima) of all members' x: |x| / size elements. y may be x's own part; the rest of x may be changed. */
  reduceScatter(x: Tensor, y: Tensor, op: Reduction = 'sum'): void {
    native.reduceScatter(this.#id, x.id, y.id, reductions[op])
  }

  /** x = x of the member at place `root`. Any dtype. */
  broadcast(x: Tensor, root: number): void {
    native.broadcast(this.#id, x.id, root)
  }

  /**
   * Sends x to the member at place `to`, which receives it; done when x may be written again. Any dtype. Two members may send to each other before
   * either receives, but not with kind 'nccl': there they take turns, or use a group for each direction.
   */
  send(x: Tensor, to: number): void {
    native.send(this.#id, x.id, to)
  }

  /** x = what the member at place `from` sends, in its order; of the same dtype and size there. */
  receive(x: Tensor, from: number): void {
    native.receive(this.#id, x.id, from)
  }

  /**
   * Enqueues what the synchronous `fn` asks of this group on the group's own stream, after what the current stream has been given so far. Until
   * `wait()` puts the current stream behind it, its tensors must not be written by other work.
   */
  beside(fn: () => void): Pending {
    if (this.#kind === 'single') {
      fn()
      return { wait: () => {} }
    }
    this.#stream ??= this.device.createStream()
    const stream = this.#stream
    stream.waitFor(native.recordEvent(this.device.id))
    stream.use(fn)
    const done = stream.record()
    return { wait: () => native.waitEvent(this.device.id, done) }
  }

  /** Resolves when every member has come here, and all that this one enqueued before has run. */
  barrier(): Promise<void> {
    native.barrier(this.#id)
    return this.synchronize()
  }

  /** Resolves when everything enqueued so far has run, here and beside, and what was sent has left; rejects with the first failure, once. */
  async synchronize(): Promise<void> {
    const finish = () => {
      native.flush(this.#id)
      return native.synchronize(this.device.id)
    }
    // One communicator is used by one stream at a time.
    if (!this.#stream) return finish()
    let done: Promise<void> | undefined
    this.#stream.use(() => {
      done = finish()
    })
    await Promise.all([done, this.device.synchronize()])
  }

  /** What runs, and all that follows, fails with ERR_COMMUNICATION and this reason. From then on the other members fail, too. */
  abort(reason: string): void {
    native.abortCommunicator(this.#id, reason)
  }

  /** Ends the group when what was enqueued has run. */
  close(): void {
    if (this.#stream) this.#stream.use(() => native.closeCommunicator(this.#id))
    else native.closeCommunicator(this.#id)
  }
}

/** The address in digits. */
async function addressOf(host: string): Promise<string> {
  try {
    return (await lookup(host)).address
  } catch (cause) {
    throw new AuroraError({
      code: 'ERR_COMMUNICATION',
      message: 'the host has no address',
      expected: 'an address or a name of this machine, which the others reach it at',
      found: `'${host}': ${(cause as Error).message}`,
      cause,
    })
  }
}

/** This process's place in the group. */
function placeIn({ name, ranks, rank, kind }: GroupOptions): number {
  const place = ranks.indexOf(rank)
  const wrong = (expected: string, found: string) =>
    new AuroraError({ code: 'ERR_INVALID_ARGUMENT', message: `group '${name}'`, expected, found })
  if (
    ranks.length === 0 ||
    new Set(ranks).size !== ranks.length ||
    !ranks.every(member => Number.isInteger(member) && member >= 0)
  )
    throw wrong('different ranks of the world as its members', `[${ranks.join(', ')}]`)
  if (place < 0) throw wrong(`this process's rank, ${rank}, among its members`, `[${ranks.join(', ')}]`)
  if (kind === 'single' && ranks.length > 1)
    throw wrong("kind 'gloo' or 'nccl' for several members", `'single' for ${ranks.length}`)
  return place
}
