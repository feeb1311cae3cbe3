import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { exportSharded, openPretrained } from '../../src/checkpoint/index.ts'
import { GPTBigCode } from '../../src/models/index.ts'
import { scope } from '../../src/tensor/index.ts'
import { temporaryFolder } from '../support/folder.ts'
import { refuses } from '../support/refuses.ts'
import { tinyModel, weightsOf } from '../train/tiny.ts'
import { deal, type Logical, writeCheckpoint } from './layouts.ts'

const root = temporaryFolder()
let layouts = 0

/** The sharded checkpoint of a model under a random layout, with some optimizer state. */
async function shardedCheckpoint(model: GPTBigCode, world: number): Promise<string> {
  const folder = join(root, `layout-${layouts++}`)
  await model.savePretrained(folder)
  rmSync(join(folder, 'model.safetensors'))
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'training_state.json', 'rank-notes.txt']) {
    writeFileSync(join(folder, name), name)
  }
  const logicals: Logical[] = []
  for (const parameter of model.parameters.parameters) {
    const { name, shape, dtype } = parameter
    logicals.push({ name, shape: [...shape], dtype, values: await parameter.read() })
  }
  const state = logicals.slice(0, 3).map(logical => ({ ...logical, name: `exp_avg.${logical.name}`, dtype: 'f32' as const }))
  await writeCheckpoint(folder, deal([...logicals, ...state], world))
  return folder
}

test('a sharded checkpoint is a model, and the same weights are exported to the same bytes from every layout', async () => {
  for (const dtype of ['f32', 'bf16'] as const) {
    await scope(async () => {
      const model = tinyModel({ dtype })
      const folders = [await shardedCheckpoint(model, 1), await shardedCheckpoint(model, 5)]
      const exported: Buffer[] = []
      for (const folder of folders) {
        const loaded = await GPTBigCode.fromPretrained(folder, { dtype })
        assert.equal(loaded.unusedTensors, [])
        assert.is(await weightsOf(loaded), await weightsOf(model))
        loaded.dispose()

        const out = `${folder}-exported`
        const progress: number[] = []
        const onProgress = ({ bytes, totalBytes }: { bytes: number; totalBytes: number }) => progress.push(bytes / totalBytes)
        assert.is(await exportSharded(folder, out, { onProgress }), model.countParameters())
        assert.is(progress.at(-1), 1)
        assert.equal(readdirSync(out).sort(), ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'])
        assert.equal(readFileSync(join(out, 'config.json')), readFileSync(join(folder, 'config.json')))
        exported.push(readFileSync(join(out, 'model.safetensors')))
        const again = await GPTBigCode.fromPretrained(out, { dtype })
        assert.is(await weightsOf(again), await weightsOf(model))
        again.dispose()
      }
      assert.ok(exported[0]!.equals(exported[1]!))
      model.dispose()
    })
  }
})

test('exported in another dtype, in files with an index', async () => {
  const model = tinyModel()
  const folder = await shardedCheckpoint(model, 3)
  const out = join(root, 'bf16')
  await exportSharded(folder, out, { dtype: 'bf16', maxShardBytes: 4000 })
  assert.ok(readdirSync(out).includes('model.safetensors.index.json'))
  assert.is(JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')).torch_dtype, 'bfloat16')
  const direct = join(root, 'direct')
  await model.savePretrained(direct, { dtype: 'bf16' })
  const [a, b] = [await openPretrained(out), await openPretrained(direct)]
  assert.equal(a.names.sort(), b.names.sort())
  for (const name of a.names) assert.equal(await a.readBytes(name), await b.readBytes(name), name)
  await a.close()
  await b.close()
  model.dispose()
})

test('an export that fails or is interrupted leaves nothing, and never replaces what is there', async () => {
  const model = tinyModel()
  const folder = await shardedCheckpoint(model, 2)
  const out = join(root, 'interrupted')
  const controller = new AbortController()
  const reason = new Error('enough')
  const onProgress = () => controller.abort(reason)
  let caught: unknown
  await exportSharded(folder, out, { signal: controller.signal, onProgress }).catch(error => {
    caught = error
  })
  assert.is(caught, reason)
  rmSync(join(folder, 'config.json'))
  await refuses(() => exportSharded(folder, out), 'ERR_FILE_NOT_FOUND', /config\.json/)
  writeFileSync(join(folder, 'config.json'), '{')
  await refuses(() => exportSharded(folder, out), 'ERR_CONFIG', /config\.json/)
  assert.not(readdirSync(root).some(name => name.startsWith('interrupted')))
  mkdirSync(out)
  await refuses(() => exportSharded(folder, out), 'ERR_EXISTS')
  assert.equal(readdirSync(out), [])
  model.dispose()
})

test("Megatron-LM's folders are recognised, and the message says what to do", async () => {
  const says = /checkpoint of Megatron-LM.*found .*Hint: .*checkpoint_util\.py.*convert_megatron_gpt_bigcode_checkpoint\.py/
  const layouts: string[][] = [
    ['mp_rank_00/model_optim_rng.pt'],
    ['mp_rank_03_002/model_optim_rng.pt'],
    ['mp_rank_00_000_001/optim.pt'],
    ['latest_checkpointed_iteration.txt', 'iter_0100000/mp_rank_00/model_optim_rng.pt'],
    ['iter_0100000/mp_rank_00/model_optim_rng.pt'],
    ['model_optim_rng.pt'],
  ]
  for (const [i, files] of layouts.entries()) {
    const folder = join(root, `megatron-${i}`)
    for (const file of files) {
      mkdirSync(join(folder, file, '..'), { recursive: true })
      writeFileSync(join(folder, file), '')
    }
    await refuses(() => openPretrained(folder), 'ERR_NOT_SUPPORTED', says)
    await refuses(() => GPTBigCode.fromPretrained(folder), 'ERR_NOT_SUPPORTED', says)
    await refuses(() => exportSharded(folder, join(root, 'never')), 'ERR_NOT_SUPPORTED', says)
  }
})

test.run()
