/** How work flows through the add-on: ids, events, errors that come later, memory. */
import { setTimeout } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { native } from '../../src/native.ts'
import { cpu, dtype, errorOf, f32, readF32, rejectionOf, runScript } from './support.ts'

test('what is written is read, in every dtype', async () => {
  const cases = [
    [dtype.f32, Float32Array.of(1.5, -2, 0)],
    [dtype.i32, Int32Array.of(-7, 0, 2 ** 31 - 1)],
    [dtype.u16, Uint16Array.of(0, 1, 65535)],
    [dtype.u8, Uint8Array.of(0, 7, 255)],
  ] as const
  for (const [code, values] of cases) {
    const id = native.alloc(cpu, code, [3])
    native.write(id, values, code)
    const bytes = await native.read(id, code)
    assert.equal(new Uint8Array(bytes), new Uint8Array(values.buffer))
    native.free(id)
  }
})

test('views of typed arrays, Buffers and DataViews are written by their own bytes', async () => {
  const whole = Float32Array.of(9, 1, 2, 9)
  const id = native.alloc(cpu, dtype.f32, [2])
  for (const bytes of [whole.subarray(1, 3), Buffer.from(whole.buffer, 4, 8), new DataView(whole.buffer, 4, 8)]) {
    native.write(id, bytes, dtype.f32)
    assert.equal(await readF32(id), [1, 2])
  }
  const shared = new Float32Array(new SharedArrayBuffer(8))
  shared.set([3, 4])
  native.write(id, shared, dtype.f32)
  assert.equal(await readF32(id), [3, 4])
  native.free(id)
})

test('a write copies before it returns', async () => {
  const values = new Float32Array(1 << 16).fill(1)
  const id = native.alloc(cpu, dtype.f32, [values.length])
  native.write(id, values, dtype.f32)
  values.fill(2)
  assert.ok((await readF32(id)).every(x => x === 1))
  native.free(id)
})

test('detached and shrunken buffers are errors', () => {
  const id = native.alloc(cpu, dtype.f32, [2])
  const detached = new Float32Array(2)
  structuredClone(detached, { transfer: [detached.buffer] })
  assert.is(errorOf(() => native.write(id, detached, dtype.f32)).code, 'ERR_INVALID_ARGUMENT')
  // Resizable buffers: their types are newer than the library this project targets.
  const Resizable = ArrayBuffer as unknown as new (
    bytes: number,
    options: { maxByteLength: number },
  ) => ArrayBuffer & { resize(bytes: number): void }
  const buffer = new Resizable(8, { maxByteLength: 16 })
  for (const view of [
    new Float32Array(buffer, 0, 2),
    new Float32Array(buffer),
    new DataView(buffer, 0, 8),
    new DataView(buffer),
  ]) {
    buffer.resize(8)
    native.write(id, view, dtype.f32)
    buffer.resize(2)
    assert.match(errorOf(() => native.write(id, view, dtype.f32)).code, /ERR_(SHAPE|INVALID_ARGUMENT)/)
  }
  native.free(id)
})

test('a freed id is an error for ever, also when its slot is used again', () => {
  const stale = f32([1])
  native.free(stale)
  const next = f32([2])
  assert.is(next % 2 ** 32, stale % 2 ** 32, 'the slot is used again')
  assert.is.not(next, stale)
  for (const act of [
    () => native.free(stale),
    () => native.describe(stale),
    () => native.fill(stale, 0),
    () => native.view(stale, 0, [1]),
  ]) {
    const error = errorOf(act)
    assert.is(error.code, 'ERR_DISPOSED')
    assert.match(error.stack!, /work\.test\.ts/, "the error carries the caller's stack")
  }
  native.free(next)
})

test('views share memory, which lives until the last of them', async () => {
  const whole = f32([1, 2, 3, 4, 5, 6], [2, 3])
  const row = native.view(whole, 3, [3])
  assert.equal(native.describe(row), { dtype: dtype.f32, shape: [3], device: cpu })
  native.free(whole)
  native.fill(native.view(row, 1, [1]), 9)
  assert.equal(await readF32(row), [4, 9, 6])
  assert.is(errorOf(() => native.view(row, 2, [2])).code, 'ERR_SHAPE')
  native.free(row)
})

test('an asynchronous error rejects the next await once, with the stack of the call', async () => {
  const table = f32([1, 2, 3, 4], [2, 2])
  const rows = native.alloc(cpu, dtype.i32, [2])
  native.write(rows, Int32Array.of(0, 5), dtype.i32)
  const y = native.alloc(cpu, dtype.f32, [2, 2])
  function theCulprit() {
    native.gatherRows(table, rows, y)
  }
  theCulprit()
  const error = await rejectionOf(native.synchronize(cpu))
  assert.is(error.code, 'ERR_INDEX')
  assert.match(error.message, /^gatherRows: /)
  assert.match(error.stack!, /enqueued by:\n.*theCulprit/)
  await native.synchronize(cpu)

  theCulprit()
  assert.is((await rejectionOf(native.read(y, dtype.f32))).code, 'ERR_INDEX')
  for (const id of [table, rows, y]) native.free(id)
})

test('a failing Error.prepareStackTrace does not disturb a call', async () => {
  const table = f32([1, 2], [2, 1])
  const rows = native.alloc(cpu, dtype.i32, [1])
  native.write(rows, Int32Array.of(9), dtype.i32)
  const y = native.alloc(cpu, dtype.f32, [1, 1])
  const usual = Error.prepareStackTrace
  Error.prepareStackTrace = () => {
    throw new Error('no stack')
  }
  try {
    native.gatherRows(table, rows, y)
  } finally {
    Error.prepareStackTrace = usual
  }
  assert.is((await rejectionOf(native.synchronize(cpu))).code, 'ERR_INDEX')
  for (const id of [table, rows, y]) native.free(id)
})

test('getters that free a tensor while it is an argument', async () => {
  const y = f32([1, 2])
  const random = [1, 2, 3, 4] as [number, number, number, number]
  Object.defineProperty(random, 2, {
    get() {
      native.free(y)
      return 3
    },
  })
  assert.is(errorOf(() => native.randomNormal(y, 0, 1, random)).code, 'ERR_DISPOSED')
})

test('events order two streams', async () => {
  const second = native.createStream(cpu)
  const n = 1 << 20
  const x = native.alloc(cpu, dtype.f32, [n])
  const y = native.alloc(cpu, dtype.f32, [n])
  for (let round = 1; round <= 5; round++) {
    for (let i = 0; i < 20; i++) native.fill(x, i)
    native.fill(x, round)
    const written = native.recordEvent(cpu)
    const first = native.setStream(cpu, second)
    native.waitEvent(cpu, written)
    native.add(x, 2, 0, 0, y)
    const values = readF32(y)
    const read = native.recordEvent(cpu)
    native.setStream(cpu, first)
    native.waitEvent(cpu, read)
    native.waitEvent(cpu, read)
    assert.ok((await values).every(value => value === 2 * round))
  }
  assert.is(errorOf(() => native.waitEvent(cpu, 1e9)).code, 'ERR_INVALID_ARGUMENT')
  assert.is(errorOf(() => native.setStream(cpu, second + 1)).code, 'ERR_DEVICE')
  native.free(x)
  native.free(y)
})

test('statistics count live tensors exactly; freed memory is used again; trim gives it back', async () => {
  await native.trim(cpu)
  const before = native.memory(cpu)
  const ids = [1000, 24, 500_000].map(size => native.alloc(cpu, dtype.bf16, [size]))
  const during = native.memory(cpu)
  assert.is(during.allocated - before.allocated, 2 * 501_024)
  assert.is(during.tensors - before.tensors, 3)
  assert.ok(during.reserved >= during.allocated)
  for (const id of ids) native.free(id)
  const after = native.memory(cpu)
  assert.is(after.allocated, before.allocated)
  assert.is(after.reserved, during.reserved, 'freed memory is cached')
  for (let i = 0; i < 1000; i++) native.free(native.alloc(cpu, dtype.bf16, [500_000]))
  assert.is(native.memory(cpu).reserved, during.reserved, 'and used again')
  assert.ok(native.memory(cpu).peak >= during.allocated)
  native.resetPeak(cpu)
  assert.is(native.memory(cpu).peak, native.memory(cpu).allocated)
  await native.trim(cpu)
  assert.ok(native.memory(cpu).reserved < after.reserved, 'trim gives it back')
})

test('more memory than there is: an error, and the rest lives on', async () => {
  const x = f32([1, 2])
  const error = errorOf(() => native.alloc(cpu, dtype.f32, [2 ** 20, 2 ** 20]))
  assert.is(error.code, 'ERR_OUT_OF_MEMORY')
  assert.ok(error.hint)
  assert.equal(await readF32(x), [1, 2])
  native.free(x)
})

test('V8 knows of the memory outside its heap: forgotten tensors are collected in time', () => {
  // A thousand small objects alone would not bring the collector to work.
  const { stdout, stderr } = runScript(`
    const registry = new FinalizationRegistry(id => native.free(id))
    for (let i = 0; i < 1000; i++) {
      const id = native.alloc(cpu, dtype.u8, [2 << 20])
      registry.register({ id }, id)
      await new Promise(resolve => setImmediate(resolve))
    }
    console.log(native.memory(cpu).peak < 1000 << 20, native.memory(cpu).peak)
  `)
  assert.match(stdout, /^true/, stderr)
})

test('errors made before the data is looked at name what was expected and found', () => {
  const x = f32([1, 2, 3, 4], [2, 2])
  const y = native.alloc(cpu, dtype.f32, [2, 3])
  const error = errorOf(() => native.linear(x, x, 0, 0, y, 0))
  assert.is(error.code, 'ERR_SHAPE')
  assert.is(error.expected, 'y of shape [N, F] = [2, 2]')
  assert.is(error.found, '[2, 3]')
  assert.is(errorOf(() => native.add(x, NaN, 0, 0, x)).expected, 'a finite alpha')
  assert.is(errorOf(() => native.fill('1' as never, 0)).found, "'1'")
  assert.is(errorOf(() => native.openDevice('tpu')).code, 'ERR_DEVICE')
  native.free(x)
  native.free(y)
})

test('a stream count has a limit', () => {
  const { status, stdout, stderr } = runScript(`
    let count = 1
    try { for (;;) { native.createStream(cpu); count++ } } catch (error) { console.log(count, error.code) }
  `)
  assert.is(stdout.trim(), '64 ERR_DEVICE', stderr)
  assert.is(status, 0)
})

test('pending promises keep the process alive; queued work that nobody awaits does not', async () => {
  const work = `const x = native.alloc(cpu, dtype.f32, [1 << 22]);\nfor (let i = 0; i < 300; i++) native.fill(x, i)\n`
  const awaited = runScript(`${work}native.synchronize(cpu).then(() => console.log('done'))`)
  assert.is(awaited.stdout.trim(), 'done', awaited.stderr)
  const left = runScript(`${work.replace('300', '100_000')}process.on('exit', () => console.log('left'))`)
  assert.is(left.stdout.trim(), 'left', left.stderr)
  assert.is(left.status, 0)
})

test('the event loop is free while work runs', async () => {
  const x = native.alloc(cpu, dtype.f32, [1 << 22])
  for (let i = 0; i < 50; i++) native.fill(x, i)
  let done = false
  const finished = native.synchronize(cpu).then(() => {
    done = true
  })
  let turns = 0
  while (!done) {
    await setTimeout(1)
    turns++
  }
  await finished
  assert.ok(turns > 1, 'timers ran meanwhile')
  native.free(x)
})

test('AURORA_NUM_THREADS and AURORA_ISA: results are equal, wrong values are errors that name the choices', () => {
  const script = `
    const x = native.alloc(cpu, dtype.f32, [100_003]), out = native.alloc(cpu, dtype.f32, [1])
    native.randomNormal(x, 0, 1, [1, 2, 3, 4])
    native.l2Norm(x, out)
    console.log(native.deviceInfo(cpu).threads, Buffer.from(await native.read(out, 0)).toString('hex'))`
  const one = runScript(script, { AURORA_NUM_THREADS: '1' }).stdout.trim().split(' ')
  const three = runScript(script, { AURORA_NUM_THREADS: '3' }).stdout.trim().split(' ')
  assert.equal([one[0], three[0]], ['1', '3'])
  assert.is(one[1], three[1])
  const wrong = (env: Record<string, string>) => runScript('', env).stderr
  assert.match(wrong({ AURORA_NUM_THREADS: 'many' }), /AURORA_NUM_THREADS.*whole number/)
  assert.match(wrong({ AURORA_ISA: 'mmx' }), /AURORA_ISA.*generic/)
  const generic = runScript('console.log(native.deviceInfo(cpu).instructionSet)', { AURORA_ISA: 'generic' })
  assert.is(generic.stdout.trim(), 'generic', generic.stderr)
})

test.run()
