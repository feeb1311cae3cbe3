/** A model and data small enough to train in milliseconds. */
import { memoryDataset, mixture } from '../../src/data/index.ts'
import { GPTBigCode } from '../../src/models/index.ts'
import { adamW, warmupCosine } from '../../src/optim/index.ts'
import { stage, type TrainerOptions } from '../../src/train/index.ts'

export function tinyModel(options: { dtype?: 'f32' | 'bf16'; dropout?: 'config' } = {}): GPTBigCode {
  const config = { vocabSize: 48, nPositions: 16, nEmbd: 16, nHead: 2, nLayer: 2, bosTokenId: 0, eosTokenId: 0 }
  return GPTBigCode.create(config, { seed: 5, ...options })
}

/** Documents that count in steps of `stride`: easy to learn, and different in each domain. */
export function counting(stride: number) {
  const document = (start: number) => [...Array.from({ length: 11 }, (_, i) => 1 + ((start + stride * i) % 47)), 0]
  return memoryDataset(Array.from({ length: 30 }, (_, start) => document(start)), `by ${stride}`) // biome-ignore format: one call
}

export function tinyMixtures() {
  return {
    first: mixture({ en: { data: counting(1), weight: 0.7 }, code: { data: counting(5), weight: 0.3 } }),
    second: mixture({ fi: { data: counting(2), weight: 0.8 }, en: { data: counting(1), weight: 0.2 } }),
  }
}

/** Two stages of 12 and 8 steps, of 4 · 16 tokens in micro-batches of 2. */
export function tinyOptions(model: GPTBigCode, more: Partial<TrainerOptions> = {}): TrainerOptions {
  const { first, second } = tinyMixtures()
  return {
    model,
    optimizer: adamW({ lr: warmupCosine({ peak: 1e-2, final: 1e-3, warmup: 3, steps: 20 }) }),
    batch: { sequences: 4, length: 16, microBatch: 2 },
    curriculum: [stage('base', { steps: 12, data: first }), stage('cap', { tokens: 8 * 64, data: second })],
    seed: 3,
    peak: 'none',
    ...more,
  }
}

/** All parameters, as bytes. */
export async function weightsOf(model: GPTBigCode): Promise<string> {
  return Buffer.from(await model.parameters.flat.readBytes()).toString('base64')
}
