import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { SafetensorsReader, writeSafetensors } from '../../src/checkpoint/index.ts'
import { tensor, zeros } from '../../src/tensor/index.ts'
import { temporaryFolder } from '../support/folder.ts'
import { refuses } from '../support/refuses.ts'

const folder = temporaryFolder()

test('tensors larger than a chunk pass through files unchanged, with conversion to their dtype', async () => {
  const path = join(folder, 'large.safetensors')
  const values = Float32Array.from({ length: 3_000_001 }, (_, i) => (i % 251) - 125)
  await writeSafetensors(path, [
    { name: 'i', data: tensor([3, -1, 7], [3], { dtype: 'i32' }) },
    { name: 'x', data: tensor(values) },
  ])
  const reader = await SafetensorsReader.open(path)
  assert.equal(reader.info('i'), { dtype: 'I32', shape: [3], bytes: 12 })
  for (const dtype of ['f32', 'bf16'] as const) {
    const x = zeros([values.length], { dtype })
    await reader.readInto('x', x)
    assert.equal(await x.read(), values)
    x.dispose()
  }
  await refuses(() => reader.readInto('x', zeros([2])), 'ERR_CHECKPOINT_SHAPE', /3000001/)
  await refuses(() => reader.readInto('i', zeros([3])), 'ERR_CHECKPOINT_DTYPE', /I32/)
  await reader.close()
})

test.run()
