/** One row: our work, its peers and the machine's peak, timed in turn. */
import { type ProbeKind, probe } from '../../src/ops/index.ts'
import { scope, zeros } from '../../src/tensor/index.ts'
import type { Setting } from './question.ts'
import type { Row } from './report.ts'
import { type Contender, interleave, medianRatio, spreadOf } from './timing.ts'

/** Pieces of probed work for each thread: some tens of milliseconds of arithmetic. */
const pieces = 64

/** What is held against which of the machine's peaks. */
export type PeakName = 'f32' | 'bf16' | 'read' | 'copy' | 'update'

export interface Work {
  what: string
  of: PeakName
  /** FLOPs or bytes of one run. */
  amount: number
  /** Does it, and gives its seconds. */
  run: () => Promise<number>
  peers?: readonly Contender[]
  repeats: number
}

export type MeasuredRow = Row & Required<Pick<Row, 'time' | 'share' | 'peers' | 'numbers'>>

/**
 * Times the work, its peers and the probe of the peak in turn: what else the machine does meanwhile slows all of them alike, so
 * that shares and ratios keep.
 */
export async function measure(setting: Setting, { what, of, amount, run, peers = [], repeats }: Work): Promise<MeasuredRow> {
  const contenders = [{ name: 'aurora', run }, ...peers, { name: 'peak', run: () => timeProbe(setting, of) }]
  const seconds = await scope(() => interleave(contenders, repeats))
  const ours = seconds.get('aurora')!
  const time = spreadOf(ours)
  const unit = of === 'f32' || of === 'bf16' ? 'GFLOP/s' : 'GB/s'
  return {
    what,
    time,
    numbers: { [unit]: amount / time.median / 1e9 },
    share: { of, value: amount * medianRatio(seconds.get('peak')!, ours) },
    peers: Object.fromEntries(
      peers.map(({ name }) => {
        const theirs = seconds.get(name)!
        return [name, { ...spreadOf(theirs), ratio: medianRatio(theirs, ours) }]
      }),
    ),
  }
}

/** Seconds of one FLOP or byte at the machine's best. */
function timeProbe({ device, peaks, quick }: Setting, of: PeakName): Promise<number> {
  const isArithmetic = of === 'f32' || of === 'bf16'
  const kind: ProbeKind = of === 'f32' || (of === 'bf16' && !peaks.hasBf16) ? 'multiplyAdd' : of === 'bf16' ? 'dotBf16' : of
  return scope(async () => {
    const buffer = zeros([isArithmetic ? 0 : quick ? 2 ** 22 : 2 ** 27], { device })
    await device.synchronize()
    const started = performance.now()
    const work = probe(buffer, kind, (quick ? 4 : pieces) * device.info().threads)
    await device.synchronize()
    return (performance.now() - started) / 1000 / (await work.item())
  })
}
