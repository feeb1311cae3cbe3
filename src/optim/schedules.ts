/** Learning-rate schedules: pure functions of the step, so that a resumed run goes on with the same rates. */
import { AuroraError } from '../errors.ts'

export interface Schedule {
  /** The learning rate of step 0, 1, 2, … */
  at(step: number): number
  /** Kind and settings, for reports and checkpoints. */
  describe(): { schedule: string } & Record<string, unknown>
}

/** Always `lr`; after a linear warm-up over the first `warmup` steps, if given. */
export function constant(lr: number, options: { warmup?: number } = {}): Schedule {
  const { warmup = 0 } = options
  check('constant', { lr }, { warmup })
  return schedule('constant', { lr, warmup }, step => warm(step, warmup, lr) ?? lr)
}

export interface WarmupOptions {
  peak: number
  /** Rate after `steps`; default 0. */
  final?: number
  /** Steps of the linear rise to the peak: step warmup − 1 has it. Default 0. */
  warmup?: number
  /** Steps until the final rate, warm-up included. */
  steps: number
}

/** Warm-up to the peak, then a straight line to the final rate. */
export function linear(options: WarmupOptions): Schedule {
  return warmupThen('linear', options, progress => 1 - progress)
}

/** Warm-up to the peak, then half a cosine down to the final rate. */
export function warmupCosine(options: WarmupOptions): Schedule {
  return warmupThen('warmupCosine', options, cosine)
}

/**
 * Warm-up, stable, decay: the peak is held for `stable` steps, so that where to end may be decided late (arXiv 2404.06395);
 * the decay to the final rate takes the last `decay` steps, along a line or 1 − √progress.
 */
export function wsd(options: {
  peak: number
  final?: number
  warmup?: number
  stable: number
  decay: number
  shape?: 'linear' | 'sqrt'
}): Schedule {
  const { peak, final = 0, warmup = 0, stable, decay, shape = 'linear' } = options
  check('wsd', { peak, final }, { warmup, stable, decay })
  const remaining = shape === 'sqrt' ? (progress: number) => 1 - Math.sqrt(progress) : (progress: number) => 1 - progress
  return schedule('wsd', { peak, final, warmup, stable, decay, shape }, step => {
    const rising = warm(step, warmup, peak)
    if (rising !== undefined) return rising
    return final + (peak - final) * remaining(fraction(step - warmup - stable, decay))
  })
}

/**
 * Re-warming for a later stage (arXiv 2308.04014, 2403.08763): follows `before` until step `at`, rises from where that left
 * off to a new peak over `warmup` steps, and goes down half a cosine to `final` at step `steps`, counted from the run's start.
 */
export function rewarm(
  before: Schedule,
  options: { at: number; peak: number; final?: number; warmup: number; steps: number },
): Schedule {
  const { at, peak, final = 0, warmup, steps } = options
  check('rewarm', { peak, final }, { at, warmup, steps })
  const from = at > 0 ? before.at(at - 1) : 0
  return schedule('rewarm', { before: before.describe(), at, peak, final, warmup, steps }, step => {
    if (step < at) return before.at(step)
    const since = step - at
    if (since < warmup) return from + ((peak - from) * (since + 1)) / warmup
    return final + (peak - final) * cosine(fraction(since - warmup, steps - at - warmup))
  })
}

function warmupThen(name: string, options: WarmupOptions, remaining: (progress: number) => number): Schedule {
  const { peak, final = 0, warmup = 0, steps } = options
  check(name, { peak, final }, { warmup, steps })
  return schedule(
    name,
    { peak, final, warmup, steps },
    step => warm(step, warmup, peak) ?? final + (peak - final) * remaining(fraction(step - warmup, steps - warmup)),
  )
}

function schedule(name: string, settings: Record<string, unknown>, at: (step: number) => number): Schedule {
  return { at, describe: () => ({ schedule: name, ...settings }) }
}

/** The rate during warm-up, whose first step already learns. */
function warm(step: number, warmup: number, peak: number): number | undefined {
  return step < warmup ? (peak * (step + 1)) / warmup : undefined
}

/** How much of the way from peak to final is left: 1 at progress 0, 0 at 1. */
function cosine(progress: number): number {
  return (1 + Math.cos(Math.PI * progress)) / 2
}

/** part / whole, within [0, 1]; a way of no length has been gone. */
function fraction(part: number, whole: number): number {
  return part < 0 ? 0 : part >= whole ? 1 : part / whole
}

function check(name: string, rates: Record<string, number>, steps: Record<string, number>): void {
  const refuse = (field: string, expected: string, found: unknown) => {
    throw new AuroraError({ code: 'ERR_INVALID_ARGUMENT', message: `${name}: ${field}`, expected, found: String(found) })
  }
  for (const [field, rate] of Object.entries(rates)) if (!(Number.isFinite(rate) && rate >= 0)) refuse(field, 'a rate ≥ 0', rate)
  for (const [field, count] of Object.entries(steps))
    if (!(Number.isFinite(count) && count >= 0)) refuse(field, 'a number of steps ≥ 0', count)
}
