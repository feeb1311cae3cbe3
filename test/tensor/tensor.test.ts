import { setTimeout } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Purpose, randomWords } from '../../src/random/index.ts'
import {
  accumulate,
  copy,
  device,
  empty,
  fill,
  full,
  randomNormal,
  randomUniform,
  scope,
  Tensor,
  tensor,
  zeros,
} from '../../src/tensor/index.ts'
import { dot, sum } from '../support/reference.ts'

const live = () => device().memory().tensors

test('values come back as they went in, in the array type of their dtype', () =>
  scope(async () => {
    for (const values of [
      Float32Array.of(1.5, -2, 3e38),
      Int32Array.of(-5, 7),
      Uint16Array.of(0, 65535),
      Uint8Array.of(3, 255, 0),
    ]) {
      const x = tensor(values)
      assert.equal(await x.read(), values)
      assert.equal(new Uint8Array(await x.readBytes()), new Uint8Array(values.buffer))
    }
    assert.equal(await tensor([1, 2.5, -3]).read(), Float32Array.of(1, 2.5, -3))
    assert.equal(await tensor([1, 2], [2], { dtype: 'i32' }).read(), Int32Array.of(1, 2))
  }))

test('bf16 rounds to nearest, ties to even', () =>
  scope(async () => {
    const x = tensor([1, 1 + 1 / 256, 1 + 3 / 256, 1.0045, -3.3], [5], { dtype: 'bf16' })
    assert.equal(await x.read(), Float32Array.of(1, 1, 1 + 1 / 64, 1.0078125, -3.296875))
    assert.is((await x.readBytes()).byteLength, 10)
  }))

test('bytes from files: f16, bf16 and f32 into f32', () =>
  scope(async () => {
    const x = empty([3])
    x.writeBytes(new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x0001).buffer), 'f16')
    assert.equal(await x.read(), Float32Array.of(1, -2, 2 ** -24))
    x.writeBytes(new Uint8Array(Uint16Array.of(0x3f80, 0xc000, 0x0001).buffer), 'bf16')
    assert.equal((await x.read()).subarray(0, 2), Float32Array.of(1, -2))
    assert.throws(() => x.writeBytes(new Uint8Array(3), 'f32'))
  }))

test('views and reshapes share memory, which lives until the last of them', () =>
  scope(async () => {
    const x = tensor([1, 2, 3, 4, 5, 6], [2, 3])
    const row = x.view(3, [3])
    const matrix = x.reshape([3, 2])
    row.write([7, 8, 9])
    x.dispose()
    assert.equal(await matrix.read(), Float32Array.of(1, 2, 3, 7, 8, 9))
    assert.throws(() => matrix.reshape([4]), /number of elements/)
    assert.throws(() => matrix.view(4, [3]))
  }))

test('fill, copy with conversion, accumulate, full, item', () =>
  scope(async () => {
    const x = full([3], 2.5)
    const y = zeros([3], { dtype: 'i32' })
    copy(x, y)
    assert.equal(await y.read(), Int32Array.of(2, 2, 2))
    accumulate(x, tensor([1, 2, 3]))
    assert.equal(await x.read(), Float32Array.of(3.5, 4.5, 5.5))
    fill(x, -1)
    assert.equal(await x.read(), Float32Array.of(-1, -1, -1))
    assert.is(await x.view(0, [1]).item(), -1)
    await x.item().then(
      () => assert.unreachable(),
      error => assert.is(error.code, 'ERR_SHAPE'),
    )
  }))

test('random tensors: moments, and the same values for the same words', () =>
  scope(async () => {
    const random = randomWords(11, Purpose.test)
    const size = 20011
    const normal = await randomNormal([size], { mean: 2, std: 3, random }).read()
    const mean = sum(normal) / size
    assert.ok(Math.abs(mean - 2) < 0.1, `mean ${mean}`)
    const std = Math.sqrt(dot(normal, normal) / size - mean ** 2)
    assert.ok(Math.abs(std - 3) < 0.1, `std ${std}`)
    const uniform = await randomUniform([size], { low: -1, high: 3, random }).read()
    assert.ok(Math.min(...uniform) >= -1 && Math.max(...uniform) < 3)
    assert.equal(await randomNormal([size], { mean: 2, std: 3, random }).read(), normal)
  }))

test('a disposed tensor is an error, a second dispose is not', () => {
  const before = live()
  const x = tensor([1, 2])
  x.dispose()
  x.dispose()
  x[Symbol.dispose]()
  assert.is(live(), before)
  assert.throws(
    () => x.write([3, 4]),
    (error: { code?: string }) => error.code === 'ERR_DISPOSED',
  )
})

test('one device object a name; unknown devices are refused', () => {
  assert.is(device(), device('cpu'))
  assert.is(device(device()), device())
  assert.throws(() => device('abacus'))
  assert.is(device().info().name, 'cpu')
})

test('streams: work on another one, ordered by an event', () =>
  scope(async () => {
    const stream = device().createStream()
    const x = empty([1000])
    const main = device().createStream()
    const filled = main.use(() => {
      fill(x, 3)
      return main.record()
    })
    stream.waitFor(filled)
    const y = stream.use(() => {
      const copied = empty([1000])
      copy(x, copied)
      return copied
    })
    assert.is((await stream.use(() => ({ pending: y.read() })).pending)[999], 3)
    assert.throws(() => stream.use(async () => {}), /synchronous/)
  }))

test('a scope frees what it does not return, nested and on errors', () => {
  const before = live()
  const kept = scope(() => {
    const a = tensor([1])
    const inner = scope(() => ({
      b: tensor([2]),
      list: [tensor([3])],
      gone: undefined as Tensor | undefined,
      hidden: tensor([4]).size,
    }))
    assert.is(live(), before + 3)
    assert.not.ok(a.disposed)
    return inner.list
  })
  assert.is(live(), before + 1)
  assert.instance(kept[0], Tensor)
  kept[0]!.dispose()
  assert.throws(() =>
    scope(() => {
      tensor([1])
      throw new Error('inside')
    }),
  )
  assert.is(live(), before)
})

test('an asynchronous scope follows awaits, and scopes that overlap in time stay apart', async () => {
  const before = live()
  const work = async (pause: number) =>
    scope(async () => {
      tensor([1])
      await setTimeout(pause)
      const result = tensor([pause])
      tensor([2])
      await setTimeout(pause)
      return result
    })
  const results = await Promise.all([work(3), work(1), work(2)])
  assert.is(live(), before + 3)
  assert.equal(await Promise.all(results.map(result => result.item())), [3, 1, 2])
  for (const result of results) result.dispose()
  await scope(async () => {
    tensor([1])
    await setTimeout(1)
    throw new Error('inside')
  }).catch(() => {})
  assert.is(live(), before)
})

test('retained memory outlives dispose', async () => {
  const before = live()
  const x = tensor([5])
  x.retain()
  x.dispose()
  assert.is(live(), before + 1)
  assert.not.ok(x.disposed)
  assert.is(await x.item(), 5)
  x.release()
  assert.ok(x.disposed)
  assert.is(live(), before)
})

test('forgotten tensors are freed once the collector finds them', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const before = live()
  for (let i = 0; i < 500; i++) tensor([i])
  for (let turn = 0; turn < 50 && live() > before; turn++) {
    collect()
    await setTimeout(5)
  }
  assert.ok(live() <= before, `${live() - before} tensors left`)
})

test.run()
