/** A run in one process goes on from a checkpoint that many ranks have written. */
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openCheckpoint } from '../../src/checkpoint/index.ts'
import { empty, scope } from '../../src/tensor/index.ts'
import { Trainer } from '../../src/train/index.ts'
import { deal, type Logical, writeCheckpoint } from '../checkpoint/layouts.ts'
import { temporaryFolder } from '../support/folder.ts'
import { seed } from '../support/random.ts'
import { tinyModel, tinyOptions, weightsOf } from './tiny.ts'

const root = temporaryFolder()

/** The same checkpoint in the shards of some ranks. */
async function intoShards(folder: string): Promise<void> {
  await scope(async () => {
    const source = await openCheckpoint(folder)
    const logicals: Logical[] = []
    for (const name of source.names) {
      const { dtype: stored, shape } = source.info(name)
      const dtype = stored === 'BF16' ? 'bf16' : 'f32'
      const tensor = empty(shape, { dtype })
      await source.readInto(name, tensor)
      logicals.push({ name, shape: [...shape], dtype, values: await tensor.read() })
    }
    await source.close()
    for (const file of ['model.safetensors', 'optimizer.safetensors']) await rm(join(folder, file))
    await writeCheckpoint(folder, deal(logicals, 4))
  })
}

for (const dtype of ['f32', 'bf16'] as const) {
  test(`it ends with the same bits (${dtype})`, async () => {
    const dir = join(root, dtype)
    const train = async (stopAfter: number) => {
      const model = tinyModel({ dtype })
      const stop = new AbortController()
      const trainer = new Trainer(tinyOptions(model, { checkpoints: { dir, every: 100, keep: 9 } }))
      for await (const { step } of trainer.run({ signal: stop.signal, resume: true })) if (step === stopAfter) stop.abort()
      const weights = await weightsOf(model)
      model.dispose()
      return weights
    }
    await train(7)
    const folder = join(dir, 'step-000007')
    await intoShards(folder)
    const weights = await train(99)
    await rename(dir, `${dir}-sharded`)
    assert.is(weights, await train(99), `seed ${seed}`)
  })
}

test.run()
