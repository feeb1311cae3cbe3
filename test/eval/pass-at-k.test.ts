import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { passAtK } from '../../src/eval/code/pass-at-k.ts'

function binomial(n: number, k: number): bigint {
  let value = 1n
  for (let i = 1; i <= k; i++) value = (value * BigInt(n - k + i)) / BigInt(i)
  return n < k ? 0n : value
}

/** 1 − C(n−c, k)/C(n, k) in exact integers, to 40 binary digits more than a double holds. */
function exact(n: number, c: number, k: number): number {
  const scale = 2n ** 92n
  const total = binomial(n, k)
  return Number(((total - binomial(n - c, k)) * scale) / total) / Number(scale)
}

test('equals the exact rational value', () => {
  let cases = 0
  for (const n of [1, 2, 5, 20, 100, 200]) {
    for (let c = 0; c <= n; c += Math.max(1, Math.floor(n / 7))) {
      for (let k = 1; k <= n; k += Math.max(1, Math.floor(n / 5))) {
        const expected = exact(n, c, k)
        assert.ok(Math.abs(passAtK(n, c, k) - expected) <= 1e-13 * Math.max(expected, 1e-2), `${n} ${c} ${k}`)
        cases++
      }
    }
  }
  assert.ok(cases > 100)
})

test('known values and edges', () => {
  assert.is(passAtK(10, 0, 5), 0)
  assert.is(passAtK(10, 10, 1), 1)
  assert.ok(Math.abs(passAtK(10, 3, 1) - 0.3) < 1e-15)
  assert.ok(Math.abs(passAtK(5, 2, 3) - 0.9) < 1e-15)
  assert.is(passAtK(5, 3, 3), 1)
  for (const [n, c, k] of [
    [5, 6, 1],
    [5, -1, 1],
    [5, 1, 6],
    [5, 1, 0],
    [5, 1.5, 1],
  ] as const) {
    assert.throws(() => passAtK(n, c, k), /counts/)
  }
})

test.run()
