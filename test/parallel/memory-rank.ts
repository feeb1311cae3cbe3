/** A rank that trains a step and says how many bytes of tensors it held at most. */

import { randomBatch } from '../../bench/harness/models.ts'
import { adamW } from '../../src/optim/index.ts'
import { ModelPart, type ParallelLayout } from '../../src/parallel/index.ts'
import { device } from '../../src/tensor/index.ts'
import { ParallelLearner } from '../../src/train/index.ts'
import type { RankOfTest } from '../support/ranks.ts'
import { joinJob } from './training.ts'

export interface MemoryCase {
  layout: ParallelLayout
  port: number
  dtype: 'f32' | 'bf16'
  checkpointing: boolean
}

export const config = { nLayer: 4, nEmbd: 128, nHead: 4, vocabSize: 1024, nPositions: 64 }
export const batch = { sequences: 8, length: 64 }

export default async function run(place: RankOfTest, { layout, port, dtype, checkpointing }: MemoryCase): Promise<number> {
  const job = await joinJob(place, { layout, port })
  const part = ModelPart.create(config, { job, dtype, checkpointing })
  const learner = new ParallelLearner(part, adamW({ lr: 1e-4 }), 1)
  for (let step = 0; step < 2; step++)
    await learner.step(randomBatch(config.vocabSize, batch.length, batch.sequences, step), 1e-4)
  const { peak } = device().memory()
  await job.close()
  return peak
}
