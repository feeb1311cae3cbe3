/**
 * Rectangular blocks of logical tensors. A run in parallel holds each tensor in pieces, and which pieces depends on the layout; a
 * checkpoint speaks of the whole tensors and says of each stored piece where it lies in its tensor, so that any layout can read it.
 */
import { AuroraError } from '../errors.ts'
import type { DType, Tensor } from '../tensor/index.ts'
import { isLength } from './untrusted.ts'

/** A box of indices: along each axis `size` of them from `start` on. */
export interface Region {
  readonly start: readonly number[]
  readonly size: readonly number[]
}

/** A rectangular block of a logical tensor, held by one rank as a contiguous tensor. */
export interface Block extends Region {
  /** Of the logical tensor. */
  readonly name: string
  /** Of the logical tensor. */
  readonly shape: readonly number[]
  readonly dtype: DType
  /** As many elements as the block, in its row-major order; its own shape does not matter. */
  readonly tensor: Tensor
}

/** Number of elements. */
export function volume(size: readonly number[]): number {
  return size.reduce((product, length) => product * length, 1)
}

/** Whether a region is one of a tensor of `shape`. */
export function liesWithin({ start, size }: Region, shape: readonly number[]): boolean {
  if (start.length !== shape.length || size.length !== shape.length) return false
  return shape.every((length, axis) => isLength(start[axis]) && isLength(size[axis]) && start[axis] + size[axis] <= length)
}

/** What two regions of one tensor have in common; undefined when that is nothing. */
export function intersect(a: Region, b: Region): Region | undefined {
  const start = a.start.map((first, axis) => Math.max(first, b.start[axis]!))
  const size = start.map((first, axis) => Math.min(a.start[axis]! + a.size[axis]!, b.start[axis]! + b.size[axis]!) - first)
  return size.every(length => length > 0) ? { start, size } : undefined
}

/**
 * The elements [begin, end) of a block, counted in its row-major order, as blocks of the logical tensor: of a matrix at most three (the
 * end of a row, whole rows, the beginning of a row), of n axes at most 2n − 1. Element `offset` of the block is the first of each. So a
 * flat shard of ZeRO-1, whose element 0 is element `begin` of the block, holds each of them contiguously from `offset − begin` on.
 *
 * @param block `start` and `size` in the logical tensor
 * @throws AuroraError ERR_INVALID_ARGUMENT unless 0 ≤ begin ≤ end ≤ the block's elements
 */
export function blocksOfInterval(block: Region, begin: number, end: number): (Region & { readonly offset: number })[] {
  if (!(Number.isSafeInteger(begin) && Number.isSafeInteger(end) && begin >= 0 && begin <= end && end <= volume(block.size))) {
    throw new AuroraError({
      code: 'ERR_INVALID_ARGUMENT',
      message: 'blocksOfInterval: bad interval',
      expected: `0 ≤ begin ≤ end ≤ ${volume(block.size)}, the elements of [${block.size.join(', ')}]`,
      found: `[${begin}, ${end})`,
    })
  }
  const pieces: (Region & { offset: number })[] = []
  const cut = (axis: number, from: number, to: number, leading: readonly number[]) => {
    if (from >= to) return
    // Below `axis` the indices are fixed: [from, to) counts within what is left.
    const stride = volume(block.size.slice(axis + 1))
    const first = Math.ceil(from / stride)
    const last = Math.floor(to / stride)
    const emit = (start: readonly number[], length: number) => {
      const rest = block.size.slice(axis + 1)
      const own = [...start, ...block.start.slice(start.length)]
      const indices = own.map((index, i) => index - block.start[i]!)
      const offset = indices.reduce((sum, index, i) => sum * block.size[i]! + index, 0)
      pieces.push({ start: own, size: [...leading.map(() => 1), length, ...rest], offset })
    }
    const row = (index: number) => [...leading, block.start[axis]! + index]
    if (first > last) {
      const index = Math.floor(from / stride)
      cut(axis + 1, from - index * stride, to - index * stride, row(index))
      return
    }
    cut(axis + 1, from - (first - 1) * stride, stride, row(first - 1))
    if (last > first) emit(row(first), last - first)
    cut(axis + 1, 0, to - last * stride, row(last))
  }
  if (block.size.length === 0) return end > begin ? [{ start: [], size: [], offset: 0 }] : []
  cut(0, begin, end, [])
  return pieces
}

/** A region of `size` in pieces of at most `most` elements, each contiguous in row-major order, in that order. */
export function* slabs(size: readonly number[], most: number): Generator<Region & { readonly offset: number }> {
  const whole = { start: size.map(() => 0), size }
  const total = volume(size)
  let axis = 0
  while (axis < size.length && volume(size.slice(axis + 1)) > most) axis++
  // Whole rows of `axis` as far as the limit allows, and never across an index of the axes before it.
  const stride = volume(size.slice(axis + 1))
  const run = stride * (size[axis] ?? 1)
  const step = Math.max(1, Math.floor(most / stride)) * stride
  for (let block = 0; block < total; block += run) {
    for (let begin = block; begin < block + run; begin += step) {
      yield blocksOfInterval(whole, begin, Math.min(begin + step, block + run))[0]!
    }
  }
}

/** How regions fail to cover a tensor: an element that none or that two of them hold. */
export interface CoverFault {
  readonly kind: 'missing' | 'twice' | 'outside'
  /** Of an element concerned. */
  readonly at: readonly number[]
  /** Of the region concerned ('outside', 'twice'). */
  readonly region?: number
}

/**
 * The first fault found when `regions` should hold each element of a tensor of `shape` once; with `replicas`, once or more often.
 * Undefined: there is none.
 */
export function coverFault(shape: readonly number[], regions: readonly Region[], replicas = false): CoverFault | undefined {
  const outside = regions.findIndex(region => !liesWithin(region, shape))
  if (outside >= 0) return { kind: 'outside', at: regions[outside]!.start, region: outside }
  if (volume(shape) === 0) return undefined
  const solid = regions.map((_, i) => i).filter(i => volume(regions[i]!.size) > 0)
  return faultAlong(0, [], solid)

  /** Cuts along `axis` where regions begin or end; between two cuts the same regions are there. */
  function faultAlong(axis: number, leading: readonly number[], present: readonly number[]): CoverFault | undefined {
    const firstElement = [...leading, ...shape.slice(axis).map(() => 0)]
    if (present.length === 0) return { kind: 'missing', at: firstElement }
    if (present.every(i => isWhole(regions[i]!, axis))) {
      return present.length > 1 && !replicas ? { kind: 'twice', at: firstElement, region: present[1]! } : undefined
    }
    const begin = (i: number) => regions[i]!.start[axis]!
    const end = (i: number) => begin(i) + regions[i]!.size[axis]!
    const byStart = [...present].sort((a, b) => begin(a) - begin(b))
    const cuts = [...new Set([0, shape[axis]!, ...present.flatMap(i => [begin(i), end(i)])])].sort((a, b) => a - b)
    let active: number[] = []
    let next = 0
    for (const cut of cuts.slice(0, -1)) {
      active = active.filter(i => end(i) > cut)
      while (next < byStart.length && begin(byStart[next]!) <= cut) active.push(byStart[next++]!)
      const fault = faultAlong(axis + 1, [...leading, cut], active)
      if (fault) return fault
    }
    return undefined
  }

  /** Whether it holds everything along the axes from `axis` on: of no axis, an element. */
  function isWhole(region: Region, axis: number): boolean {
    return shape.every((length, a) => a < axis || region.size[a] === length)
  }
}
