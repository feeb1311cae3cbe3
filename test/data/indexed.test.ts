import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { IndexedDataset, IndexedWriter, type TokenType, tokenTypeFor } from '../../src/data/index.ts'
import { AuroraError } from '../../src/errors.ts'
import { temporaryFolder } from '../support/folder.ts'
import { random } from '../support/random.ts'
import { refuses } from '../support/refuses.ts'

const folder = temporaryFolder()
const at = (name: string) => join(folder, name)

/** Writes documents, each a list of sequences. */
async function write(prefix: string, type: TokenType, documents: readonly (readonly ArrayLike<number>[])[]): Promise<void> {
  const writer = await IndexedWriter.create(prefix, type)
  for (const sequences of documents) for (const [i, ids] of sequences.entries()) await writer.add(ids, i === sequences.length - 1)
  await writer.finish()
}

/** Writes a dataset again, sequence by sequence. */
async function rewrite(dataset: IndexedDataset, prefix: string): Promise<void> {
  const documents = Array.from({ length: dataset.documents }, (_, d) => {
    const ids = dataset.read(d)
    let end = 0
    return Array.from(dataset.sequenceLengths(d), length => {
      end += length
      return ids.slice(end - length, end)
    })
  })
  await write(prefix, dataset.type, documents)
}

test('the files are Megatron’s, byte for byte', async () => {
  await write(at('bytes'), 'u16', [[[1, 2, 0x0304]], [[5], [6, 7]]])
  const hex = (name: string) => readFileSync(at(name)).toString('hex')
  assert.is(hex('bytes.bin'), '010002000403' + '0500' + '06000700')
  const i64 = (...values: number[]) => values.map(value => `${value.toString(16).padStart(2, '0')}00000000000000`).join('')
  assert.is(
    hex('bytes.idx'),
    ['4d4d4944494458', '0000', i64(1), '08', i64(3, 3), '03000000', '01000000', '02000000', i64(0, 6, 8), i64(0, 1, 3)].join(''),
  )
})

test('both types round-trip, with long, empty and divided documents, in whole and in part', async () => {
  for (const type of ['u16', 'i32'] as const) {
    const limit = type === 'u16' ? 65536 : 2 ** 31
    const ids = (length: number) => Array.from({ length }, () => random.below(limit))
    const documents = [
      [ids(3)],
      [[]],
      [ids(5), [], ids(40)],
      [ids(300_000)],
      ...Array.from({ length: 50 }, () => [ids(random.below(20))]),
    ]
    await write(at(type), type, documents)
    const dataset = await IndexedDataset.open(at(`${type}.idx`))
    assert.is(dataset.name, type)
    assert.is(dataset.documents, documents.length)
    assert.is(dataset.tokens, documents.flat(2).length)
    for (const [d, sequences] of documents.entries()) {
      const expected = sequences.flat()
      assert.is(dataset.length(d), expected.length)
      assert.equal([...dataset.read(d)], expected)
      const start = random.below(expected.length + 1)
      const end = start + random.below(10)
      assert.equal([...dataset.read(d, start, end)], expected.slice(start, end))
    }
    await rewrite(dataset, at(`${type}-again`))
    for (const kind of ['bin', 'idx'])
      assert.equal(readFileSync(at(`${type}-again.${kind}`)), readFileSync(at(`${type}.${kind}`)))
    await refuses(() => dataset.read(documents.length), 'ERR_INVALID_ARGUMENT')
    dataset.close()
    await refuses(() => dataset.read(0), 'ERR_DATASET', /closed/)
  }
})

test('16 bits are used where Megatron uses them', () => {
  assert.equal([49152, 65499, 65500, 100_000].map(tokenTypeFor), ['u16', 'u16', 'i32', 'i32'])
})

test('an aborted or failing writer leaves the old pair, and nothing else', async () => {
  const inner = join(folder, 'abort', 'x')
  await write(inner, 'u16', [[[1]]])
  const writer = await IndexedWriter.create(inner, 'u16')
  await writer.add([2])
  await writer.abort()
  const failing = await IndexedWriter.create(inner, 'u16')
  await refuses(() => failing.add([65536]), 'ERR_TOKEN')
  await refuses(() => failing.add([-1]), 'ERR_TOKEN')
  await refuses(() => failing.add([1.5]), 'ERR_TOKEN')
  await failing.abort()
  assert.equal(readdirSync(join(folder, 'abort')).sort(), ['x.bin', 'x.idx'])
  assert.equal([...(await IndexedDataset.open(inner)).read(0)], [1])
})

test('hostile indices are refused', async () => {
  await write(at('good'), 'u16', [[[1, 2, 3]], [[4, 5]]])
  const good = readFileSync(at('good.idx'))
  const changed = (change: (bytes: Buffer) => Buffer | number) => {
    const bytes = Buffer.from(good)
    const result = change(bytes)
    return Buffer.isBuffer(result) ? result : bytes
  }
  const [lengths, offsets, starts] = [34, 34 + 8, 34 + 8 + 16]
  const cases: [bytes: Buffer, message: RegExp][] = [
    [Buffer.alloc(0), /too short/],
    [Buffer.alloc(40), /not a Megatron index/],
    [changed(bytes => bytes.writeUInt8(2, 9)), /version/],
    ...[0, 1, 2, 3, 5, 6, 7, 9, 255].map((code): [Buffer, RegExp] => [
      changed(bytes => bytes.writeUInt8(code, 17)),
      /not tokens/,
    ]),
    [changed(bytes => bytes.writeUInt8(3, 18)), /length does not agree/],
    [changed(bytes => bytes.writeBigUInt64LE(2n ** 64n - 1n, 18)), /length does not agree/],
    [changed(bytes => bytes.writeBigUInt64LE(2n ** 61n + 2n, 26)), /length does not agree/],
    [changed(bytes => bytes.subarray(0, -1)), /length does not agree/],
    [changed(bytes => bytes.writeInt32LE(-1, lengths)), /length of sequence 0/],
    [changed(bytes => bytes.writeInt32LE(2 ** 31 - 1, lengths)), /more tokens/],
    [changed(bytes => bytes.writeInt32LE(3, lengths + 4)), /more tokens/],
    [changed(bytes => bytes.writeBigInt64LE(-2n, offsets)), /outside/],
    [changed(bytes => bytes.writeBigInt64LE(8n, offsets + 8)), /outside/],
    [changed(bytes => bytes.writeBigInt64LE(2n ** 62n, offsets + 8)), /outside/],
    [changed(bytes => bytes.writeBigInt64LE(1n, starts)), /start of document 0/],
    [changed(bytes => bytes.writeBigInt64LE(-1n, starts + 8)), /start of document 1/],
    [changed(bytes => bytes.writeBigInt64LE(3n, starts + 8)), /start of document 1/],
    [changed(bytes => bytes.writeBigInt64LE(1n, starts + 16)), /start of document 2/],
  ]
  writeFileSync(at('bad.bin'), readFileSync(at('good.bin')))
  for (const [bytes, message] of cases) {
    writeFileSync(at('bad.idx'), bytes)
    await refuses(() => IndexedDataset.open(at('bad')), 'ERR_DATASET', message)
  }
})

test('an index with any bytes changed is read or refused, nothing else', async () => {
  await write(at('fuzz'), 'i32', [[[1, 2, 3]], [[4], []], [[5, 6]]])
  const good = readFileSync(at('fuzz.idx'))
  for (let i = 0; i < 1500; i++) {
    const bytes = Buffer.from(good)
    for (let k = random.below(3); k >= 0; k--)
      bytes[random.below(bytes.length)] = random.below(2) ? random.below(4) : random.below(256)
    writeFileSync(at('fuzz.idx'), bytes)
    try {
      const dataset = await IndexedDataset.open(at('fuzz'))
      for (let d = 0; d < dataset.documents; d++) assert.is(dataset.read(d).length, dataset.length(d))
      dataset.close()
    } catch (error) {
      assert.ok(error instanceof AuroraError, `${error}`)
    }
  }
})

test('token files that are absent, short or shrink are errors', async () => {
  await write(at('short'), 'i32', [[[1, 2, 3]]])
  const dataset = await IndexedDataset.open(at('short'))
  truncateSync(at('short.bin'), 8)
  await refuses(() => dataset.read(0), 'ERR_DATASET', /shorter/)
  await refuses(() => IndexedDataset.open(at('short')), 'ERR_DATASET', /more tokens/)
  await refuses(() => IndexedDataset.open(at('absent')), 'ERR_FILE_NOT_FOUND')
})

const realData = process.env.AURORA_TEST_DATA
if (realData !== undefined) {
  test('a real pair reads, and is written again byte for byte', async () => {
    const prefix = join(realData, 'formats/megatron/meg-gpt2-openwebtext_text_document')
    const dataset = await IndexedDataset.open(prefix)
    assert.is(dataset.documents, 1000)
    await rewrite(dataset, at('real'))
    for (const kind of ['bin', 'idx']) assert.ok(readFileSync(at(`real.${kind}`)).equals(readFileSync(`${prefix}.${kind}`)), kind)
  })
}

test.run()
