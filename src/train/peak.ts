/** The speeds this device reaches when nothing is in its way, to hold a run's speed against. */
import { type ProbeKind, probe } from '../ops/index.ts'
import { type Device, type DType, device as deviceOf, scope, zeros } from '../tensor/index.ts'

/**
 * Pieces of work for each thread, or compute unit of a GPU, in one timed run: some tens of milliseconds (some milliseconds), so that no burst of the
 * clock is taken for the peak.
 */
const pieces = { cpu: 64, gpu: 16 }

/**
 * FLOP or bytes (read plus written) per second of one kind of work: the best of five runs. 0: the machine lacks the instruction.
 * @param options.threads 'all' (default), or 'one' (of a GPU: all or one of its compute units)
 * @param options.bytes of the buffer that memory is probed with, default 512 MiB: it must be much larger than the caches
 */
export async function measureRate(
  device: Device | string,
  kind: ProbeKind,
  options: { threads?: 'one' | 'all'; bytes?: number } = {},
): Promise<number> {
  const { threads = 'all', bytes = 2 ** 29 } = options
  const target = deviceOf(device)
  const ofMemory = kind !== 'multiplyAdd' && kind !== 'dotBf16'
  const { gpu, threads: ofHost } = target.info()
  const all = gpu ? pieces.gpu * Math.max(1, gpu.computeUnits) : pieces.cpu * ofHost
  const rounds = threads === 'one' ? 1 : Math.min(all, 65536)
  const calls = threads === 'one' && !ofMemory ? pieces.cpu : 1
  return scope(async () => {
    const buffer = zeros([ofMemory ? bytes / 4 : 0], { device: target })
    let best = 0
    for (let repeat = 0; repeat < 5; repeat++) {
      await target.synchronize()
      const started = performance.now()
      const works = Array.from({ length: calls }, () => probe(buffer, kind, rounds))
      await target.synchronize()
      const seconds = (performance.now() - started) / 1000
      best = Math.max(best, (calls * (await works[0]!.item())) / seconds)
    }
    return best
  })
}

/**
 * Peak FLOP per second, measured in about a third of a second: multiply-adds in registers on all threads, for bf16 dot products of
 * pairs. A share of it says how much of the machine's arithmetic training uses, whatever the kernels. A machine without the bf16
 * instruction computes bf16 in f32: there the f32 peak is bf16's too.
 */
export async function measurePeak(
  device: Device | string = 'cpu',
  dtype: Extract<DType, 'f32' | 'bf16'> = 'f32',
): Promise<number> {
  const pairs = dtype === 'bf16' ? await measureRate(device, 'dotBf16') : 0
  return pairs > 0 ? pairs : measureRate(device, 'multiplyAdd')
}
