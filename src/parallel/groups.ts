/** All groups that a rank communicates in. */
import type { Device } from '../tensor/index.ts'
import { type Exchange, Group } from './group.ts'
import { coordinatesOf, type GroupKind, groupOf, type ParallelLayout, rankOf } from './layout.ts'

/** Pipeline neighbours exchange in groups of two, one a direction: each has a stream of its own, so that nothing waits in a wrong order. */
export interface Links {
  /** Activations from the stage before, and to the one after. */
  forwardIn: Group
  forwardOut: Group
  /** Gradients from the stage after, and to the one before. */
  backwardIn: Group
  backwardOut: Group
}

export interface Groups {
  readonly layout: ParallelLayout
  /** Of the world. */
  readonly rank: number
  readonly tensor: Group
  readonly data: Group
  /** First and last stage, which both have the token table; undefined on others and without a pipeline. */
  readonly embedding: Group | undefined
  /** Undefined without a pipeline. */
  readonly links: Links | undefined
  /** Everything enqueued beside the device's current stream has run, or the first failure. */
  synchronize(): Promise<void>
  abort(reason: string): void
  close(): void
}

export interface ConnectOptions {
  rank: number
  device: Device
  /** Local address for connections of ranks. */
  host: string
  /** How long a collective may wait for another rank. */
  timeoutMs: number
  exchange: Exchange
}

/** Connects this rank with all groups it is in; every rank of the world calls it. */
export async function connectGroups(layout: ParallelLayout, options: ConnectOptions): Promise<Groups> {
  const { rank } = options
  const made: Group[] = []
  const connect = async (name: string, ranks: readonly number[]) => {
    const group = await Group.connect({ ...options, name, ranks })
    made.push(group)
    return group
  }
  const of = (kind: GroupKind) => {
    const ranks = groupOf(layout, kind, rank)
    return ranks && connect(`${kind} of rank ${ranks[0]}`, ranks)
  }
  try {
    const [tensor, data, embedding, links] = await Promise.all([
      of('tensor'),
      of('data'),
      of('embedding'),
      layout.pipeline > 1 ? connectLinks(layout, rank, connect) : undefined,
    ])
    return {
      layout,
      rank,
      tensor: tensor!,
      data: data!,
      embedding,
      links,
      async synchronize() {
        const beside = [tensor!, data!, links?.forwardOut, links?.backwardOut]
        await Promise.all(beside.map(group => group?.synchronize()))
      },
      abort(reason) {
        for (const group of made) group.abort(reason)
      },
      close() {
        for (const group of made) group.close()
      },
    }
  } catch (error) {
    for (const group of made) group.close()
    throw error
  }
}

async function connectLinks(
  layout: ParallelLayout,
  rank: number,
  connect: (name: string, ranks: readonly number[]) => Promise<Group>,
): Promise<Links> {
  const place = coordinatesOf(layout, rank)
  const at = (steps: number) =>
    rankOf(layout, { ...place, pipeline: (place.pipeline + steps + layout.pipeline) % layout.pipeline })
  const [before, after] = [at(-1), at(1)]
  const link = (direction: string, from: number, to: number) => connect(`${direction} ${from} to ${to}`, [from, to])
  const [forwardIn, forwardOut, backwardIn, backwardOut] = await Promise.all([
    link('forward', before, rank),
    link('forward', rank, after),
    link('backward', after, rank),
    link('backward', rank, before),
  ])
  return { forwardIn, forwardOut, backwardIn, backwardOut }
}
