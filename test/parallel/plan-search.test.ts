/** The search: complete, within memory, in order. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { findMachine, knownModels, makePlan, searchLayouts, worldSize } from '../../src/parallel/index.ts'
import { refuses } from '../support/refuses.ts'

const config = knownModels.get('starcoderbase-7b')!
const batch = { sequences: 256, length: 2048 }

test('every plan fits, uses all devices, and is no faster than the one before', async () => {
  const machine = await findMachine('mi250x-lumi')
  const { plans, possible, tooLarge } = await searchLayouts({ config, batch, machine, devices: 16 })
  assert.ok(plans.length > 20 && tooLarge > 0)
  assert.is(plans.length + tooLarge, possible)
  for (const [i, { layout, memory, usable, fits, time }] of plans.entries()) {
    assert.is(worldSize(layout), 16)
    assert.ok(fits && memory.every(({ total }) => total <= usable))
    assert.ok(i === 0 || time.step >= plans[i - 1]!.time.step)
    assert.is(makePlan({ config, batch, machine, layout }).time.step, time.step)
  }
  const fastest = plans[0]!
  // It is at least as good as what one would write down first.
  const usual = makePlan({ config, batch, machine, layout: { ...fastest.layout, tensor: 4, pipeline: 2, data: 2, chunks: 1, layersPerStage: undefined, sequenceParallel: true, zero: true, microBatch: 1 } }) // biome-ignore format: one line
  assert.ok(usual.fits && fastest.time.step <= usual.time.step)
})

test('what is given is kept', async () => {
  const machine = await findMachine('h100')
  const fixed = { tensor: 2, microBatch: 4, checkpointing: true }
  const { plans } = await searchLayouts({ config, batch, machine, devices: 8, fixed })
  assert.ok(plans.length > 0)
  for (const { layout } of plans) assert.equal([layout.tensor, layout.microBatch, layout.checkpointing], [2, 4, true])
})

test('no possible layout is an error; none that fits is an empty list', async () => {
  const machine = await findMachine('h100')
  const search = (options: object) => searchLayouts({ config, batch, machine, devices: 8, ...options })
  await refuses(() => search({ devices: 43 }), 'ERR_LAYOUT', /cannot be divided over 43 devices/)
  await refuses(() => search({ devices: 2 ** 40 }), 'ERR_LAYOUT', /too large to be planned/)
  const { plans, possible } = await search({ machine: { ...machine, memory: 1e9 } })
  assert.ok(possible > 0)
  assert.is(plans.length, 0)
})

test('it can be stopped', async () => {
  const machine = await findMachine('h100')
  const stop = AbortSignal.abort(new Error('enough'))
  await searchLayouts({ config, batch, machine, devices: 8, signal: stop }).then(
    () => assert.unreachable(),
    error => assert.is((error as Error).message, 'enough'),
  )
})

test.run()
