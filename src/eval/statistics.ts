/** How sure a measured number is: Wilson's interval for shares, the bootstrap for everything else. All 95 % unless said. */
import { AuroraError } from '../errors.ts'
import { Purpose, RandomStream, randomWords } from '../random/index.ts'

/** A measured value with its 95 % interval. */
export interface Interval {
  value: number
  low: number
  high: number
}

export interface BootstrapEstimate extends Interval {
  /** Standard deviation of the statistic over the resamples. */
  standardError: number
}

export interface BootstrapOptions {
  /** Default 0. The same seed draws the same resamples, so two runs on the same items are resampled alike. */
  seed?: number
  /** Number of resamples, default 1000. */
  resamples?: number
}

/** The 97.5 % quantile of the normal distribution: 95 % of it lies within ± this. */
const Z95 = 1.959963984540054

/**
 * Wilson's score interval for a share of `successes` in `n` trials: unlike ± 1.96 standard errors it holds for small n and
 * for shares at 0 or 1. With n = 0 nothing is known: value NaN, interval [0, 1].
 */
export function wilson(successes: number, n: number): Interval {
  if (!Number.isInteger(n) || n < 0 || !(successes >= 0 && successes <= n)) {
    throw new AuroraError({
      code: 'ERR_INVALID_ARGUMENT',
      message: 'wilson: bad counts',
      expected: '0 ≤ successes ≤ n',
      found: `${successes} of ${n}`,
    })
  }
  if (n === 0) return { value: Number.NaN, low: 0, high: 1 }
  const share = successes / n
  const z2 = Z95 * Z95
  const centre = (share + z2 / (2 * n)) / (1 + z2 / n)
  const half = (Z95 / (1 + z2 / n)) * Math.sqrt((share * (1 - share)) / n + z2 / (4 * n * n))
  return {
    value: share,
    low: successes === 0 ? 0 : Math.max(0, centre - half),
    high: successes === n ? 1 : Math.min(1, centre + half),
  }
}

/**
 * Percentile bootstrap over `n` items (documents, problems, prompts): the statistic is computed for the items themselves
 * and for resamples drawn from them with replacement.
 * @param statistic of the items with these indices (each in [0, n), repeated as drawn)
 */
export function bootstrap(
  n: number,
  statistic: (items: Int32Array) => number,
  options: BootstrapOptions = {},
): BootstrapEstimate {
  const { seed = 0, resamples = 1000 } = options
  const value = statistic(Int32Array.from({ length: n }, (_, i) => i))
  if (n === 0 || resamples < 2) return { value, low: Number.NaN, high: Number.NaN, standardError: Number.NaN }
  const random = new RandomStream(randomWords(seed, Purpose.bootstrap))
  const draw = new Int32Array(n)
  const values = new Float64Array(resamples)
  for (let r = 0; r < resamples; r++) {
    for (let i = 0; i < n; i++) draw[i] = random.below(n)
    values[r] = statistic(draw)
  }
  const centre = mean(values)
  let squares = 0
  for (const each of values) squares += (each - centre) ** 2
  values.sort()
  return {
    value,
    low: quantile(values, 0.025),
    high: quantile(values, 0.975),
    standardError: Math.sqrt(squares / (resamples - 1)),
  }
}

/** Bootstrap of the mean of per-item values. */
export function bootstrapMean(values: ArrayLike<number>, options?: BootstrapOptions): BootstrapEstimate {
  return bootstrap(
    values.length,
    items => {
      let sum = 0
      for (const i of items) sum += values[i]!
      return sum / items.length
    },
    options,
  )
}

/** Bootstrap of Σ numerators / Σ denominators, for ratios such as bits per byte whose items have unequal weight. */
export function bootstrapRatio(
  numerators: ArrayLike<number>,
  denominators: ArrayLike<number>,
  options?: BootstrapOptions,
): BootstrapEstimate {
  return bootstrap(
    numerators.length,
    items => {
      let above = 0
      let below = 0
      for (const i of items) {
        above += numerators[i]!
        below += denominators[i]!
      }
      return above / below
    },
    options,
  )
}

/**
 * Mean of after − before over the same items, with its bootstrap interval: items are drawn in pairs, so what all models find
 * hard cancels. Two measurements differ at the 95 % level when the interval leaves out 0.
 */
export function pairedDifference(
  before: ArrayLike<number>,
  after: ArrayLike<number>,
  options?: BootstrapOptions,
): BootstrapEstimate {
  if (before.length !== after.length) {
    throw new AuroraError({
      code: 'ERR_INVALID_ARGUMENT',
      message: 'pairedDifference: the measurements are not of the same items',
      expected: `${before.length} values`,
      found: `${after.length}`,
    })
  }
  return bootstrapMean(
    Float64Array.from(before, (value, i) => after[i]! - value),
    options,
  )
}

function mean(values: Float64Array): number {
  let sum = 0
  for (const value of values) sum += value
  return sum / values.length
}

/** Linear interpolation between the order statistics of ascending `values`. */
function quantile(values: Float64Array, share: number): number {
  const place = share * (values.length - 1)
  const below = Math.floor(place)
  const above = Math.min(below + 1, values.length - 1)
  return values[below]! + (values[above]! - values[below]!) * (place - below)
}
