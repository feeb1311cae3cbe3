import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { SafetensorsReader, writeSafetensors } from '../../src/checkpoint/index.ts'
import { duplicateKey } from '../../src/checkpoint/untrusted.ts'
import { AuroraError } from '../../src/errors.ts'
import { temporaryFolder } from '../support/folder.ts'
import { random } from '../support/random.ts'
import { refuses } from '../support/refuses.ts'

const folder = temporaryFolder()
let files = 0

/** Writes a file from a header text and data, and returns its path. */
function file(header: string | Uint8Array, data: Uint8Array = new Uint8Array(0), length?: bigint): string {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header
  const bytes = new Uint8Array(8 + json.length + data.length)
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(json.length), true)
  bytes.set(json, 8)
  bytes.set(data, 8 + json.length)
  const path = join(folder, `${files++}.safetensors`)
  writeFileSync(path, bytes)
  return path
}

const entry = (begin: number, end: number, dtype = 'F32', shape: unknown = [(end - begin) / 4]) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
})

test('what is written is read back: bytes, shapes, order and metadata', async () => {
  const path = join(folder, 'round.safetensors')
  const half = Uint8Array.of(0, 0x3c, 0, 0xc0)
  await writeSafetensors(
    path,
    [
      { name: 'z "quoted" ☃', dtype: 'F16', shape: [2, 1], data: async () => half },
      { name: 'empty', dtype: 'I64', shape: [3, 0], data: () => new Uint8Array(0) },
      { name: 'scalar', dtype: 'F64', shape: [], data: () => new Uint8Array(8).fill(7) },
    ],
    { format: 'pt', note: 'ä' },
  )
  const reader = await SafetensorsReader.open(path)
  assert.equal(reader.names, ['z "quoted" ☃', 'empty', 'scalar'])
  assert.equal(reader.info('empty'), { dtype: 'I64', shape: [3, 0], bytes: 0 })
  assert.equal(reader.metadata, { format: 'pt', note: 'ä' })
  assert.equal(await reader.readBytes('z "quoted" ☃'), half)
  assert.equal(await reader.readBytes('scalar'), new Uint8Array(8).fill(7))
  assert.is((readFileSync(path).readUInt32LE(0) + 8) % 8, 0, 'the data is aligned')
  await refuses(() => reader.info('none'), 'ERR_CHECKPOINT_MISSING', /none/)
  await reader.close()
})

test('hostile headers are refused', async () => {
  const data = new Uint8Array(8)
  const cases: [header: string | Uint8Array, message: RegExp, data?: Uint8Array, length?: bigint][] = [
    ['{}', /length/, new Uint8Array(0), 2n ** 63n],
    ['{}', /length/, new Uint8Array(0), 100_000_001n],
    ['[]', /object/],
    ['{"a":', /JSON/],
    [Uint8Array.of(0x7b, 0xff, 0x7d), /UTF-8/],
    ['\ufeff{}', /JSON/],
    [
      '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
      /twice/,
      data,
    ],
    [
      '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
      /twice/,
      data,
    ],
    ['{"a":{"dtype":"F32","dtype":"U8","shape":[8],"data_offsets":[0,8]}}', /twice/, data],
    [JSON.stringify({ a: entry(0, 4), b: entry(2, 6) }), /overlaps/, data],
    [JSON.stringify({ a: entry(0, 4), b: entry(0, 4) }), /overlaps/, data],
    [JSON.stringify({ a: entry(0, 2, 'U8', [2]), b: entry(4, 8) }), /gap/, data],
    [JSON.stringify({ a: entry(0, 4) }), /length/, data],
    [JSON.stringify({ a: entry(0, 8, 'F32', [3]) }), /12 bytes/, data],
    [JSON.stringify({ a: entry(0, 8, 'F31', [2]) }), /dtype/, data],
    [JSON.stringify({ a: entry(0, 8, 'toString', [2]) }), /dtype/, data],
    [JSON.stringify({ a: entry(0, 8, 'U8', [-2, -4]) }), /shape/, data],
    [JSON.stringify({ a: entry(0, 8, 'U8', [2.5]) }), /shape/, data],
    [JSON.stringify({ a: entry(0, 8, 'U8', 'eight') }), /shape/, data],
    [JSON.stringify({ a: entry(0, 0, 'U8', [2 ** 40, 2 ** 40, 0]) }), /NaN bytes/],
    [JSON.stringify({ a: entry(-4, 4, 'U8', [8]) }), /data_offsets/, data],
    [JSON.stringify({ a: 5 }), /ill-formed/, data],
    [JSON.stringify({ __metadata__: { x: 1 } }), /__metadata__/],
    [`${'['.repeat(200_000)}`, /JSON/],
  ]
  for (const [header, message, content, length] of cases) {
    await refuses(() => SafetensorsReader.open(file(header, content, length)), 'ERR_CHECKPOINT_HEADER', message)
  }
})

test('duplicates are found through escapes and depth, and only in one object; long strings are no trouble', () => {
  assert.is(duplicateKey('{"a\\"":1,"b\\\\":2,"a\\"" :3}'), 'a"')
  assert.is(duplicateKey('{"a":{"x":1},"b":{"x":1},"c":["a","a",{"y":[],"y"\n:1}]}'), 'y')
  assert.is(duplicateKey('{"a":{"x":"a"},"b":{"x":"{\\"a"},"c":["a","a","b:"]}'), undefined)
  for (const text of ['a'.repeat(20_000_000), '\\n'.repeat(10_000_000)]) assert.is(duplicateKey(`{"${text}":1,"b":2}`), undefined)
})

test('a file with any bytes changed is read or refused, nothing else', async () => {
  const path = file(JSON.stringify({ __metadata__: { a: 'b' }, x: entry(0, 8), y: entry(8, 8, 'U8', [0]) }), new Uint8Array(8))
  const good = readFileSync(path)
  for (let i = 0; i < 1500; i++) {
    const bytes = Buffer.from(good)
    for (let k = random.below(3); k >= 0; k--)
      bytes[random.below(bytes.length)] = random.below(3) ? 0x20 + random.below(96) : random.below(256)
    writeFileSync(path, random.below(5) ? bytes : bytes.subarray(0, random.below(bytes.length)))
    try {
      const reader = await SafetensorsReader.open(path)
      for (const name of reader.names) assert.is((await reader.readBytes(name)).length, reader.info(name).bytes)
      await reader.close()
    } catch (error) {
      assert.ok(error instanceof AuroraError, `${error}`)
    }
  }
})

test('names that JavaScript gives a meaning are names like others', async () => {
  const reader = await SafetensorsReader.open(
    file('{"__proto__":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}', new Uint8Array(8)),
  )
  assert.equal(reader.names, ['__proto__'])
  assert.is((await reader.readBytes('__proto__')).length, 8)
  await reader.close()
})

test('files that are short, shrink, are absent or are no files are errors', async () => {
  const path = file(JSON.stringify({ a: entry(0, 400) }), new Uint8Array(400))
  const reader = await SafetensorsReader.open(path)
  truncateSync(path, 300)
  await refuses(() => reader.readBytes('a'), 'ERR_FILE_TRUNCATED', /ends too early/)
  await reader.close()
  await refuses(() => SafetensorsReader.open(path), 'ERR_FILE_TRUNCATED')
  await refuses(() => SafetensorsReader.open(join(folder, 'absent')), 'ERR_FILE_NOT_FOUND', /absent/)
  await refuses(() => SafetensorsReader.open(folder), 'ERR_FILE_KIND')
  writeFileSync(join(folder, 'short'), 'abc')
  await refuses(() => SafetensorsReader.open(join(folder, 'short')), 'ERR_FILE_TRUNCATED')
})

test('a failing write leaves the old file and nothing else', async () => {
  const path = join(folder, 'kept', 'a.safetensors')
  const good = { name: 'a', dtype: 'U8', shape: [2], data: () => Uint8Array.of(1, 2) } as const
  await writeSafetensors(path, [good])
  const before = readFileSync(path)
  await refuses(
    () => writeSafetensors(path, [good, { ...good, name: 'b', data: () => new Uint8Array(3) }]),
    'ERR_CHECKPOINT_SHAPE',
    /3/,
  )
  await refuses(() => writeSafetensors(path, [good, good]), 'ERR_CHECKPOINT_NAME', /"a"/)
  await refuses(() => writeSafetensors(path, [{ ...good, shape: [2.5] }]), 'ERR_CHECKPOINT_SHAPE')
  assert.equal(readFileSync(path), before)
  assert.equal(readdirSync(join(folder, 'kept')), ['a.safetensors'])
})

test.run()
