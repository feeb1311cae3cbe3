/**
 * The operations in float64 and plain TypeScript, written from their formulas and as slowly as it takes to be obviously right.
 * Only forward: derivatives are taken numerically, so that a wrong derivation cannot be copied into its own check.
 */

/** Row-major values of a tensor of any shape. */
export type Values = Float64Array

export type Activation = 'none' | 'gelu' | 'geluTanh'

/** y [N, F] = activation(x [N, D] · weight [F, D]ᵀ + bias [F]). */
export function linear(
  x: Values,
  weight: Values,
  bias: Values | undefined,
  width: number,
  activation: Activation = 'none',
): Values {
  const [rows, outputs] = [x.length / width, weight.length / width]
  const y = new Float64Array(rows * outputs)
  for (let n = 0; n < rows; n++) {
    for (let f = 0; f < outputs; f++) {
      let z = bias ? bias[f]! : 0
      for (let d = 0; d < width; d++) z += x[n * width + d]! * weight[f * width + d]!
      y[n * outputs + f] = activate(z, activation)
    }
  }
  return y
}

export function activate(z: number, activation: Activation): number {
  if (activation === 'gelu') return (z / 2) * (1 + erf(z / Math.SQRT2))
  if (activation === 'geluTanh') return (z / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (z + 0.044715 * z ** 3)))
  return z
}

/** Maclaurin series for small arguments, the continued fraction of erfc for large ones: about 1e-15. */
export function erf(x: number): number {
  if (x < 0) return -erf(-x)
  if (x < 3) {
    let term = x
    let sum = x
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum) && n < 200; n++) {
      term *= -(x * x) / n
      sum += term / (2 * n + 1)
    }
    return (2 / Math.sqrt(Math.PI)) * sum
  }
  let fraction = 0
  for (let n = 60; n >= 1; n--) fraction = n / 2 / (x + fraction)
  return 1 - Math.exp(-x * x) / (Math.sqrt(Math.PI) * (x + fraction))
}

/** y = (h − mean)·rstd·gamma + beta, rows over `width`. */
export function layerNorm(h: Values, gamma: Values, beta: Values, width: number, epsilon: number): Values {
  const y = new Float64Array(h.length)
  for (let start = 0; start < h.length; start += width) {
    const row = h.subarray(start, start + width)
    const mean = row.reduce((sum, value) => sum + value, 0) / width
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width
    const rstd = 1 / Math.sqrt(variance + epsilon)
    for (let d = 0; d < width; d++) y[start + d] = (row[d]! - mean) * rstd * gamma[d]! + beta[d]!
  }
  return y
}

export interface Heads {
  heads: number
  keyHeads: number
  width: number
}

/** Offsets of head h's query, key and value in a row of the fused projection. */
function headOffsets({ heads, keyHeads, width }: Heads, h: number): { query: number; key: number; value: number } {
  if (keyHeads === 1 && heads !== 1) return { query: h * width, key: heads * width, value: (heads + 1) * width }
  return { query: 3 * h * width, key: (3 * h + 1) * width, value: (3 * h + 2) * width }
}

/** Causal attention of row i to rows firstRow[i] … i. `dropped(h, i, j)` multiplies a softmax weight. */
export function attention(
  qkv: Values,
  firstRow: ArrayLike<number>,
  layout: Heads,
  scale: number,
  dropped: (head: number, i: number, j: number) => number = () => 1,
): Values {
  const { heads, keyHeads, width } = layout
  const rowWidth = (heads + 2 * keyHeads) * width
  const rows = qkv.length / rowWidth
  const y = new Float64Array(rows * heads * width)
  for (let h = 0; h < heads; h++) {
    const { query, key, value } = headOffsets(layout, h)
    for (let i = 0; i < rows; i++) {
      const scores: number[] = []
      for (let j = firstRow[i]!; j <= i; j++) {
        let score = 0
        for (let k = 0; k < width; k++) score += qkv[i * rowWidth + query + k]! * qkv[j * rowWidth + key + k]!
        scores.push(scale * score)
      }
      const top = Math.max(...scores)
      const total = scores.reduce((sum, score) => sum + Math.exp(score - top), 0)
      for (let j = firstRow[i]!; j <= i; j++) {
        const weight = (Math.exp(scores[j - firstRow[i]!]! - top) / total) * dropped(h, i, j)
        for (let k = 0; k < width; k++) y[(i * heads + h) * width + k]! += weight * qkv[j * rowWidth + value + k]!
      }
    }
  }
  return y
}

/** losses[n] = logsumexp(z_n) − z_n[target]; 0 for negative targets. */
export function crossEntropy(h: Values, weight: Values, targets: ArrayLike<number>, width: number): Values {
  const logits = linear(h, weight, undefined, width)
  const classes = weight.length / width
  return Float64Array.from(Array.from(targets), (target, n) => {
    if (target < 0) return 0
    const row = logits.subarray(n * classes, (n + 1) * classes)
    const top = Math.max(...row)
    return top + Math.log(row.reduce((sum, z) => sum + Math.exp(z - top), 0)) - row[target]!
  })
}

/** h[n] = tokenTable[tokens[n]] + positionTable[positions[n]]. */
export function embedding(
  tokens: ArrayLike<number>,
  positions: ArrayLike<number>,
  tokenTable: Values,
  positionTable: Values,
  width: number,
): Values {
  return Float64Array.from(
    { length: tokens.length * width },
    (_, i) =>
      tokenTable[tokens[Math.floor(i / width)]! * width + (i % width)]! +
      positionTable[positions[Math.floor(i / width)]! * width + (i % width)]!,
  )
}

/** d objective / d x by central differences; `objective` reads x, which is put back. */
export function numericGradient(x: Values, objective: () => number): Values {
  const gradient = new Float64Array(x.length)
  for (let i = 0; i < x.length; i++) {
    const value = x[i]!
    const step = 1e-5 * Math.max(1, Math.abs(value))
    x[i] = value + step
    const above = objective()
    x[i] = value - step
    const below = objective()
    x[i] = value
    gradient[i] = (above - below) / (2 * step)
  }
  return gradient
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

export function sum(values: ArrayLike<number>): number {
  let total = 0
  for (let i = 0; i < values.length; i++) total += values[i]!
  return total
}

/** ‖out − expected‖ / ‖expected‖; the plain norm of `out` when the expected one is 0. */
export function relativeError(out: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (out.length !== expected.length) return Number.POSITIVE_INFINITY
  let difference = 0
  for (let i = 0; i < out.length; i++) difference += (out[i]! - expected[i]!) ** 2
  const norm = dot(expected, expected)
  return Math.sqrt(norm > 0 ? difference / norm : difference)
}
