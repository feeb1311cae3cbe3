/** A small run, on one process or as a rank of a parallel job: what the tests of parallel training train. */
import { GPTBigCode, type GPTBigCodeConfig } from '../../src/models/index.ts'
import { adamW, warmupCosine } from '../../src/optim/index.ts'
import { ModelPart, ParallelJob, type ParallelLayout, singleLayout, type WorldEnvironment } from '../../src/parallel/index.ts'
import { stage, Trainer, type TrainerOptions } from '../../src/train/index.ts'
import type { RankOfTest } from '../support/ranks.ts'
import { tinyMixtures } from '../train/tiny.ts'

/** Sizes that the tests' layouts do not divide: a vocabulary of 50 rows, 15 positions. */
export const config: Partial<GPTBigCodeConfig> = {
  vocabSize: 50,
  nPositions: 15,
  nEmbd: 32,
  nHead: 4,
  nLayer: 8,
  bosTokenId: 0,
  eosTokenId: 0,
}

export interface TrainingCase {
  layout?: Partial<ParallelLayout>
  /** Of rank 0, on loopback. */
  port?: number
  dtype?: 'f32' | 'bf16'
  dropout?: 'config'
  checkpointing?: boolean
  multiQuery?: boolean
  layersPerStage?: number[]
  /** Steps of each of the two stages; default 20 and 10. */
  steps?: [number, number]
  /** Of the second stage. */
  freeze?: string[]
  dir?: string
  every?: number
  resume?: boolean
  /** Ends the run after so many steps. */
  stopAfter?: number
  deadlineMs?: number
  /** What is not that of a job on loopback. */
  environment?: Partial<WorldEnvironment>
  definition?: string
}

export const defaultMicroBatch = 1

export function optionsOf(of: TrainingCase, model: GPTBigCode | ModelPart): TrainerOptions {
  const { first, second } = tinyMixtures()
  const [base, cap] = of.steps ?? [20, 10]
  return {
    model,
    // The gradient of key biases is zero but for rounding, which a smaller epsilon would blow up to whole updates.
    optimizer: adamW({ lr: warmupCosine({ peak: 3e-3, final: 3e-4, warmup: 3, steps: base + cap }), eps: 1e-6 }),
    batch: { sequences: 8, length: 12, microBatch: defaultMicroBatch },
    curriculum: [stage('base', { steps: base, data: first }), stage('cap', { steps: cap, data: second, freeze: of.freeze })],
    seed: 3,
    peak: 'none',
    ...(of.dir ? { checkpoints: { dir: of.dir, every: of.every, keep: 100 } } : {}),
  }
}

/** Losses of the steps, and the gradients' norms. */
export interface TrainingResult {
  losses: number[]
  norms: number[]
}

export async function train(of: TrainingCase, model: GPTBigCode | ModelPart): Promise<TrainingResult> {
  const trainer = new Trainer(optionsOf(of, model))
  const result: TrainingResult = { losses: [], norms: [] }
  const stop = new AbortController()
  for await (const { loss, gradNorm, step } of trainer.run({ resume: of.resume, signal: stop.signal })) {
    result.losses.push(loss)
    result.norms.push(gradNorm)
    if (step === of.stopAfter) stop.abort()
  }
  return result
}

export function wholeModel({ dtype, dropout, checkpointing = false, multiQuery = true }: TrainingCase): GPTBigCode {
  const model = GPTBigCode.create({ ...config, multiQuery }, { seed: 5, dtype, dropout })
  model.checkpointing = checkpointing
  return model
}

export async function joinJob({ rank, size }: { rank: number; size: number }, of: TrainingCase): Promise<ParallelJob> {
  return ParallelJob.join({
    layout: { ...singleLayout, ...of.layout },
    definition: of.definition ?? 'test',
    deadlineMs: of.deadlineMs ?? 20_000,
    environment: environmentOf({ rank, size }, of),
  })
}

export function environmentOf({ rank, size }: { rank: number; size: number }, of: TrainingCase): WorldEnvironment {
  return {
    rank,
    size,
    localRank: rank,
    localSize: size,
    master: '127.0.0.1',
    port: of.port!,
    host: undefined,
    token: undefined,
    job: 'test',
    ...of.environment,
  }
}

export function partOf(job: ParallelJob, of: TrainingCase): ModelPart {
  const { dtype, dropout, checkpointing, multiQuery = true, layersPerStage } = of
  return ModelPart.create({ ...config, multiQuery }, { job, layersPerStage, seed: 5, dtype, dropout, checkpointing })
}

/** A rank of the job. */
export default async function run({ rank, size }: RankOfTest, of: TrainingCase): Promise<TrainingResult> {
  const job = await joinJob({ rank, size }, of)
  const part = partOf(job, of)
  const result = await train(of, part)
  part.dispose()
  await job.close()
  return result
}
