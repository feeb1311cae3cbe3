import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { constant, linear, rewarm, warmupCosine, wsd } from '../../src/optim/index.ts'

const near = (found: number, expected: number) => assert.ok(Math.abs(found - expected) < 1e-12, `${found}, expected ${expected}`)

test('constant, with and without warm-up', () => {
  assert.is(constant(3e-4).at(0), 3e-4)
  assert.is(constant(3e-4).at(1e9), 3e-4)
  assert.equal([0, 1, 2, 3, 4].map(constant(1, { warmup: 4 }).at), [0.25, 0.5, 0.75, 1, 1])
})

test('linear: up to the peak, down to the final rate, and it stays there', () => {
  const schedule = linear({ peak: 1, final: 0.2, warmup: 2, steps: 10 })
  assert.equal([0, 1].map(schedule.at), [0.5, 1])
  near(schedule.at(2), 1)
  near(schedule.at(6), 0.6)
  near(schedule.at(10), 0.2)
  near(schedule.at(99), 0.2)
})

test('warmupCosine: the published run', () => {
  const schedule = warmupCosine({ peak: 1e-4, final: 1e-5, warmup: 2000, steps: 120_000 })
  near(schedule.at(0), 1e-4 / 2000)
  near(schedule.at(1999), 1e-4)
  near(schedule.at(61_000), 5.5e-5)
  near(schedule.at(120_000), 1e-5)
  for (let step = 2000; step < 120_000; step += 997) assert.ok(schedule.at(step + 1) < schedule.at(step))
  assert.equal(schedule.describe(), { schedule: 'warmupCosine', peak: 1e-4, final: 1e-5, warmup: 2000, steps: 120_000 })
})

test('wsd: holds the peak, then decays along a line or a root', () => {
  const line = wsd({ peak: 1, final: 0.1, warmup: 2, stable: 5, decay: 10 })
  assert.equal([0, 1, 2, 6, 7].map(line.at), [0.5, 1, 1, 1, 1])
  near(line.at(12), 0.55)
  near(line.at(17), 0.1)
  near(wsd({ peak: 1, stable: 0, decay: 4, shape: 'sqrt' }).at(1), 0.5)
  assert.is(wsd({ peak: 1, stable: 5, decay: 0 }).at(4), 1)
})

test('rewarm: from where the earlier stage ended, up and down again', () => {
  const before = warmupCosine({ peak: 1, final: 0.1, warmup: 0, steps: 10 })
  const schedule = rewarm(before, { at: 10, peak: 0.5, final: 0.01, warmup: 4, steps: 30 })
  for (let step = 0; step < 10; step++) assert.is(schedule.at(step), before.at(step))
  const from = before.at(9)
  near(schedule.at(10), from + (0.5 - from) / 4)
  near(schedule.at(13), 0.5)
  near(schedule.at(22), 0.255)
  near(schedule.at(30), 0.01)
  assert.equal(schedule.describe().before, before.describe())
})

test('bad settings are refused', () => {
  assert.throws(() => constant(-1), /a rate ≥ 0/)
  assert.throws(() => warmupCosine({ peak: Number.NaN, steps: 3 }), /peak/)
  assert.throws(() => linear({ peak: 1, steps: -3 }), /steps/)
})

test.run()
