/** One row: a kernel's time, what it reaches of the device's peaks, and the least time that its arithmetic and its bytes leave. */
import { AuroraError } from '../../src/errors.ts'
import { type Device, scope } from '../../src/tensor/index.ts'
import { measureRate } from '../../src/train/peak.ts'
import type { Peer } from '../harness/peers.ts'
import type { Row } from '../harness/report.ts'
import { interleave, medianRatio, spreadOf, timeCalls } from '../harness/timing.ts'
import type { Stated } from './stated.ts'

/** FLOP or bytes per second, measured by the operation `probe`. */
export interface Rates {
  bf16: number
  f32: number
  read: number
  copy: number
  update: number
}
export type RateName = keyof Rates

export interface Bench {
  device: Device
  rates: Rates
  stated: Stated | undefined
  /** Tiny shapes, few repeats, no peers: shows that everything runs. */
  quick: boolean
  peer: Peer | undefined
  wanted: (what: string) => boolean
  note: (text: string) => void
}

export interface Case {
  what: string
  /** The peak it is held against: of its dtype's matrix products, or of reading, copying or changing memory. */
  of: RateName
  flops?: number
  /** That must be read and written at the least. */
  bytes: number
  work: () => void
  /** The same work in words of bench/peers/torch/gpu.py. */
  peer?: string
}

export async function measureRates(device: Device, quick: boolean): Promise<Rates> {
  const bytes = quick ? 2 ** 20 : 2 ** 31
  const rate = (kind: Parameters<typeof measureRate>[1]) => measureRate(device, kind, { bytes, threads: quick ? 'one' : 'all' })
  return {
    // One unit of the emulator is enough to show that the probe runs.
    bf16: quick ? 0 : await rate('dotBf16'),
    f32: quick ? 0 : await rate('multiplyAdd'),
    read: await rate('read'),
    copy: await rate('copy'),
    update: await rate('update'),
  }
}

/** Undefined when the device lacks the operation. */
export async function measureCase(bench: Bench, one: Case): Promise<Row | undefined> {
  const { device, quick } = bench
  try {
    scope(one.work)
  } catch (error) {
    if (!(error instanceof AuroraError) || error.code !== 'ERR_NOT_SUPPORTED') throw error
    bench.note(`${one.what}: ${device.name} does not have ${error.found}`)
    return undefined
  }
  const first = await timeCalls(device, 1, one.work)
  const calls = quick ? 1 : Math.min(1000, Math.max(1, Math.round(0.03 / first)))
  return contest(bench, one, calls, quick ? 1 : 7, () => timeCalls(device, calls, one.work))
}

/** Times `run` (seconds of one call) and the peer in turn. */
export async function contest(
  bench: Bench,
  one: Omit<Case, 'work'>,
  calls: number,
  repeats: number,
  run: () => Promise<number>,
): Promise<Row> {
  const { peer, rates, stated } = bench
  const peers = peer && one.peer ? [peer.contender(one.peer, calls)] : []
  const seconds = await interleave([{ name: 'aurora', run }, ...peers], repeats)
  const ours = seconds.get('aurora')!
  const time = spreadOf(ours)
  const floor = floorSeconds(one, stated)
  const arithmetic = one.of === 'bf16' || one.of === 'f32'
  const amount = arithmetic ? (one.flops ?? 0) : one.bytes
  return {
    what: one.what,
    time,
    numbers: {
      ...(one.flops ? { 'TFLOP/s': one.flops / time.median / 1e12 } : {}),
      ...(arithmetic ? {} : { 'GB/s': one.bytes / time.median / 1e9 }),
      ...(floor === undefined ? {} : { 'floor, µs': 1e6 * floor, '% of stated': (100 * floor) / time.median }),
    },
    ...(rates[one.of] > 0 ? { share: { of: one.of, value: amount / time.median / rates[one.of] } } : {}),
    peers: Object.fromEntries(
      peers.map(({ name }) => {
        const theirs = seconds.get(name)!
        return [name, { ...spreadOf(theirs), ratio: medianRatio(theirs, ours) }]
      }),
    ),
  }
}

/** The least time that the vendor's peaks leave: of arithmetic or of memory, whichever is more. */
export function floorSeconds(
  { of, flops = 0, bytes }: Pick<Case, 'of' | 'flops' | 'bytes'>,
  stated: Stated | undefined,
): number | undefined {
  if (!stated) return undefined
  return Math.max(flops / (of === 'f32' ? stated.f32 : stated.bf16), bytes / stated.bandwidth)
}
