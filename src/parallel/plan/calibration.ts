/** The plan's predictions beside published runs, with what was fitted kept apart from what is forecast. */
import { planLayout } from './layout.ts'
import type { Machine, MachineShares } from './machines.ts'
import { fittedShares, type PublishedRun, publishedRuns } from './published.ts'
import { stepTime } from './time.ts'

export interface CalibrationRow extends Omit<PublishedRun, 'run'> {
  /** In the published unit; absent where the sources do not say what is needed. */
  predicted?: number
  /** Of the time of a step: predicted/published − 1. Above 0 the prediction is too slow. */
  error?: number
}

/** All published runs, in their order, predicted for `machine` with the fitted shares of each row's software. */
export function calibrationTable(machine: Machine): CalibrationRow[] {
  return publishedRuns.map(({ run, ...row }) => {
    if (!run) return row
    const step = predict({ ...row, run }, machine, fittedShares[row.software]!)
    const { value, unit } = row.published
    const { sequences, length } = run.batch
    const amount = { 'seconds a step': 0, 'sequences/s': sequences, 'tokens/s a device': (sequences * length) / row.devices }
    if (unit === 'seconds a step') return { ...row, predicted: step, error: step / value - 1 }
    const predicted = amount[unit as keyof typeof amount] / step
    return { ...row, predicted, error: value / predicted - 1 }
  })
}

/** Seconds of a step of a published run, with given shares; attention as that software had it. */
function predict({ run }: PublishedRun, machine: Machine, shares: Pick<MachineShares, 'gemm' | 'link'>): number {
  const { config, batch, layout } = run!
  const tuned = { ...machine, shares: { ...machine.shares, ...shares } }
  return stepTime(config, batch, planLayout(config, batch, layout), tuned, { attention: 'unfused' }).step
}

/** The published seconds of a step. */
function secondsOf({ published: { value, unit }, run, devices }: PublishedRun): number {
  const { sequences, length } = run!.batch
  if (unit === 'seconds a step') return value
  return unit === 'sequences/s' ? sequences / value : (sequences * length) / devices / value
}

/**
 * Finds `fittedShares` anew from the rows marked 'fit': for Megatron-DeepSpeed the gemm and link shares with which both its rows are exact, for BigCode's
 * fork the gemm share with which its row is, at the same link share.
 */
export function fitShares(machine: Machine): Record<string, Pick<MachineShares, 'gemm' | 'link'>> {
  const fitted = publishedRuns.filter(({ use }) => use === 'fit')
  const [small, large] = fitted.filter(({ software }) => software === 'Megatron-DeepSpeed')
  const fork = fitted.find(({ software }) => software === 'BigCode Megatron-LM')!
  const tooSlow = (run: PublishedRun, gemm: number, link: number) => predict(run, machine, { gemm, link }) > secondsOf(run)
  const gemmFor = (run: PublishedRun, link: number) => bisect(gemm => tooSlow(run, gemm, link))
  const link = bisect(value => tooSlow(large!, gemmFor(small!, value), value))
  return {
    'Megatron-DeepSpeed': { gemm: gemmFor(small!, link), link },
    'BigCode Megatron-LM': { gemm: gemmFor(fork, link), link },
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
