/** The plan's predictions beside published and measured runs, with what was fitted kept apart from what is forecast. */
import { planLayout } from './layout.ts'
import { type Machine, type MachineShares, mi250xLumi } from './machines.ts'
import { measuredRuns } from './measured.ts'
import { type PublishedRun, publishedRuns } from './published.ts'
import { fittedShares, type Software } from './shares.ts'
import { stepTime } from './time.ts'

export interface CalibrationRow extends Omit<PublishedRun, 'run'> {
  /** In the published unit; absent where the sources do not say what is needed. */
  predicted?: number
  /** Of the time of a step: predicted/published − 1. Above 0 the prediction is too slow. */
  error?: number
}

type Shares = Partial<MachineShares>

const runs: readonly PublishedRun[] = [...publishedRuns, ...measuredRuns]

/** All published and measured runs, predicted with the fitted shares of each row's software. */
export function calibrationTable(): CalibrationRow[] {
  return runs.map(({ run, ...row }) => {
    if (!run) return row
    const step = predict({ ...row, run }, sharesOf(row.software))
    const seconds = secondsOf({ ...row, run })
    const predicted = row.published.unit === 'seconds a step' ? step : (row.published.value * seconds) / step
    return { ...row, predicted, error: step / seconds - 1 }
  })
}

const sharesOf = (software: Software): Shares =>
  software in fittedShares ? fittedShares[software as keyof typeof fittedShares] : {}

/** Seconds of a step of a published run, with some shares of its machine replaced. */
function predict({ run }: PublishedRun, shares: Shares): number {
  const { config, batch, layout, machine = mi250xLumi, dtype = 'bf16', attention = 'unfused' } = run!
  const tuned: Machine = { ...machine, shares: { ...machine.shares, ...shares } }
  return stepTime(config, batch, planLayout(config, batch, layout), tuned, { dtype, attention }).step
}

/** The published seconds of a step. */
function secondsOf({ published: { value, unit }, run, devices }: PublishedRun): number {
  const { sequences, length } = run!.batch
  if (unit === 'seconds a step') return value
  return unit === 'sequences/s' ? sequences / value : (sequences * length) / devices / value
}

/**
 * Finds `fittedShares` anew from the rows marked 'fit': each gemm share makes one row exact. Megatron-DeepSpeed's link share is the
 * one with which then its other row is exact too.
 */
export function fitShares(): Record<keyof typeof fittedShares, { gemm: number; link?: number }> {
  const fitted = (software: Software) => runs.filter(run => run.use === 'fit' && run.software === software)
  const tooSlow = (run: PublishedRun, shares: Shares) => predict(run, shares) > secondsOf(run)
  const gemmFor = (run: PublishedRun, more: Shares = {}) => bisect(gemm => tooSlow(run, { ...more, gemm }))
  const [small, large] = fitted('Megatron-DeepSpeed')
  const link = bisect(value => tooSlow(large!, { gemm: gemmFor(small!, { link: value }), link: value }))
  return {
    'Megatron-DeepSpeed': { gemm: gemmFor(small!, { link }), link },
    'BigCode Megatron-LM': { gemm: gemmFor(fitted('BigCode Megatron-LM')[0]!, { link }), link },
    'aurora-m': { gemm: gemmFor(fitted('aurora-m')[0]!) },
  }
}

/** The share in (0.05, 1) at which `isTooLow` turns false. */
function bisect(isTooLow: (share: number) => boolean): number {
  let [low, high] = [0.05, 1]
  for (let step = 0; step < 16; step++) {
    const middle = (low + high) / 2
    if (isTooLow(middle)) low = middle
    else high = middle
  }
  return (low + high) / 2
}
