/** What one optimizer step is known by, and how it is gathered from the micro-batches' per-token losses. */
import type { MemoryStats, Tensor } from '../tensor/index.ts'

export interface StepMetrics {
  /** Steps done so far, this one included: the first step is 1. */
  step: number
  stage: string
  /** Steps done in this stage, this one included. */
  stageStep: number
  /** Tokens read since the start of the run (rows of the batches; stage after stage). */
  tokens: number
  /** Mean loss in nats over the trained tokens of the global batch; NaN when the step had none that was finite. */
  loss: number
  /** The same mean over each domain's tokens; domains without a token in this batch are absent. */
  lossByDomain: Record<string, number>
  lr: number
  /** Norm of the gradient over all trainable parameters, before clipping. */
  gradNorm: number
  /** Loss or gradient were not finite, and parameters and optimizer state were left as they were. */
  skipped: boolean
  /** Such steps since the start of the run. */
  skippedSteps: number
  seconds: number
  tokensPerSecond: number
  /** Model FLOP per second: the model's arithmetic forward and backward, without recomputation. */
  modelFlops: number
  /** modelFlops as a share of the peak given to the trainer or measured by it; absent without a peak. */
  shareOfPeak?: number
  memory: MemoryStats
}

/** Per-row facts of a micro-batch that its losses are summed by. */
export interface LossRows {
  /** f32 [N], on the device. */
  losses: Tensor
  /** −1: not trained on. */
  targets: ArrayLike<number>
  /** Index into the batch's domains, a row. */
  domain: ArrayLike<number>
}

/** Sums of losses and numbers of tokens, a domain each. */
export interface LossTotals {
  sums: number[]
  counts: number[]
}

/** The mean loss over all tokens (NaN without one), and over those of each domain that has any. */
export function meanLosses(domains: readonly string[], { sums, counts }: LossTotals): Pick<StepMetrics, 'loss' | 'lossByDomain'> {
  const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0)
  const entries = domains.map((name, i) => [name, sums[i]! / counts[i]!] as const).filter((_, i) => counts[i]! > 0)
  return { loss: total(sums) / total(counts), lossByDomain: Object.fromEntries(entries) }
}

/**
 * Sums per-token losses of a global batch by domain, in float64 and in the order of the rows. It reads one micro-batch
 * behind: while the losses of one are waited for, the device already has the next to work on.
 */
export class LossMeter {
  readonly #sums: Float64Array
  readonly #counts: Float64Array
  #unread: LossRows | undefined

  /** @param domains how many there are */
  constructor(domains: number) {
    this.#sums = new Float64Array(domains)
    this.#counts = new Float64Array(domains)
  }

  /** Takes over a micro-batch's losses, and reads those of the one before. */
  async add(rows: LossRows): Promise<void> {
    const previous = this.#unread
    this.#unread = rows
    if (previous) await this.#read(previous)
  }

  /** Reads what is left; afterwards the sums are those of the whole batch. */
  async finish(): Promise<void> {
    const last = this.#unread
    this.#unread = undefined
    if (last) await this.#read(last)
  }

  /** Frees losses that were not read, when a step fails. */
  dispose(): void {
    this.#unread?.losses.dispose()
    this.#unread = undefined
  }

  /** Of what was read so far, by domain. */
  get totals(): LossTotals {
    return { sums: [...this.#sums], counts: [...this.#counts] }
  }

  async #read({ losses, targets, domain }: LossRows): Promise<void> {
    try {
      const values = await losses.read()
      for (let row = 0; row < values.length; row++) {
        if (targets[row]! < 0) continue
        this.#sums[domain[row]!]! += values[row]!
        this.#counts[domain[row]!]!++
      }
    } finally {
      losses.dispose()
    }
  }
}
