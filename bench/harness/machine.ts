/** The machine a benchmark runs on, and the speeds its results are held against. */
import { spawnSync } from 'node:child_process'
import { cpus, totalmem } from 'node:os'
import type { ProbeKind } from '../../src/ops/index.ts'
import { type Device, device } from '../../src/tensor/index.ts'
import { measureRate } from '../../src/train/index.ts'

export interface Machine {
  cpu: string
  /** Logical processors that the system shows. */
  processors: number
  memoryBytes: number
  instructionSet: string
  /** Threads that the kernels use. */
  threads: number
  node: string
  /** Of the checkout, with "+" when it has changes. */
  commit: string
}

export function describeMachine(on: Device = device()): Machine {
  const { instructionSet, threads } = on.info()
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    processors: cpus().length,
    memoryBytes: totalmem(),
    instructionSet,
    threads,
    node: process.version,
    commit: commit(),
  }
}

function commit(): string {
  const git = (...args: string[]) => spawnSync('git', args, { encoding: 'utf8', cwd: import.meta.dirname }).stdout?.trim() ?? ''
  const head = git('rev-parse', '--short', 'HEAD')
  if (head === '') return 'unknown'
  return git('status', '--porcelain', '--untracked-files=no') === '' ? head : `${head}+`
}

/** FLOP or bytes per second, on one thread and on all. */
export interface Rates {
  one: number
  all: number
}

export interface Peaks {
  /** f32 multiply-adds in registers. */
  f32: Rates
  /** Dot products of bf16 pairs; where the machine has no instruction for them, bf16 is computed in f32, and this is the f32 peak. */
  bf16: Rates
  hasBf16: boolean
  /** Bytes read. */
  read: Rates
  /** Bytes read plus bytes written, to other memory and past the caches. */
  copy: Rates
  /** Bytes read plus bytes written, in place. */
  update: Rates
  /** Processors that other programs kept busy meanwhile: above a tenth or so, no number of this run is the machine's own. */
  busyElsewhere: number
}

/** Starts counting; what it returns says how many processors other programs have kept busy on average since. */
function watchOthers(): () => number {
  const busy = () => cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1000
  const own = () => (process.cpuUsage().user + process.cpuUsage().system) / 1e6
  const [started, before] = [performance.now(), busy() - own()]
  return () => Math.max(0, (busy() - own() - before) / ((performance.now() - started) / 1000))
}

export async function measurePeaks(quick: boolean): Promise<Peaks> {
  const others = watchOthers()
  const options = { bytes: quick ? 2 ** 27 : 2 ** 29 }
  const rates = async (kind: ProbeKind): Promise<Rates> => ({
    one: await measureRate('cpu', kind, { ...options, threads: 'one' }),
    all: await measureRate('cpu', kind, options),
  })
  const f32 = await rates('multiplyAdd')
  const bf16 = await rates('dotBf16')
  const hasBf16 = bf16.all > 0
  const peaks = {
    f32,
    bf16: hasBf16 ? bf16 : f32,
    hasBf16,
    read: await rates('read'),
    copy: await rates('copy'),
    update: await rates('update'),
    busyElsewhere: others(),
  }
  await device().trim()
  return peaks
}
