import type { Tensor } from '../tensor/index.ts'

/**
 * What surrounds a product whose weight is cut into rows of which each rank has some: how the ranks' shares of the input's gradient
 * become the gradient. Under sequence parallelism each rank has also only some rows of the input. The group of ranks implements it.
 */
export interface RowExchange {
  /** All rows of the product's input: x itself, or a fresh tensor of the rows of all ranks. */
  gather(x: Tensor): Tensor
  /**
   * Takes over this rank's share of the gradient of all rows, and gives the gradient of x.
   * @param meanwhile enqueues work that needs neither, to go on beside the exchange
   */
  reduce(share: Tensor, meanwhile?: () => void): Tensor
}

/** Calls `fn` with all rows of x, and frees them if they were gathered for it. */
export function withRows<T>(exchange: RowExchange | undefined, x: Tensor, fn: (rows: Tensor) => T): T {
  const rows = exchange?.gather(x) ?? x
  try {
    return fn(rows)
  } finally {
    if (rows !== x) rows.dispose()
  }
}
