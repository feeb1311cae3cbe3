import { appendFile, mkdtemp, readdir, readFile, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { crc32c, maskedCrc32c } from '../../src/train/crc32c.ts'
import { readScalarEvents, TensorBoardWriter } from '../../src/train/tensorboard.ts'

let folder = ''
test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aurora-tensorboard-'))
})
test.after.each(() => rm(folder, { recursive: true }))

test('crc32c matches the published check values', () => {
  assert.is(crc32c(Buffer.from('123456789')), 0xe3069283)
  // RFC 3720, B.4: 32 bytes of zeros, of ones, and 0 … 31.
  assert.is(crc32c(new Uint8Array(32)), 0x8a9136aa)
  assert.is(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43)
  assert.is(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e)
})

test('the first record is what TensorFlow writes for a file version', async () => {
  const writer = await TensorBoardWriter.open(folder, 0)
  await writer.close()
  const bytes = await readFile(writer.path)
  // Length 24 and its masked checksum, as at the start of every event file; then wall time, and the version as field 3.
  assert.equal(bytes.subarray(0, 12), Buffer.from('1800000000000000a37f4b22', 'hex'))
  assert.is(bytes[12], 0x09)
  assert.equal(bytes.subarray(21, 36), Buffer.from('\x1a\x0dbrain.Event:2', 'latin1'))
  assert.is(bytes.readUInt32LE(36), maskedCrc32c(bytes.subarray(12, 36)))
})

test('scalars come back', async () => {
  const writer = await TensorBoardWriter.open(folder, 0)
  await writer.write({ wallTime: 1.5, step: 1, scalars: { loss: 0.25, 'loss/fi': 8 } })
  await writer.write({ wallTime: 2.5, step: 300_000_000_000, scalars: { loss: Number.NaN } })
  await writer.close()
  const events = await readScalarEvents(writer.path)
  assert.equal(events[0], { wallTime: 1.5, step: 1, scalars: { loss: 0.25, 'loss/fi': 8 } })
  assert.is(events[1]!.step, 300_000_000_000)
  assert.ok(Number.isNaN(events[1]!.scalars.loss))
})

test('reopening removes later steps and a record cut short, and goes on in the same file', async () => {
  const first = await TensorBoardWriter.open(folder, 0)
  for (let step = 1; step <= 5; step++) await first.write({ wallTime: step, step, scalars: { loss: step } })
  await first.close()
  await truncate(first.path, (await readFile(first.path)).length - 3)

  const second = await TensorBoardWriter.open(folder, 4)
  assert.is(second.lastStep, 4)
  await second.write({ wallTime: 5, step: 5, scalars: { loss: 50 } })
  await second.close()
  assert.equal((await readdir(folder)).length, 1)
  assert.equal(
    (await readScalarEvents(second.path)).map(({ scalars }) => scalars.loss),
    [1, 2, 3, 4, 50],
  )

  const third = await TensorBoardWriter.open(folder, 2)
  await third.close()
  await appendFile(third.path, 'rubbish that is no record at all')
  const fourth = await TensorBoardWriter.open(folder, 9)
  await fourth.write({ wallTime: 3, step: 3, scalars: { loss: 3 } })
  await fourth.close()
  assert.equal(
    (await readScalarEvents(fourth.path)).map(({ step }) => step),
    [1, 2, 3],
  )
})

test.run()
