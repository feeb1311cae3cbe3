import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { probe } from '../../src/ops/index.ts'
import { full, zeros } from '../../src/tensor/index.ts'
import { measurePeak, measureRate } from '../../src/train/index.ts'

test('a probe says how much it did', async () => {
  const buffer = full([1000], 2)
  assert.is(await probe(buffer, 'read', 3).item(), 4000)
  assert.is(await probe(buffer, 'copy', 3).item(), 4000)
  assert.is(await probe(buffer, 'update', 3).item(), 8000)
  assert.is((await buffer.read())[999], -2)
  assert.is(await probe(buffer, 'multiplyAdd', 0).item(), 0)
  assert.ok((await probe(zeros([0]), 'multiplyAdd', 2).item()) > 1e6)
})

test('rates: one thread is not faster than all, and no kind of work is free', async () => {
  const one = await measureRate('cpu', 'multiplyAdd', { threads: 'one' })
  const all = await measureRate('cpu', 'multiplyAdd')
  // A busy machine may give one thread more than its share of two; it cannot give it twice as much.
  assert.ok(one > 1e8 && one < 2 * all, `${one} and ${all} FLOP per second`)
  for (const kind of ['read', 'copy', 'update'] as const) {
    const rate = await measureRate('cpu', kind, { bytes: 2 ** 26 })
    assert.ok(rate > 1e8 && rate < 1e13, `${kind}: ${rate} bytes per second`)
  }
  assert.ok((await measurePeak('cpu', 'bf16')) > 0)
})

test.run()
