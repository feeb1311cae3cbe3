/** Medians of interleaved repeats: the machine's moods fall on all contenders alike. */
import { setTimeout } from 'node:timers/promises'
import { type Device, scope } from '../../src/tensor/index.ts'

export interface Spread {
  median: number
  min: number
  max: number
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
  return { median, min: sorted[0]!, max: sorted.at(-1)! }
}

/** One that is timed: a run gives its seconds. */
export interface Contender {
  name: string
  run: () => Promise<number>
  /** Milliseconds until its threads have gone to sleep; the next contender waits for that. */
  settle?: number
}

/** Runs each contender once uncounted, then all in turn `repeats` times. The seconds of each, in that order. */
export async function interleave(contenders: readonly Contender[], repeats: number): Promise<Map<string, number[]>> {
  const seconds = new Map<string, number[]>(contenders.map(({ name }) => [name, []]))
  for (let repeat = -1; repeat < repeats; repeat++) {
    for (const { name, run, settle } of contenders) {
      const spent = await run()
      if (repeat >= 0) seconds.get(name)!.push(spent)
      if (settle) await setTimeout(settle)
    }
  }
  return seconds
}

/** Median over the repeats of how many times as long `others` took as `ours` beside it. */
export function medianRatio(others: readonly number[], ours: readonly number[]): number {
  return spreadOf(others.map((seconds, repeat) => seconds / ours[repeat]!)).median
}

/** Seconds of one call of `work`, which enqueues operations: `calls` are enqueued and waited for together. */
export async function timeCalls(on: Device, calls: number, work: () => void): Promise<number> {
  await on.synchronize()
  const started = performance.now()
  for (let call = 0; call < calls; call++) scope(work)
  await on.synchronize()
  return (performance.now() - started) / 1000 / calls
}

/** How many calls make a run of about `seconds`, for work of `flops` on a machine that does `rate` of them a second at best. */
export function callsFor(work: number, rate: number, seconds = 0.02): number {
  return Math.max(1, Math.round((seconds * rate) / work))
}
