/** pass@k: the probability that at least one of k samples for a problem is right (Chen et al. 2021). */
import { AuroraError } from '../../errors.ts'

/**
 * Unbiased estimate from n samples of which c are right: 1 − C(n−c, k) / C(n, k), as the product 1 − Π (1 − k/i) over
 * i = n−c+1 … n, which neither overflows nor cancels. Needs 0 ≤ c ≤ n and 1 ≤ k ≤ n.
 */
export function passAtK(n: number, c: number, k: number): number {
  if (![n, c, k].every(Number.isInteger) || c < 0 || c > n || k < 1 || k > n) {
    throw new AuroraError({
      code: 'ERR_INVALID_ARGUMENT',
      message: 'passAtK: bad counts',
      expected: '0 ≤ c ≤ n and 1 ≤ k ≤ n',
      found: `n = ${n}, c = ${c}, k = ${k}`,
    })
  }
  if (n - c < k) return 1
  let allWrong = 1
  for (let i = n - c + 1; i <= n; i++) allWrong *= 1 - k / i
  return 1 - allWrong
}
