/** How a run is spread over ranks, and which ranks communicate. */
import { AuroraError } from '../errors.ts'

/** Sizes and switches of a parallel run. The world has tensor·pipeline·data ranks. */
export interface ParallelLayout {
  /** Ranks T that share each layer's matrices. */
  tensor: number
  /** Ranks P in a row, each with some of the layers. */
  pipeline: number
  /** Ranks D with the same weights and other sequences. */
  data: number
  /** Model chunks a pipeline rank: interleaved 1F1B when above 1. */
  chunks: number
  /** Between the tensor-parallel products, activations are split by rows over the tensor group. */
  sequenceParallel: boolean
  /** Chunks of rows in which tensor-parallel products are exchanged, one while the next is computed; for devices that do both at once. */
  tensorChunks: number
  /** ZeRO-1: moments and master weights are divided over the data group. */
  zero: boolean
}

/** A rank's place on the three axes. */
export interface Coordinates {
  tensor: number
  pipeline: number
  data: number
}

/** 'embedding': the first and last stage, which both use the tied token embedding; 'model': all that hold one copy of the model. */
export type GroupKind = 'tensor' | 'data' | 'pipeline' | 'embedding' | 'model'

/** One process with everything. */
export const singleLayout: ParallelLayout = {
  tensor: 1,
  pipeline: 1,
  data: 1,
  chunks: 1,
  sequenceParallel: false,
  tensorChunks: 1,
  zero: false,
}

type Sizes = Pick<ParallelLayout, 'tensor' | 'pipeline' | 'data'>

export const worldSize = ({ tensor, pipeline, data }: Sizes): number => tensor * pipeline * data

/** rank = tensor + T·(data + D·pipeline), as in Megatron: the tensor group's ranks are neighbours. */
export function rankOf(layout: Sizes, { tensor, pipeline, data }: Coordinates): number {
  return tensor + layout.tensor * (data + layout.data * pipeline)
}

/** The inverse of rankOf. Throws an AuroraError ERR_LAYOUT for a rank outside the world. */
export function coordinatesOf(layout: Sizes, rank: number): Coordinates {
  const size = worldSize(layout)
  if (!Number.isInteger(rank) || rank < 0 || rank >= size) {
    throw new AuroraError({
      code: 'ERR_LAYOUT',
      message: 'the rank is outside the world',
      expected: `0 … ${size - 1} (tensor ${layout.tensor} × pipeline ${layout.pipeline} × data ${layout.data})`,
      found: String(rank),
    })
  }
  return {
    tensor: rank % layout.tensor,
    data: Math.floor(rank / layout.tensor) % layout.data,
    pipeline: Math.floor(rank / (layout.tensor * layout.data)),
  }
}

/** Axes that the members of a group differ in. */
const spans: Readonly<Record<GroupKind, readonly (keyof Coordinates)[]>> = {
  tensor: ['tensor'],
  data: ['data'],
  pipeline: ['pipeline'],
  embedding: ['pipeline'],
  model: ['tensor', 'pipeline'],
}

/**
 * All groups of a kind, each as ranks of the world in rising order; groups in the order of their first rank. Every rank is in exactly
 * one group of a kind, except of 'embedding': there only ranks of the first and last stage are, and without a pipeline there is no such group.
 */
export function groupsOf(layout: Sizes, kind: GroupKind): number[][] {
  const groups: number[][] = []
  for (let rank = 0; rank < worldSize(layout); rank++) {
    const group = groupOf(layout, kind, rank)
    if (group?.[0] === rank) groups.push(group)
  }
  return groups
}

/** The rank's own group of a kind, or undefined when it is in none. */
export function groupOf(layout: Sizes, kind: GroupKind, rank: number): number[] | undefined {
  const place = coordinatesOf(layout, rank)
  const ends = layout.pipeline === 1 ? [] : [0, layout.pipeline - 1]
  if (kind === 'embedding' && !ends.includes(place.pipeline)) return undefined
  const along = (axis: keyof Coordinates) => {
    if (!spans[kind].includes(axis)) return [place[axis]]
    return kind === 'embedding' ? ends : Array.from({ length: layout[axis] }, (_, i) => i)
  }
  return along('pipeline').flatMap(pipeline =>
    along('data').flatMap(data => along('tensor').map(tensor => rankOf(layout, { tensor, pipeline, data }))),
  )
}
