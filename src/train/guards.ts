/** The guard against steps that are not finite. */
import { AuroraError } from '../errors.ts'
import { expectInteger } from './checks.ts'

/** Counts skipped steps, and gives up after too many in a row. */
export class SkipGuard {
  /** Most skipped steps in a row that are borne; one more is an error. */
  readonly maxInRow: number
  inRow = 0
  total = 0

  constructor(maxInRow = 5) {
    expectInteger('maxSkipped', maxInRow, 0)
    this.maxInRow = maxInRow
  }

  pass(): void {
    this.inRow = 0
  }

  /** @throws AuroraError ERR_NOT_FINITE when this is one more than may be skipped in a row */
  skip(step: number, stage: string, loss: number, norm: number): void {
    this.inRow++
    this.total++
    if (this.inRow <= this.maxInRow) return
    throw new AuroraError({
      code: 'ERR_NOT_FINITE',
      message: `training has diverged at step ${step} (stage "${stage}"): ${this.inRow} steps in a row were skipped`,
      expected: 'finite loss and gradient norm',
      found: `loss ${loss}, gradient norm ${norm}`,
      hint: 'lower the learning rate, lengthen the warm-up or look at the data of these steps; the last checkpoint is intact',
    })
  }
}
