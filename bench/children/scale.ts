/** The life of a large model in one process: made, saved, loaded, trained, sampled from. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Decoder, GPTBigCode, type GPTBigCodeConfig } from '../../src/models/index.ts'
import { sample } from '../../src/ops/index.ts'
import { adamW } from '../../src/optim/index.ts'
import { device, scope } from '../../src/tensor/index.ts'
import { SingleLearner } from '../../src/train/index.ts'
import { answer, argument, processMemory } from '../harness/child.ts'
import { randomBatch } from '../harness/models.ts'

export interface ScaleCase {
  config: Partial<GPTBigCodeConfig>
  length: number
  steps: number
  generated: number
}

/** Seconds of each part, and what the process held at most. */
export interface ScaleResult {
  bytes: number
  save: number
  load: number
  step: number[]
  flops: number
  generate: number
  memory: number
}

const { config, length, steps, generated } = argument<ScaleCase>()
const seconds = async (work: () => Promise<unknown>) => {
  const started = performance.now()
  await work()
  await device().synchronize()
  return (performance.now() - started) / 1000
}
const progress = (text: string) => process.stderr.write(`  ${text}\n`)

const folder = await mkdtemp(join(tmpdir(), 'aurora-scale-'))
try {
  const made = GPTBigCode.create(config, { dtype: 'bf16' })
  const bytes = 2 * made.countParameters()
  const save = await seconds(() => made.savePretrained(join(folder, 'model')))
  made.dispose()
  progress('saved')
  let model!: GPTBigCode
  const load = await seconds(async () => {
    model = await GPTBigCode.fromPretrained(join(folder, 'model'), { dtype: 'bf16' })
  })
  progress('loaded')
  model.checkpointing = true
  const learner = new SingleLearner(model, adamW({ lr: 1e-5 }), 1)
  const batch = randomBatch(model.config.vocabSize, length, 1)
  const step: number[] = []
  for (let n = 0; n < steps; n++) {
    step.push(await seconds(() => learner.step(batch, 1e-5)))
    progress(`step ${n + 1}: ${step.at(-1)!.toFixed(1)} s`)
  }
  learner.dispose()
  const generate = await seconds(() => greedy(model, generated))
  const flops = length * model.flopsPerToken(length)
  answer({ bytes, save, load, step, flops, generate, memory: processMemory('VmHWM') } satisfies ScaleResult)
} finally {
  await rm(folder, { recursive: true })
}

async function greedy(of: GPTBigCode, count: number): Promise<void> {
  using decoder = new Decoder(of, { batch: 1, length: count + 8 })
  let logits = decoder.prefill([Int32Array.from({ length: 8 }, (_, t) => t)])
  for (let n = 0; n < count; n++) {
    const [token] = await scope(() => sample(logits).tokens.read())
    logits.dispose()
    logits = decoder.step([token!])
  }
  logits.dispose()
}
