/** Trains two steps and says how much memory that took. */
import { GPTBigCode, type GPTBigCodeConfig } from '../../src/models/index.ts'
import { adamW } from '../../src/optim/index.ts'
import { device } from '../../src/tensor/index.ts'
import { SingleLearner } from '../../src/train/index.ts'
import { answer, argument, processMemory } from '../harness/child.ts'
import { randomBatch } from '../harness/models.ts'

export interface TrainingMemoryCase {
  config: Partial<GPTBigCodeConfig>
  dtype: 'f32' | 'bf16'
  checkpointing: boolean
  length: number
  sequences: number
}

export interface TrainingMemory {
  /** Most bytes of tensors. */
  tensors: number
  /** Most bytes that the process grew by. */
  process: number
}

const { config, dtype, checkpointing, length, sequences } = argument<TrainingMemoryCase>()
device()
const before = processMemory('VmRSS')
const model = GPTBigCode.create(config, { dtype })
model.checkpointing = checkpointing
const learner = new SingleLearner(model, adamW({ lr: 1e-4 }), sequences)
const batch = randomBatch(model.config.vocabSize, length, sequences)
for (let step = 0; step < 2; step++) await learner.step(batch, 1e-4)
await model.device.synchronize()
answer({ tensors: device().memory().peak, process: processMemory('VmHWM') - before } satisfies TrainingMemory)
