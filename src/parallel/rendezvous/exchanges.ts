/** The coordinator's part of exchanges: what each rank of a set gives under a key is kept until all have given, and goes to all. */
import { memberLimits } from './connection.ts'
import { FrameError } from './frames.ts'

export interface Gift {
  rank: number
  /** The giver's number for the reply. */
  call: number
  key: string
  /** The set, ascending; undefined: all. */
  ranks?: readonly number[]
  payload: Uint8Array
}

type Reply = (rank: number, header: object, payload: Uint8Array) => void

export class Exchanges {
  readonly #everybody: readonly number[]
  readonly #open = new Map<string, { gifts: Map<number, Gift>; bytes: number }>()

  constructor(size: number) {
    this.#everybody = Array.from({ length: size }, (_, rank) => rank)
  }

  /** @throws FrameError for a set that is none, or without the giver. */
  give(gift: Gift, reply: Reply): void {
    const { rank, key } = gift
    const ranks = gift.ranks ?? this.#everybody
    const known = (each: number, i: number) => each < this.#everybody.length && (i === 0 || each > ranks[i - 1]!)
    if (gift.ranks && !(ranks.includes(rank) && ranks.every(known))) {
      throw new FrameError('an exchange among ranks that are no set')
    }
    const name = JSON.stringify([key, gift.ranks])
    const open = this.#open.get(name) ?? { gifts: new Map<number, Gift>(), bytes: 0 }
    this.#open.set(name, open)
    const { gifts } = open
    if (gifts.has(rank)) throw new FrameError('an exchange that is under way was begun again')
    gifts.set(rank, gift)
    open.bytes += gift.payload.length
    if (open.bytes > memberLimits.payload) throw new FrameError(`an exchange of more than ${memberLimits.payload} bytes`)
    if (gifts.size < ranks.length) return
    this.#open.delete(name)
    const inOrder = ranks.map(each => gifts.get(each)!)
    const sizes = inOrder.map(({ payload }) => payload.length)
    const all = Buffer.concat(inOrder.map(({ payload }) => payload))
    for (const each of inOrder) reply(each.rank, { kind: 'given', call: each.call, sizes }, all)
  }

  /** The key of an exchange that cannot end without that rank. */
  waitingFor(rank: number): string | undefined {
    for (const { gifts } of this.#open.values()) {
      const [first] = gifts.values()
      if ((first!.ranks?.includes(rank) ?? true) && !gifts.has(rank)) return first!.key
    }
    return undefined
  }
}
