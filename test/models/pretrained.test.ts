import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { SafetensorsReader, type TensorToWrite, writeSafetensors } from '../../src/checkpoint/index.ts'
import { GPTBigCode } from '../../src/models/index.ts'
import { device } from '../../src/tensor/index.ts'
import { goldenFolder } from '../support/golden.ts'

const work = mkdtempSync(join(tmpdir(), 'aurora-pretrained-'))
test.after(() => rmSync(work, { recursive: true, force: true }))

const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'))

/** The golden checkpoint's tensors, to be changed and written elsewhere. */
async function goldenWeights(): Promise<
  Map<string, { dtype: 'F32' | 'F16' | 'BF16'; shape: readonly number[]; bytes: Uint8Array }>
> {
  const reader = await SafetensorsReader.open(join(goldenFolder, 'model.safetensors'))
  const weights = new Map<string, { dtype: 'F32' | 'F16' | 'BF16'; shape: readonly number[]; bytes: Uint8Array }>()
  for (const name of reader.names)
    weights.set(name, { dtype: 'F32', shape: reader.info(name).shape, bytes: await reader.readBytes(name) })
  await reader.close()
  return weights
}

async function folderOf(name: string, weights: Awaited<ReturnType<typeof goldenWeights>>, config: object = {}): Promise<string> {
  const folder = join(work, name)
  const tensors = [...weights].map(
    ([tensor, { dtype, shape, bytes }]): TensorToWrite => ({ name: tensor, dtype, shape, data: () => bytes }),
  )
  await writeSafetensors(join(folder, 'model.safetensors'), tensors)
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...json(join(goldenFolder, 'config.json')), ...config }))
  return folder
}

const refused = (folder: string, code: string, pattern: RegExp) =>
  GPTBigCode.fromPretrained(folder).then(
    () => assert.unreachable(`${folder} should be refused`),
    error => {
      assert.is(error.code, code, error.message)
      assert.match(error.message, pattern)
    },
  )

test('load and save: the same tensors and the same config, whole and in shards', async () => {
  const model = await GPTBigCode.fromPretrained(goldenFolder)
  assert.equal(model.unusedTensors, [])
  for (const [name, maxShardBytes] of [
    ['whole', undefined],
    ['shards', 200_000],
  ] as const) {
    const folder = join(work, name)
    await model.savePretrained(folder, { maxShardBytes })
    assert.equal(json(join(folder, 'config.json')), json(join(goldenFolder, 'config.json')))
    assert.is(readdirSync(folder).filter(file => file.endsWith('.safetensors')).length, maxShardBytes ? 3 : 1)
    const again = await GPTBigCode.fromPretrained(folder)
    assert.equal(await again.parameters.flat.readBytes(), await model.parameters.flat.readBytes())
    again.dispose()
  }
  const [saved, golden] = [await SafetensorsReader.open(join(work, 'whole', 'model.safetensors')), await goldenWeights()]
  assert.equal(saved.names, [...golden.keys()])
  for (const name of saved.names) assert.equal(await saved.readBytes(name), golden.get(name)!.bytes)
  await saved.close()
  model.dispose()
})

test('saving over a folder keeps what else is in it, and takes a tokenizer along', async () => {
  const folder = join(work, 'existing')
  cpSync(goldenFolder, folder, { recursive: true })
  writeFileSync(join(folder, 'README.md'), 'mine')
  const model = await GPTBigCode.fromPretrained(goldenFolder, { dtype: 'bf16' })
  const tokenizer = { save: async (to: string) => writeFileSync(join(to, 'tokenizer.json'), '{}') }
  await model.savePretrained(folder, { tokenizer })
  assert.is(readFileSync(join(folder, 'README.md'), 'utf8'), 'mine')
  assert.is(readFileSync(join(folder, 'tokenizer.json'), 'utf8'), '{}')
  assert.is(json(join(folder, 'config.json')).torch_dtype, 'bfloat16')
  const again = await GPTBigCode.fromPretrained(folder, { dtype: 'bf16' })
  assert.equal(await again.parameters.flat.readBytes(), await model.parameters.flat.readBytes())
  again.dispose()
  await model.savePretrained(folder, { dtype: 'f32' })
  assert.is(json(join(folder, 'config.json')).torch_dtype, 'float32')
  const widened = await GPTBigCode.fromPretrained(folder)
  assert.equal(await widened.parameters.flat.read(), await model.parameters.flat.read())
  widened.dispose()
  model.dispose()
})

test('f16 and bf16 files load into f32 exactly; f32 files are rounded into bf16', async () => {
  const weights = await goldenWeights()
  const bits = Uint16Array.of(0x3c00, 0xc100, 0x0001)
  const bias = (dtype: 'F16' | 'BF16') => ({
    dtype,
    shape: [64],
    bytes: new Uint8Array(Uint16Array.from({ length: 64 }, (_, i) => bits[i % 3]!).buffer),
  })
  weights.set('transformer.ln_f.bias', bias('F16'))
  weights.set('transformer.h.0.ln_1.bias', bias('BF16'))
  const model = await GPTBigCode.fromPretrained(await folderOf('half', weights))
  assert.equal((await model.parameters.get('transformer.ln_f.bias').read()).slice(0, 3), Float32Array.of(1, -2.5, 2 ** -24))
  assert.equal((await model.parameters.get('transformer.h.0.ln_1.bias').read()).slice(0, 2), Float32Array.of(2 ** -7, -8))
  model.dispose()
})

test('a tied head and mask buffers are fine, other tensors are reported, a bare model without prefix is read', async () => {
  const weights = await goldenWeights()
  weights.set('lm_head.weight', weights.get('transformer.wte.weight')!)
  weights.set('transformer.h.0.attn.bias', { dtype: 'F32', shape: [1], bytes: new Uint8Array(4) })
  weights.set('transformer.h.1.attn.masked_bias', { dtype: 'F32', shape: [1], bytes: new Uint8Array(4) })
  const tied = await GPTBigCode.fromPretrained(await folderOf('tied', weights))
  assert.equal(tied.unusedTensors, [])
  tied.dispose()

  weights.set('transformer.extra', { dtype: 'F32', shape: [1], bytes: new Uint8Array(4) })
  const warned = new Promise<Error & { code?: string }>(resolve => process.once('warning', resolve))
  const more = await GPTBigCode.fromPretrained(await folderOf('more', weights))
  assert.equal(more.unusedTensors, ['transformer.extra'])
  assert.match((await warned).message, /transformer\.extra/)

  const bare = new Map([...(await goldenWeights())].map(([name, weight]) => [name.replace('transformer.', ''), weight]))
  const unprefixed = await GPTBigCode.fromPretrained(await folderOf('bare', bare))
  assert.equal(await unprefixed.parameters.flat.readBytes(), await more.parameters.flat.readBytes())
  unprefixed.dispose()
  more.dispose()
})

test('what does not fit is refused, and nothing stays allocated', async () => {
  const before = device().memory()
  const weights = await goldenWeights()
  const head = Uint8Array.from(weights.get('transformer.wte.weight')!.bytes)
  head[2]! ^= 1
  await refused(
    await folderOf('untied', new Map([...weights, ['lm_head.weight', { dtype: 'F32' as const, shape: [512, 64], bytes: head }]])),
    'ERR_NOT_SUPPORTED',
    /not tied/,
  )
  await refused(
    await folderOf('shape', weights, { n_positions: 128 }),
    'ERR_CHECKPOINT_SHAPE',
    /wpe\.weight.*expected \[128, 64\]; found \[64, 64\]/,
  )
  await refused(await folderOf('heads', weights, { multi_query: false }), 'ERR_CHECKPOINT_SHAPE', /c_attn/)
  await refused(await folderOf('model-type', weights, { model_type: 'gpt2' }), 'ERR_CONFIG', /model_type/)
  const fewer = new Map(weights)
  fewer.delete('transformer.h.1.mlp.c_fc.bias')
  await refused(await folderOf('missing', fewer), 'ERR_CHECKPOINT_MISSING', /transformer\.h\.1\.mlp\.c_fc\.bias/)
  const broken = await folderOf('json', weights)
  writeFileSync(join(broken, 'config.json'), '{"model_type": ')
  await refused(broken, 'ERR_CONFIG', /not JSON/)
  await refused(join(work, 'nowhere'), 'ERR_FILE_NOT_FOUND', /nowhere/)
  assert.equal([device().memory().tensors, device().memory().allocated], [before.tensors, before.allocated])
})

test('multi-head checkpoints: query, key and value interleaved by head, through a round trip', async () => {
  const model = GPTBigCode.create(
    { vocabSize: 31, nPositions: 8, nEmbd: 32, nLayer: 1, nHead: 4, multiQuery: false },
    { seed: 5 },
  )
  await model.savePretrained(join(work, 'multi-head'))
  const again = await GPTBigCode.fromPretrained(join(work, 'multi-head'))
  assert.equal(again.parameters.get('transformer.h.0.attn.c_attn.weight').shape, [96, 32])
  assert.equal(again.config, { ...model.config, other: again.config.other })
  assert.equal(await again.parameters.flat.readBytes(), await model.parameters.flat.readBytes())
  again.dispose()
  model.dispose()
})

test.run()
