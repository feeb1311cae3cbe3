/** How the parameters of one layer are shared out over the ranks of a tensor-parallel group. */
import { sizeOf } from '../tensor/index.ts'

/**
 * - whole: every rank has all of it.
 * - rows, columns: cut along that axis, as evenly as multiples of `unit` allow (default 1).
 * - first: only the group's first rank has it.
 * - rowsAndShared: of the first `cut` rows each rank has its share (in multiples of `unit`), of the rest every rank has all.
 */
export type Split =
  | { kind: 'whole' }
  | { kind: 'rows' | 'columns'; unit?: number }
  | { kind: 'first' }
  | { kind: 'rowsAndShared'; cut: number; unit: number }

/** A rank among the `size` of its group. */
export interface Place {
  rank: number
  size: number
}

/** A rectangular part of a logical parameter that a rank holds contiguously. */
export interface Piece {
  /** First index along each axis of the logical parameter. */
  start: number[]
  size: number[]
  /** First element in the rank's own tensor. */
  offset: number
  /** Other ranks of the group hold it, too. */
  shared: boolean
}

/** The pieces of a logical parameter of that shape on one rank, in the order in which they lie there; none: the rank does not have it. */
export function piecesOf(split: Split, shape: readonly number[], place: Place): Piece[] {
  const whole: Piece = { start: shape.map(() => 0), size: [...shape], offset: 0, shared: place.size > 1 }
  switch (split.kind) {
    case 'whole':
      return [whole]
    case 'first':
      return place.rank === 0 ? [{ ...whole, shared: false }] : []
    case 'rows':
      return [along(whole, 0, share(shape[0]!, place, split.unit))]
    case 'columns':
      return [along(whole, 1, share(shape[1]!, place, split.unit))]
    case 'rowsAndShared': {
      const own = along(whole, 0, share(split.cut, place, split.unit))
      const rest = along(whole, 0, [split.cut, shape[0]! - split.cut])
      return [own, { ...rest, offset: sizeOf(own.size), shared: place.size > 1 }]
    }
  }
}

/** The shape of the rank's own tensor: pieces lie under each other. */
export function localShape(pieces: readonly Piece[]): number[] {
  const [rows, ...rest] = pieces[0]!.size
  return [pieces.slice(1).reduce((sum, { size }) => sum + size[0]!, rows!), ...rest]
}

/** Of `count` things in a row those of one rank: [first, how many]. */
export function share(count: number, { rank, size }: Place, unit = 1): [first: number, length: number] {
  const cut = (r: number) => Math.floor((Math.floor(count / unit) * r) / size) * unit
  const end = rank + 1 === size ? count : cut(rank + 1)
  return [cut(rank), end - cut(rank)]
}

function along(piece: Piece, axis: number, [first, length]: [number, number]): Piece {
  const replaced = (values: readonly number[], value: number) => values.map((old, i) => (i === axis ? value : old))
  return { start: replaced(piece.start, first), size: replaced(piece.size, length), offset: 0, shared: false }
}
