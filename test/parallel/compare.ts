/** Runs of one process and of many, and how near they are to each other. */
import * as assert from 'uvu/assert'
import { latestStep, openCheckpoint } from '../../src/checkpoint/index.ts'
import { freePort } from '../../src/cli/launch/port.ts'
import { type ParallelLayout, singleLayout, worldSize } from '../../src/parallel/index.ts'
import { scope, zeros } from '../../src/tensor/index.ts'
import { runRanks } from '../support/ranks.ts'
import { type TrainingCase, type TrainingResult, train, wholeModel } from './training.ts'

/** Trains under a layout, every rank in a process of its own; the result is rank 0's, which all others must agree with. */
export async function trainParallel(of: TrainingCase & { layout: Partial<ParallelLayout> }): Promise<TrainingResult> {
  const size = worldSize({ ...singleLayout, ...of.layout })
  const module = new URL('./training.ts', import.meta.url).href
  const results = await runRanks<TrainingCase, TrainingResult>(size, module, { ...of, port: await freePort() }, { seconds: 180 })
  for (const result of results) assert.equal(result, results[0])
  return results[0]!
}

export async function trainWhole(of: TrainingCase): Promise<TrainingResult> {
  using model = wholeModel(of)
  return await train(of, model)
}

/** The weights of a run's last checkpoint. */
async function weightsIn(dir: string): Promise<Map<string, Float64Array>> {
  const source = await openCheckpoint((await latestStep(dir))!.path)
  try {
    const weights = new Map<string, Float64Array>()
    for (const name of source.names.filter(name => name.startsWith('transformer.'))) {
      await scope(async () => {
        const tensor = zeros(source.info(name).shape)
        await source.readInto(name, tensor)
        weights.set(name, Float64Array.from(await tensor.read()))
      })
    }
    return weights
  } finally {
    await source.close()
  }
}

const norm = (values: Float64Array) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))

/** The losses are those of one process. */
export function compareLosses(what: string, found: TrainingResult, expected: TrainingResult, tolerance = 1e-4): void {
  assert.is(found.losses.length, expected.losses.length, what)
  for (const [i, loss] of found.losses.entries()) {
    const error = Math.abs(loss - expected.losses[i]!)
    assert.ok(error < tolerance, `${what}: the loss of step ${i + 1} is ${loss}, of one process ${expected.losses[i]}`)
  }
}

/** Each weight of the last checkpoints is the same, relative to its tensor's norm. */
export async function compareWeights(what: string, dir: string, expectedDir: string, tolerance = 1e-4): Promise<void> {
  const [found, expected] = [await weightsIn(dir), await weightsIn(expectedDir)]
  assert.equal([...found.keys()].sort(), [...expected.keys()].sort())
  for (const [name, values] of expected) {
    const error = norm(values.map((value, i) => value - found.get(name)![i]!)) / norm(values)
    assert.ok(error < tolerance, `${what}: ${name} differs by ${error}`)
  }
}
