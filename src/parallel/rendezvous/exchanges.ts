/** The coordinator's part of exchanges: what each rank of a set gives under a key is kept until all have given, and goes to all. */
import { memberLimits } from './connection.ts'
import { FrameError } from './frames.ts'

export interface Gift {
  rank: number
  /** The giver's number for the reply. */
  call: number
  key: string
  /** The set, ascending. */
  ranks: readonly number[]
  payload: Uint8Array
}

type Reply = (rank: number, header: object, payload: Uint8Array) => void

export class Exchanges {
  readonly #size: number
  readonly #open = new Map<string, Map<number, Gift>>()

  constructor(size: number) {
    this.#size = size
  }

  /** @throws FrameError for a set that is none, or without the giver. */
  give(gift: Gift, reply: Reply): void {
    const { ranks, rank, key } = gift
    if (!ranks.includes(rank) || !ranks.every((each, i) => each < this.#size && (i === 0 || each > ranks[i - 1]!))) {
      throw new FrameError('an exchange among ranks that are no set')
    }
    const name = JSON.stringify([key, ranks])
    const gifts = this.#open.get(name) ?? new Map<number, Gift>()
    this.#open.set(name, gifts)
    if (gifts.has(rank)) throw new FrameError('an exchange that is under way was begun again')
    gifts.set(rank, gift)
    const bytes = [...gifts.values()].reduce((sum, { payload }) => sum + payload.length, 0)
    if (bytes > memberLimits.payload) throw new FrameError(`an exchange of more than ${memberLimits.payload} bytes`)
    if (gifts.size < ranks.length) return
    this.#open.delete(name)
    const inOrder = ranks.map(each => gifts.get(each)!)
    const sizes = inOrder.map(({ payload }) => payload.length)
    const all = Buffer.concat(inOrder.map(({ payload }) => payload))
    for (const each of inOrder) reply(each.rank, { kind: 'given', call: each.call, sizes }, all)
  }

  /** The key of an exchange that cannot end without that rank. */
  waitingFor(rank: number): string | undefined {
    for (const gifts of this.#open.values()) {
      const [first] = gifts.values()
      if (first!.ranks.includes(rank) && !gifts.has(rank)) return first!.key
    }
    return undefined
  }
}
