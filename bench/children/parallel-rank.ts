/** One process that trains: alone, or as a rank of a parallel job. */
import { completeConfig, GPTBigCode, type GPTBigCodeConfig } from '../../src/models/index.ts'
import { adamW } from '../../src/optim/index.ts'
import { ModelPart, ParallelJob, type ParallelLayout } from '../../src/parallel/index.ts'
import { device } from '../../src/tensor/index.ts'
import { type Learner, ParallelLearner, SingleLearner } from '../../src/train/index.ts'
import { answer, argument } from '../harness/child.ts'
import { randomBatch } from '../harness/models.ts'

export interface RankCase {
  config: Partial<GPTBigCodeConfig>
  dtype: 'f32' | 'bf16'
  length: number
  sequences: number
  microBatch: number
  checkpointing: boolean
  steps: number
  /** Undefined: alone. */
  rank?: { layout: ParallelLayout; rank: number; size: number; port: number }
}

export interface RankResult {
  /** Seconds of each step, the first without. */
  seconds: number[]
  /** Bytes of tensors at most. */
  memory: number
}

const { config, dtype, length, sequences, microBatch, checkpointing, steps, rank: place } = argument<RankCase>()

let learner: Learner
let job: ParallelJob | undefined
if (place) {
  const { layout, rank, size, port } = place
  const common = { localRank: rank, localSize: size, master: '127.0.0.1', host: undefined, token: undefined, job: 'bench' }
  job = await ParallelJob.join({ layout, definition: 'bench', environment: { ...common, rank, size, port } })
  const part = ModelPart.create(completeConfig(config), { job, dtype, checkpointing })
  learner = new ParallelLearner(part, adamW({ lr: 1e-4 }), microBatch)
} else {
  const model = GPTBigCode.create(config, { dtype })
  model.checkpointing = checkpointing
  learner = new SingleLearner(model, adamW({ lr: 1e-4 }), microBatch)
}
const seconds: number[] = []
for (let step = 0; step <= steps; step++) {
  const batch = randomBatch(config.vocabSize!, length, sequences, step)
  const started = performance.now()
  await learner.step(batch, 1e-4)
  await device().synchronize()
  if (step > 0) seconds.push((performance.now() - started) / 1000)
}
answer({ seconds, memory: device().memory().peak } satisfies RankResult)
await job?.close()
