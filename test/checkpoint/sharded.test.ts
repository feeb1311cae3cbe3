import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Block, commitManifest, ShardedReader, snapshot, writeShard } from '../../src/checkpoint/index.ts'
import { type DType, empty, scope } from '../../src/tensor/index.ts'
import { temporaryFolder } from '../support/folder.ts'
import { random, seed } from '../support/random.ts'
import { blockOf, cutRandomly, type Logical, randomShape, valuesOf } from './layouts.ts'

const root = temporaryFolder()
let folders = 0
function freshFolder(): string {
  const folder = join(root, String(folders++))
  mkdirSync(folder)
  return folder
}

/** Values that bf16 holds exactly. */
function randomLogical(name: string, dtype: DType, shape: number[]): Logical {
  const count = shape.reduce((product, length) => product * length, 1)
  const number = () => random.below(256) - (dtype === 'u8' ? 0 : 128)
  const values = Array.from({ length: count }, number)
  return {
    name,
    dtype,
    shape,
    values: dtype === 'u8' ? Uint8Array.from(values) : dtype === 'i32' ? Int32Array.from(values) : Float32Array.from(values),
  }
}

/** The blocks of random logical tensors, dealt out to ranks. */
function deal(logicals: readonly Logical[], world: number): Block[][] {
  const ranks: Block[][] = Array.from({ length: world }, () => [])
  for (const logical of logicals) {
    for (const region of cutRandomly(logical.shape, 1 + random.below(2 * world)))
      ranks[random.below(world)]!.push(blockOf(logical, region))
  }
  return ranks
}

async function writeCheckpoint(folder: string, ranks: readonly Block[][]): Promise<void> {
  const indexes = await Promise.all(
    ranks.map(async (blocks, rank) => writeShard(folder, rank, random.below(2) ? await snapshot(blocks) : blocks)),
  )
  await commitManifest(folder, JSON.parse(JSON.stringify(indexes)))
}

const someLogicals = () =>
  Array.from({ length: 1 + random.below(6) }, (_, i) =>
    randomLogical(`transformer.h.${i}.weight`, (['f32', 'bf16', 'i32', 'u8'] as const)[random.below(4)]!, randomShape(4, 7)),
  )

test('random layouts over one to eight ranks are read back, whole and under other cuts, bit for bit', async () => {
  for (let round = 0; round < 40; round++) {
    await scope(async () => {
      const folder = freshFolder()
      const logicals = someLogicals()
      await writeCheckpoint(folder, deal(logicals, 1 + random.below(8)))
      const reader = await ShardedReader.open(folder)
      assert.equal(reader.names.sort(), logicals.map(({ name }) => name).sort())
      for (const logical of logicals) {
        const { name, shape, dtype, values } = logical
        const whole = empty(shape, { dtype })
        await reader.readInto(name, whole)
        assert.equal(await whole.read(), values, `${name} [${shape}], seed ${seed}`)
        assert.equal(await reader.readBytes(name), await whole.readBytes())
        for (const { start, size } of cutRandomly(shape, 1 + random.below(10))) {
          const block = empty(size, { dtype })
          await reader.readBlock(name, start, size, block)
          assert.equal(
            await block.read(),
            valuesOf(logical, { start, size }),
            `${name} [${shape}] ${JSON.stringify({ start, size })}, seed ${seed}`,
          )
        }
      }
      await reader.close()
    })
  }
})

test.run()
