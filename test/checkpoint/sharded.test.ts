import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  type BlockSource,
  commitManifest,
  openCheckpoint,
  openPretrained,
  ShardedReader,
  snapshot,
  verifyCheckpoint,
  writeSafetensors,
  writeShard,
  writeSharded,
} from '../../src/checkpoint/index.ts'
import { empty, scope, tensor } from '../../src/tensor/index.ts'
import { temporaryFolder } from '../support/folder.ts'
import { random, seed } from '../support/random.ts'
import { refuses } from '../support/refuses.ts'
import { blockOf, cutRandomly, deal, type Logical, randomLogical, randomShape, valuesOf, writeCheckpoint } from './layouts.ts'

const root = temporaryFolder()
let folders = 0
function freshFolder(): string {
  const folder = join(root, String(folders++))
  mkdirSync(folder)
  return folder
}

const whole = ({ shape }: Logical) => ({ start: shape.map(() => 0), size: shape })

/** Reads a logical tensor whole and under a random cut, and compares each value. */
async function expectHolds(source: BlockSource, logical: Logical): Promise<void> {
  const { name, shape, dtype, values } = logical
  const all = empty(shape, { dtype })
  await source.readInto(name, all)
  assert.equal(await all.read(), values, `${name} [${shape}], seed ${seed}`)
  assert.equal(await source.readBytes(name), await all.readBytes())
  assert.is(source.info(name).bytes, (await all.readBytes()).byteLength)
  for (const region of cutRandomly(shape, 1 + random.below(10))) {
    const block = empty(region.size, { dtype })
    await source.readBlock(name, region.start, region.size, block)
    assert.equal(await block.read(), valuesOf(logical, region), `${name} [${shape}] ${JSON.stringify(region)}, seed ${seed}`)
  }
}

const someLogicals = () =>
  Array.from({ length: 1 + random.below(6) }, (_, i) => {
    const name = `${i % 2 ? 'exp_avg.' : ''}transformer.h.${i}.weight`
    return randomLogical(name, (['f32', 'bf16', 'i32', 'u16', 'u8'] as const)[random.below(5)]!, randomShape(4, 7))
  })

test('random layouts over one to eight ranks are read back, whole and under other cuts, bit for bit', async () => {
  for (let round = 0; round < 40; round++) {
    await scope(async () => {
      const folder = freshFolder()
      const logicals = someLogicals()
      await writeCheckpoint(folder, deal(logicals, 1 + random.below(8)))
      const reader = await openCheckpoint(folder)
      assert.ok(reader instanceof ShardedReader)
      assert.equal(reader.names.sort(), logicals.map(({ name }) => name).sort())
      for (const logical of logicals) await expectHolds(reader, logical)
      await reader.close()
      const { bytes } = await verifyCheckpoint(folder)
      assert.is(
        bytes,
        logicals.reduce((sum, { name }) => sum + reader.info(name).bytes, 0),
      )

      const weights = await openPretrained(folder)
      assert.equal(
        weights.names.sort(),
        logicals
          .map(({ name }) => name)
          .filter(name => !name.startsWith('exp_avg'))
          .sort(),
      )
      await weights.close()
    })
  }
})

test('blocks larger than a piece of reading, with rows near each other and far apart', async () => {
  await scope(async () => {
    const logicals = [
      randomLogical('wide', 'f32', [70 + random.below(9), 40_000 + random.below(999)]),
      randomLogical('narrow', 'bf16', [300_000 + random.below(999), 17]),
      randomLogical('flat', 'f32', [2_500_000 + random.below(999)]),
    ]
    const folder = freshFolder()
    await writeCheckpoint(folder, deal(logicals, 3))
    const reader = await ShardedReader.open(folder)
    for (const logical of logicals) {
      const [rows, columns] = logical.shape as [number, number | undefined]
      const all = empty(logical.shape, { dtype: logical.dtype })
      await reader.readInto(logical.name, all)
      assert.equal(await all.read(), logical.values, `${logical.name}, seed ${seed}`)
      for (let round = 0; round < 4; round++) {
        const first = random.below(rows)
        const left = columns === undefined ? [] : [random.below(columns)]
        const size = [1 + random.below(rows - first), ...left.map(l => 1 + random.below(columns! - l))]
        const region = { start: [first, ...left], size }
        const block = empty(size, { dtype: logical.dtype })
        await reader.readBlock(logical.name, region.start, size, block)
        assert.equal(await block.read(), valuesOf(logical, region), `${logical.name} ${JSON.stringify(region)}, seed ${seed}`)
      }
    }
    await reader.close()
  })
})

test('a checkpoint of a single process is read in blocks: one file, files with an index, and the optimizer', async () => {
  for (const maxShardBytes of [undefined, 300]) {
    await scope(async () => {
      const folder = freshFolder()
      const logicals = ['wte', 'h.0', 'h.1', 'h.2'].map(name => randomLogical(`transformer.${name}`, 'bf16', randomShape(3, 9)))
      const state = logicals.map(({ name, shape }) => randomLogical(`exp_avg.${name}`, 'f32', shape))
      const toWrite = (logical: Logical) => ({
        name: logical.name,
        data: tensor(logical.values, logical.shape, { dtype: logical.dtype }),
      })
      await writeSharded(folder, logicals.map(toWrite), { maxShardBytes })
      const weights = await openCheckpoint(folder)
      assert.equal(weights.names.sort(), logicals.map(({ name }) => name).sort())
      await weights.close()
      await writeSafetensors(join(folder, 'optimizer.safetensors'), state.map(toWrite))
      const source = await openCheckpoint(folder)
      assert.is(source.names.length, 8)
      for (const logical of [...logicals, ...state]) await expectHolds(source, logical)
      await refuses(() => source.readBlock('absent', [0], [1], empty([1])), 'ERR_CHECKPOINT_MISSING', /absent/)
      await source.close()
    })
  }
})

test('f32 and bf16 become each other when read, as conversion of tensors does', async () => {
  await scope(async () => {
    const folder = freshFolder()
    const values = Float32Array.from({ length: 600 }, () => random.uniform() * 2 - 1)
    const fine = { name: 'fine', dtype: 'f32', shape: [20, 30], values } as const
    const coarse = { name: 'coarse', dtype: 'bf16', shape: [20, 30], values } as const
    await writeCheckpoint(folder, deal([fine, coarse] as unknown as Logical[], 4))
    const reader = await ShardedReader.open(folder)
    const rounded = await tensor(values, [600], { dtype: 'bf16' }).read()
    const readAs = async (name: string, dtype: 'f32' | 'bf16') => {
      const into = empty([600], { dtype })
      await reader.readBlock(name, [0, 0], [20, 30], into)
      return into.read()
    }
    assert.equal(await readAs('fine', 'f32'), values)
    assert.equal(await readAs('fine', 'bf16'), rounded)
    assert.equal(await readAs('coarse', 'f32'), rounded)
    await refuses(() => reader.readInto('fine', empty([20, 30], { dtype: 'i32' })), 'ERR_CHECKPOINT_DTYPE', /fine/)
    await refuses(() => reader.readInto('fine', empty([30, 20])), 'ERR_CHECKPOINT_SHAPE', /another shape/)
    for (const [start, size] of [
      [
        [0, 0],
        [20, 31],
      ],
      [[0], [600]],
      [
        [-1, 0],
        [20, 30],
      ],
      [
        [0, 0.5],
        [20, 30],
      ],
      [
        [0, 0],
        [20, 29],
      ],
    ] as const) {
      // biome-ignore format: a list
      await refuses(() => reader.readBlock('fine', start, size, empty([600])), 'ERR_CHECKPOINT_SHAPE', /within \[20, 30\]/)
    }
    await reader.close()
  })
})

test('a snapshot holds what the tensors held, whatever is done with them while it is written', async () => {
  await scope(async () => {
    const folder = freshFolder()
    const logical = randomLogical('weight', 'f32', [3_000_000])
    const block = blockOf(logical, whole(logical))
    const taken = await snapshot([block])
    const written = writeShard(folder, 0, taken)
    block.tensor.write(new Float32Array(3_000_000).fill(7))
    block.tensor.dispose()

    await commitManifest(folder, [await written])
    const reader = await ShardedReader.open(folder)
    const read = empty([3_000_000])
    await reader.readInto('weight', read)
    assert.equal(await read.read(), logical.values)
    await reader.close()
  })
})

test('more ranks than files may be open, ranks without blocks, tensors without elements', async () => {
  await scope(async () => {
    const folder = freshFolder()
    const logicals = [randomLogical('rows', 'f32', [90, 2]), randomLogical('empty', 'bf16', [0, 3])]
    const rows = Array.from({ length: 90 }, (_, i) => [blockOf(logicals[0]!, { start: [i, 0], size: [1, 2] })])
    await writeCheckpoint(folder, [...rows, [], [blockOf(logicals[1]!, whole(logicals[1]!))], [blockOf(logicals[0]!, { start: [4, 0], size: [0, 2] })]]) // biome-ignore format: a list
    const reader = await ShardedReader.open(folder)
    for (let round = 0; round < 3; round++) await Promise.all(logicals.map(logical => expectHolds(reader, logical)))
    assert.equal(reader.info('empty').shape, [0, 3])
    await reader.close()
  })
})

test('blocks that do not fit their tensors are not written', async () => {
  await scope(async () => {
    const folder = freshFolder()
    const logical = randomLogical('w', 'f32', [4, 4])
    const block = blockOf(logical, { start: [0, 0], size: [2, 4] })
    await refuses(() => writeShard(folder, 0, [{ ...block, start: [3, 0] }]), 'ERR_CHECKPOINT_SHAPE', /does not lie in it/)
    await refuses(() => writeShard(folder, 0, [{ ...block, size: [2, 3] }]), 'ERR_CHECKPOINT_SHAPE', /8 elements/)
    await refuses(() => snapshot([{ ...block, dtype: 'bf16' }]), 'ERR_CHECKPOINT_SHAPE', /bf16/)
    await refuses(() => writeShard(folder, 0, [block, block]), 'ERR_CHECKPOINT_NAME', /w@0,0/)
    await refuses(() => writeShard(folder, -1, [block]), 'ERR_INVALID_ARGUMENT')
    await refuses(() => writeShard(join(folder, 'absent'), 0, [block]), 'ERR_FILE_NOT_FOUND', /absent/)
  })
})

test.run()
