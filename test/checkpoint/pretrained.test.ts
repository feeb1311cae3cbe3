import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openPretrained, writeSafetensors, writeSharded } from '../../src/checkpoint/index.ts'
import { temporaryFolder } from '../support/folder.ts'
import { refuses } from '../support/refuses.ts'

const root = temporaryFolder()
let folders = 0
function freshFolder(): string {
  const folder = join(root, String(folders++))
  mkdirSync(folder)
  return folder
}

const bytes = (name: string, size: number) =>
  ({ name, dtype: 'U8', shape: [size], data: () => new Uint8Array(size).fill(name.charCodeAt(0)) }) as const
const indexOf = (folder: string) => join(folder, 'model.safetensors.index.json')

async function contents(folder: string): Promise<Record<string, string>> {
  const source = await openPretrained(folder)
  const found: Record<string, string> = {}
  for (const name of source.names) found[name] = new TextDecoder().decode(await source.readBytes(name))
  await source.close()
  return found
}

test('small models are one file, large ones shards; a later save leaves nothing of the earlier', async () => {
  const folder = freshFolder()
  const tensors = [bytes('a', 3), bytes('b', 3), bytes('c', 9), bytes('d', 1)]
  const expected = { a: 'aaa', b: 'bbb', c: 'ccccccccc', d: 'd' }
  await writeSharded(folder, tensors, { maxShardBytes: 7 })
  assert.equal(readdirSync(folder).sort(), [
    'model-00001-of-00003.safetensors',
    'model-00002-of-00003.safetensors',
    'model-00003-of-00003.safetensors',
    'model.safetensors.index.json',
  ])
  assert.is(JSON.parse(readFileSync(indexOf(folder), 'utf8')).metadata.total_size, 16)
  assert.equal(await contents(folder), expected)
  await writeSharded(folder, tensors)
  assert.equal(readdirSync(folder), ['model.safetensors'])
  assert.equal(await contents(folder), expected)
  await writeSharded(folder, tensors, { maxShardBytes: 10 })
  assert.not(readdirSync(folder).includes('model.safetensors'))
  assert.equal(await contents(folder), expected)
  await refuses(
    () => writeSharded(folder, [bytes('a', 5), bytes('b', 5), bytes('a', 5)], { maxShardBytes: 5 }),
    'ERR_CHECKPOINT_NAME',
  )
})

test('an index can only name files beside it', async () => {
  const folder = freshFolder()
  await writeSafetensors(join(root, 'outside.safetensors'), [bytes('a', 1)])
  for (const name of [
    '../outside.safetensors',
    join(root, 'outside.safetensors'),
    '..',
    '',
    'C:x.safetensors',
    'a\\b.safetensors',
    'x\0.safetensors',
    5,
  ]) {
    writeFileSync(indexOf(folder), JSON.stringify({ weight_map: { a: name } }))
    await refuses(() => openPretrained(folder), 'ERR_CHECKPOINT_INDEX', /plain name/)
  }
})

test('an index that disagrees with its files is refused', async () => {
  const folder = freshFolder()
  await writeSafetensors(join(folder, 'one.safetensors'), [bytes('a', 1), bytes('b', 1)])
  await writeSafetensors(join(folder, 'two.safetensors'), [bytes('b', 1)])
  const cases: [index: string, code: string, message: RegExp][] = [
    [
      '{"weight_map":{"a":"one.safetensors","b":"one.safetensors","c":"one.safetensors"}}',
      'ERR_CHECKPOINT_INDEX',
      /not in the files.*c/,
    ],
    ['{"weight_map":{"a":"one.safetensors"}}', 'ERR_CHECKPOINT_INDEX', /not at all.*b/],
    ['{"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}', 'ERR_CHECKPOINT_INDEX', /elsewhere.*b \(one/],
    ['{"weight_map":{"a":"one.safetensors","a":"two.safetensors"}}', 'ERR_CHECKPOINT_INDEX', /twice/],
    ['{"weight_map":{"a":"three.safetensors"}}', 'ERR_FILE_NOT_FOUND', /three/],
    ['{"weight_map":[]}', 'ERR_CHECKPOINT_INDEX', /weight_map/],
    ['null', 'ERR_CHECKPOINT_INDEX', /weight_map/],
    ['{', 'ERR_CHECKPOINT_INDEX', /JSON/],
  ]
  for (const [index, code, message] of cases) {
    writeFileSync(indexOf(folder), index)
    await refuses(() => openPretrained(folder), code, message)
  }
})

test('a folder without weights says what was expected', async () => {
  const folder = freshFolder()
  await refuses(() => openPretrained(folder), 'ERR_FILE_NOT_FOUND', /empty folder/)
  writeFileSync(join(folder, 'pytorch_model.bin'), '')
  await refuses(() => openPretrained(folder), 'ERR_FILE_NOT_FOUND', /converted to safetensors/)
  await refuses(() => openPretrained(join(folder, 'absent')), 'ERR_FILE_NOT_FOUND')
})

test.run()
