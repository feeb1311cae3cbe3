import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openCheckpoint, type ShardIndex, verifyCheckpoint } from '../../src/checkpoint/index.ts'
import { empty } from '../../src/tensor/index.ts'
import { temporaryFolder } from '../support/folder.ts'
import { random, seed } from '../support/random.ts'
import { refuses } from '../support/refuses.ts'
import { blockOf, randomLogical, writeCheckpoint } from './layouts.ts'

const root = temporaryFolder()
const good = join(root, 'good')
const logical = randomLogical('transformer.wte.weight', 'f32', [8, 6])
const state = randomLogical('exp_avg.transformer.wte.weight', 'f32', [8, 6])

test.before(async () => {
  mkdirSync(good)
  const half = (i: number) => [logical, state].map(l => blockOf(l, { start: [4 * i, 0], size: [4, 6] }))
  await writeCheckpoint(good, [half(0), half(1)])
})

let copies = 0
function copy(): string {
  const folder = join(root, `copy-${copies++}`)
  cpSync(good, folder, { recursive: true })
  return folder
}

/** Opens a checkpoint and reads everything in it. */
async function readAll(folder: string): Promise<void> {
  const source = await openCheckpoint(folder)
  try {
    for (const name of source.names) {
      const tensor = empty(source.info(name).shape)
      await source.readInto(name, tensor)
      await tensor.read()
      tensor.dispose()
    }
  } finally {
    await source.close()
  }
}

type Manifest = {
  format: unknown
  shards: (Omit<ShardIndex, 'file' | 'blocks'> & { file: unknown; blocks: Record<string, unknown>[] })[]
}

/** A copy whose manifest has been changed. */
function withManifest(change: (manifest: Manifest) => unknown): string {
  const folder = copy()
  const path = join(folder, 'manifest.json')
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest
  const changed = change(manifest) ?? manifest
  writeFileSync(path, typeof changed === 'string' ? changed : JSON.stringify(changed))
  return folder
}

const shard = (folder: string, rank: number) => join(folder, `rank-0000${rank}.safetensors`)

test('the checkpoint itself is whole', async () => {
  await readAll(good)
  const seen: number[] = []
  const result = await verifyCheckpoint(good, { onProgress: ({ bytes, totalBytes }) => seen.push(bytes / totalBytes) })
  assert.equal(result, { files: 2, bytes: 2 * 48 * 4 })
  assert.equal(seen, [0.25, 0.5, 0.75, 1])
})

test('a missing, a shortened, a lengthened and an exchanged shard', async () => {
  const missing = copy()
  rmSync(shard(missing, 1))
  await refuses(() => readAll(missing), 'ERR_FILE_NOT_FOUND', /rank-00001/)
  for (let round = 0; round < 10; round++) {
    const short = copy()
    truncateSync(shard(short, 0), random.below(readFileSync(shard(short, 0)).length))
    await refuses(() => readAll(short), 'ERR_FILE_TRUNCATED', /rank-00000.*expected \d+ bytes; found \d+/)
  }
  const long = copy()
  writeFileSync(shard(long, 0), Buffer.concat([readFileSync(shard(long, 0)), Buffer.of(0)]))
  await refuses(() => readAll(long), 'ERR_CHECKPOINT_CORRUPT', /rank-00000/)
  const exchanged = copy()
  copyFileSync(shard(exchanged, 0), shard(exchanged, 1))
  await refuses(() => readAll(exchanged), 'ERR_CHECKPOINT_CORRUPT', /rank-00001.*wte\.weight@4,0/)
})

test('a file that is shortened under the hands of the reader', async () => {
  const folder = copy()
  const source = await openCheckpoint(folder)
  const tensor = empty([8, 6])
  await source.readInto(logical.name, tensor)
  truncateSync(shard(folder, 1), 100)
  await refuses(() => source.readInto(logical.name, tensor), 'ERR_FILE_TRUNCATED', /rank-00001/)
  await source.close()
})

test('any altered byte is found: by its header, or by its checksum', async () => {
  for (let round = 0; round < 40; round++) {
    const folder = copy()
    const bytes = readFileSync(shard(folder, 1))
    const at = random.below(bytes.length)
    bytes[at]! ^= 1 << random.below(8)
    writeFileSync(shard(folder, 1), bytes)
    const header = 8 + Number(bytes.readBigUInt64LE())
    if (at < header) {
      // Spaces and the metadata may change without harm to the tensors.
      await verifyCheckpoint(folder).catch(error => assert.match(error.code, /^ERR_(CHECKPOINT_|FILE_TRUNCATED)/, `byte ${at}, seed ${seed}`)) // biome-ignore format: one idea
    } else await refuses(() => verifyCheckpoint(folder), 'ERR_CHECKPOINT_CORRUPT', /rank-00001.*@4,0.*CRC-32/)
  }
  const aborted = AbortSignal.abort(new Error('enough'))
  let reason: unknown
  await verifyCheckpoint(good, { signal: aborted }).catch(error => {
    reason = error
  })
  assert.is(reason, aborted.reason)
})

test('manifests that are none', async () => {
  const cases: [content: (manifest: Manifest) => unknown, message: RegExp][] = [
    [() => '{', /not JSON/],
    [() => 'null', /format 1/],
    [() => '[]', /format 1/],
    [m => ({ ...m, format: 2 }), /format 1.*2/],
    [m => ({ ...m, shards: {} }), /array/],
    [m => ({ ...m, shards: [5] }), /name of a file/],
    [m => `{"format":1,"format":1,"shards":${JSON.stringify(m.shards)}}`, /"format" occurs twice/],
    [m => ({ ...m, shards: [m.shards[0], m.shards[0]] }), /rank-00000.*listed twice/],
    [m => ({ ...m, shards: [{ ...m.shards[0], bytes: -1 }, m.shards[1]] }), /rank-00000/],
    [m => ({ ...m, shards: [{ ...m.shards[0], blocks: 'x' }, m.shards[1]] }), /rank-00000/],
  ]
  for (const [content, message] of cases) await refuses(() => readAll(withManifest(content)), 'ERR_CHECKPOINT_MANIFEST', message)
})

test('a manifest can only name files beside itself', async () => {
  for (const file of [
    '../good/rank-00000.safetensors',
    shard(good, 0),
    '..',
    '',
    'rank-00000.safetensors\0',
    'RANK-00000.safetensors',
    'rank-0.safetensors',
    7,
    null,
  ]) {
    // biome-ignore format: a list
    const folder = withManifest(m => {
      m.shards[0]!.file = file
    })
    await refuses(() => readAll(folder), 'ERR_CHECKPOINT_MANIFEST', /name of a file/)
  }
})

test('blocks that are impossible, that overlap or are missing, that disagree', async () => {
  const block = (change: Record<string, unknown>) => (m: Manifest) => void Object.assign(m.shards[1]!.blocks[0]!, change)
  const cases: [change: (manifest: Manifest) => unknown, message: RegExp][] = [
    [block({ start: [3, 0] }), /wte\.weight.*has an element twice.*\[3, 0\]/],
    [block({ start: [4, 0], size: [3, 6], bytes: 72 }), /wte\.weight.*lacks an element.*\[7, 0\]/],
    [m => void m.shards[1]!.blocks.shift(), /wte\.weight.*lacks an element.*\[4, 0\]/],
    [block({ start: [5, 0] }), /within \[8, 6\]/],
    [block({ start: [-1, 0] }), /within \[8, 6\]/],
    [block({ start: [4] }), /within \[8, 6\]/],
    [block({ size: [4, 6, 1] }), /within/],
    [block({ size: [4.5, 6] }), /within/],
    [block({ bytes: 95 }), /96 bytes/],
    [block({ shape: [9, 6] }), /not the same tensor in rank-00000.*rank-00001/],
    [block({ dtype: 'I32' }), /not the same tensor/],
    [block({ dtype: 'F33' }), /dtype/],
    [block({ dtype: '__proto__' }), /dtype/],
    [block({ shape: [2 ** 40, 2 ** 40], size: [2 ** 40, 2 ** 40] }), /bytes can be counted/],
    [block({ shape: [Number.MAX_SAFE_INTEGER], start: [0], size: [Number.MAX_SAFE_INTEGER] }), /bytes can be counted/],
    [block({ shape: null }), /shape/],
    [block({ key: 5 }), /name and a key/],
    [block({ name: undefined }), /name and a key/],
    [block({ crc32: 'xyz' }), /crc32/],
    [block({ key: `${state.name}@4,0` }), /listed twice/],
    [m => void m.shards[1]!.blocks.push(7 as never), /a block/],
    [m => void m.shards[1]!.blocks.push({ ...m.shards[1]!.blocks[0]!, key: 'other' }), /has an element twice.*rank-00001/],
  ]
  for (const [change, message] of cases) await refuses(() => readAll(withManifest(change)), 'ERR_CHECKPOINT_MANIFEST', message)
  // Agrees with itself, but not with the file.
  await refuses(() => readAll(withManifest(block({ key: 'other' }))), 'ERR_CHECKPOINT_CORRUPT', /other.*nothing/)
  const unlisted = withManifest(m => {
    for (const { blocks } of m.shards) blocks.shift()
  })
  await refuses(() => readAll(unlisted), 'ERR_CHECKPOINT_CORRUPT', /does not list/)
})

test('a tensor in absurdly many blocks is refused before they are compared', async () => {
  const folder = withManifest(m => {
    const [first] = m.shards[0]!.blocks
    for (let i = 0; i < 70_000; i++) m.shards[0]!.blocks.push({ ...first, key: String(i), start: [0, 0], size: [0, 6], bytes: 0 })
  })
  await refuses(() => readAll(folder), 'ERR_CHECKPOINT_MANIFEST', /too many blocks/)
})

test.run()
