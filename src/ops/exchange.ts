import type { Tensor } from '../tensor/index.ts'

/**
 * The exchanges around products of which each rank of a tensor-parallel group computes a part. Under sequence parallelism a rank has, between
 * such products, only some rows of a matrix, one rank's after another's; otherwise it has all. The group of ranks implements it.
 */
export interface RowExchange {
  /** All rows of the matrix of which x has this rank's: x itself, or a fresh tensor. */
  gather(x: Tensor): Tensor
  /** Takes over this rank's share of all rows of a matrix, and gives this rank's rows of the sum of all shares. */
  reduce(share: Tensor): Tensor
}

/** The same beside arithmetic: a chunk of rows is exchanged while the next one is computed. */
export interface OverlappedExchange extends RowExchange {
  /** Rows of the whole matrix of which x has this rank's. */
  rowCount(x: Tensor): number
  /** Begins to gather. */
  gathering(x: Tensor): Gathering
  /** Calls `each` with all rows, some at a time, and the index of the first of them. Disposes of what `each` makes. */
  forRows(x: Tensor, each: (rows: Tensor, first: number) => void): void
  /**
   * This rank's rows of the sum of all ranks' [rows, width], of the dtype and on the device of `like`.
   * @param compute fills `part`, some rows of this rank's share, of which `first` is the index of the first. What it makes is disposed of
   * @param meanwhile enqueues work that needs neither, to go on beside the last exchange
   */
  sumOf(
    like: Tensor,
    size: [rows: number, width: number],
    compute: (part: Tensor, first: number) => void,
    meanwhile?: () => void,
  ): Tensor
}

export interface Gathering {
  /** All rows, once `wait` was called. */
  rows: Tensor
  /** What is enqueued from now on finds them there. */
  wait(): void
  /** Frees what was made for it. */
  dispose(): void
}

/** Calls `fn` with all rows of x, and frees them if they were gathered for it. */
export function withRows<T>(exchange: RowExchange, x: Tensor, fn: (rows: Tensor) => T): T {
  const rows = exchange.gather(x)
  try {
    return fn(rows)
  } finally {
    if (rows !== x) rows.dispose()
  }
}

/** Rows [first, first + count) of a matrix, on the same memory. */
export function rowsOf(x: Tensor, first: number, count: number): Tensor {
  const width = x.shape[1]!
  return x.view(first * width, [count, width])
}
