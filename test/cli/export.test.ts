/** `aurora export` and the other verbs on checkpoints of parallel runs, and on folders that are none of ours. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { commitManifest, openPretrained, writeShard } from '../../src/checkpoint/index.ts'
import { GPTBigCode } from '../../src/models/index.ts'
import { Tokenizer } from '../../src/tokenizer/index.ts'
import { temporaryFolder } from '../support/folder.ts'
import { aurora } from './support.ts'

const root = temporaryFolder()
const sharded = join(root, 'step-000010')

test.before(async () => {
  const tokenizer = await Tokenizer.train(['the quick brown fox counts lazy dogs and cats '.repeat(20)], { vocabSize: 280 })
  const special = { bosTokenId: tokenizer.eos, eosTokenId: tokenizer.eos }
  const config = { vocabSize: tokenizer.vocabSize, nPositions: 32, nEmbd: 16, nHead: 2, nLayer: 1, ...special }
  const model = GPTBigCode.create(config, { seed: 1 })
  await model.savePretrained(sharded, { tokenizer })
  // Two ranks, each with every other parameter.
  const shards = await Promise.all(
    [0, 1].map(rank => {
      const own = model.parameters.parameters.filter((_, i) => i % 2 === rank)
      const blocks = own.map(tensor => {
        const { name, shape, dtype } = tensor
        return { name, shape, dtype, start: shape.map(() => 0), size: shape, tensor }
      })
      return writeShard(sharded, rank, blocks)
    }),
  )
  await commitManifest(sharded, shards)
  await model.savePretrained(join(root, 'whole'), { tokenizer })
  rmSync(join(sharded, 'model.safetensors'))
  model.dispose()
})

test('a checkpoint of many ranks is exported, and the result is the model', async () => {
  const out = join(root, 'out')
  const { code, err } = await aurora(['export', sharded, out])
  assert.is(code, 0, err)
  const [a, b] = [await openPretrained(out), await openPretrained(join(root, 'whole'))]
  for (const name of b.names) assert.equal(await a.readBytes(name), await b.readBytes(name), name)
  await a.close()
  await b.close()
  for (const file of ['config.json', 'tokenizer.json']) {
    assert.equal(readFileSync(join(out, file), 'utf8'), readFileSync(join(root, 'whole', file), 'utf8'), file)
  }
  assert.is((await aurora(['export', sharded, out])).code, 1)
  const bf16 = join(root, 'bf16')
  assert.is((await aurora(['export', sharded, bf16, '--dtype', 'bf16'])).code, 0)
  assert.is(JSON.parse(readFileSync(join(bf16, 'config.json'), 'utf8')).torch_dtype, 'bfloat16')
})

test('it generates as the model does', async () => {
  const generate = async (folder: string) =>
    (await aurora(['generate', folder, '-p', 'the', '--max-tokens', '6', '--seed', '4'])).out
  const expected = await generate(join(root, 'whole'))
  assert.ok(expected.length > 0)
  assert.is(await generate(sharded), expected)
})

test("a folder of Megatron-LM's gets a hint", async () => {
  const folder = join(root, 'megatron')
  mkdirSync(join(folder, 'mp_rank_00_001'), { recursive: true })
  writeFileSync(join(folder, 'mp_rank_00_001', 'model_optim_rng.pt'), '')
  for (const args of [
    ['export', folder, join(root, 'never')],
    ['generate', folder, '-p', 'x'],
  ]) {
    // biome-ignore format: a list
    const { code, err } = await aurora(args)
    assert.is(code, 1)
    assert.match(err, /Megatron-LM.*ERR_NOT_SUPPORTED/)
    assert.match(err, /hint .*convert_megatron_gpt_bigcode_checkpoint/)
  }
  assert.not(readdirSync(root).includes('never'))
})

test.run()
