/** `aurora plan` as a person calls it. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { temporaryFolder } from '../support/folder.ts'
import { aurora, recipeFolder } from './support.ts'

const run =
  '--model starcoderbase-15b --machine mi250x-lumi --devices 256 --tensor 4 --pipeline 4 --sequences 2048 --length 2048'.split(
    ' ',
  )

test('a plan names layout, memory, time, communication, schedule and result', async () => {
  const { code, out, err } = await aurora(['plan', ...run, '--tokens', '435e9'])
  assert.is(code, 0, err)
  assert.match(out, /15\.5 G parameters, 40 layers/)
  assert.match(out, /tensor 4 × pipeline 4 × data 16, sequence parallel, ZeRO-1/)
  assert.match(out, /4\.19 M tokens a step; 128 micro-batches of 1/)
  assert.match(out, /fits: .* of 58\.9 GiB usable/)
  assert.match(out, /reduce-scatter of gradients/)
  assert.match(out, /MFU \d+\.\d %/)
  assert.match(out, /435 G tokens: \d+\.\d days/)
  const rows = out.split('\n').filter(line => line.startsWith('rank '))
  assert.is(rows.length, 4)
  for (const row of rows) assert.is(row.length, 100)
  assert.match(rows[3]!, /^rank 3 {2}·+█/)
  assert.not.match(out, /∛/)
})

test('--explain prints formulas; --json the whole plan as numbers that agree with each other', async () => {
  assert.match((await aurora(['plan', ...run, '--explain'])).out, /2·m·n·k FLOPs at peak/)
  const { out } = await aurora(['plan', ...run, '--json', '--tokens', '4194304'])
  const plan = JSON.parse(out)
  assert.is(plan.memory.length, 4)
  assert.is(plan.layout.data, 16)
  assert.ok(Math.abs(plan.time.tokensPerSecond * plan.time.step - 2048 * 2048) < 1)
  assert.ok(Math.abs(plan.run.days * 86_400 - plan.time.step) < 1e-6)
  const whole = JSON.parse(
    (await aurora(['plan', ...run, '--json', '--no-zero', '--no-sequence-parallel', '--checkpointing'])).out,
  )
  assert.equal([whole.layout.zero, whole.layout.sequenceParallel, whole.layout.checkpointing], [false, false, true])
  assert.ok(whole.memory[0].moments > 15 * plan.memory[0].moments)
})

test('--picture writes a whole SVG with a bar a step', async () => {
  const picture = join(temporaryFolder(), 'schedule.svg')
  const { code, err } = await aurora(['plan', ...run, '--sequences', '128', '--chunks', '2', '--picture', picture])
  assert.is(code, 0, err)
  const svg = await readFile(picture, 'utf8')
  assert.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/)
  // 8 micro-batches × 2 chunks × 4 ranks, forward and backward.
  assert.is(svg.match(/<title>(forward|backward) of micro-batch/g)?.length, 128)
})

test('--search shows the fastest first', async () => {
  const { code, out } = await aurora(['plan', ...run.slice(0, 6), ...run.slice(10), '--search', '5', '--json'])
  assert.is(code, 0)
  const { plans, possible, tooLarge } = JSON.parse(out) as { plans: { fits: boolean; time: { step: number } }[]; possible: number; tooLarge: number } // biome-ignore format: one line
  assert.is(plans.length, 5)
  assert.ok(possible > tooLarge)
  for (const [i, plan] of plans.entries()) assert.ok(plan.fits && (i === 0 || plan.time.step >= plans[i - 1]!.time.step))
})

test('--calibration keeps fits and forecasts apart', async () => {
  const { code, out } = await aurora(['plan', '--calibration'])
  assert.is(code, 0)
  const [fitted, forecast] = [out.indexOf('FITTED'), out.indexOf('FORECAST')]
  const at = (name: string) => out.indexOf(`\n ${name}`)
  for (const name of ['33B, 64', '175B, 128', '110M f32, two cores, AVX-512'])
    assert.ok(at(name) > fitted && at(name) < forecast, name)
  for (const name of ['7B, 32', '175B, 2048', 'Aurora-M', '5M f32']) assert.ok(at(name) > forecast, name)
})

test('a recipe on this machine; options win', async () => {
  const { recipe } = await recipeFolder(10)
  const { code, out, err } = await aurora(['plan', recipe, '--json'])
  assert.is(code, 0, err)
  const plan = JSON.parse(out)
  assert.is(plan.machine.name, 'cpu')
  assert.equal(plan.batch, { sequences: 4, length: 64 })
  assert.is(plan.dtype, 'f32')
  // Two stages of 10 steps of 4 × 64 tokens.
  assert.is(plan.run.tokens, 2 * 10 * 4 * 64)
  const other = JSON.parse((await aurora(['plan', recipe, '--json', '--machine', 'h100', '--data', '2', '--dtype', 'bf16'])).out)
  assert.equal([other.machine.name, other.devices, other.dtype, other.layout.data], ['h100', 2, 'bf16', 2])
})

test("a model's folder or config.json, and a machine of one's own", async () => {
  const folder = temporaryFolder()
  const config = { model_type: 'gpt_bigcode', vocab_size: 512, n_embd: 128, n_head: 4, n_layer: 2, n_positions: 128 }
  await writeFile(join(folder, 'config.json'), JSON.stringify(config))
  await writeFile(
    join(folder, 'machine.json'),
    JSON.stringify({ name: 'mine', memory: 8e9, peak: { bf16: 1e13, f32: 1e13 }, memoryBandwidth: 1e11, devicesPerNode: 1, network: { bandwidth: 1e9, latency: 1e-5 } }), // biome-ignore format: one line
  )
  const rest = ['--machine', join(folder, 'machine.json'), '--sequences', '8', '--length', '64']
  for (const model of [folder, join(folder, 'config.json')]) {
    const { code, out, err } = await aurora(['plan', '--model', model, ...rest])
    assert.is(code, 0, err)
    assert.match(out, /2 layers, width 128/)
    assert.match(out, /1 × mine/)
  }
})

test('nonsense is refused with what would be right', async () => {
  const fails = async (args: string[], message: RegExp) => {
    const { code, err } = await aurora(['plan', ...args])
    assert.is(code, 1, args.join(' '))
    assert.match(err, message)
  }
  await fails([], /--model is needed/)
  await fails(['--model', 'gpt-5'], /no model of this name[\s\S]*starcoderbase-15b/)
  await fails(run.slice(0, 2), /--sequences is needed/)
  await fails([...run.slice(0, 2), ...run.slice(10)], /--machine is needed[\s\S]*mi250x-lumi/)
  await fails([...run, '--machine', 'abacus'], /no machine of this name/)
  await fails([...run, '--sequences', '4e14'], /too many steps/)
  await fails([...run, '--devices', '100'], /tensor × pipeline × data = 100/)
  await fails([...run, '--tensor', '5', '--devices', '20'], /query heads cannot be divided/)
  await fails([...run, '--chunks', '3', '--sequences', '1040'], /multiple of 4 micro-batches/)
  await fails([...run, '--layers-per-stage', '10,10,10,11'], /4 counts of at least 1 that sum to 40/)
  for (const args of [
    ['--tokens', '-1'],
    ['--tensor', '0'],
    ['--layers-per-stage', '1,x'],
    ['--attention', 'slow'],
  ]) {
    assert.is((await aurora(['plan', ...run, ...args])).code, 2, args.join(' '))
  }
})

test.run()
