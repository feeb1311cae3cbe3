/** A rank of a small run that tells the test how far it is, and does what a faulty machine would do to it. */
import { setTimeout as pause } from 'node:timers/promises'
import { type ParallelJob, World } from '../../src/parallel/index.ts'
import type { Tensor } from '../../src/tensor/index.ts'
import type { Tokenizer } from '../../src/tokenizer/index.ts'
import { Trainer } from '../../src/train/index.ts'
import type { RankOfTest } from '../support/ranks.ts'
import { environmentOf, joinJob, optionsOf, partOf, type TrainingCase, type TrainingResult } from './training.ts'

export interface FaultyCase extends TrainingCase {
  /** How long a checkpoint takes to be written, at least. */
  slowSaving?: number
  /** One bit of a parameter that changes on one rank after a step. */
  flip?: { rank: number; afterStep: number; parameter: string }
  /** What is different on one rank. */
  odd?: { rank: number; version?: string } & Pick<TrainingCase, 'definition' | 'layout'>
}

/** What a rank reports. */
export interface Progress {
  step: number
  /** Its checkpoint is being written; rank 0 alone says so. */
  saving: boolean
}

export default async function run({ rank, size, report }: RankOfTest, of: FaultyCase): Promise<TrainingResult> {
  const job = await join({ rank, size }, of)
  const part = partOf(job, of)
  let step = 0
  const tell = (saving: boolean) => report({ step, saving } satisfies Progress)
  // Rank 0 saves the tokenizer while all ranks write their shards.
  const slow = {
    async save() {
      tell(true)
      await pause(of.slowSaving)
    },
  } as unknown as Tokenizer
  const trainer = new Trainer({ ...optionsOf(of, part), compareEvery: 2, ...(of.slowSaving ? { tokenizer: slow } : {}) })
  const result: TrainingResult = { losses: [], norms: [] }
  for await (const metrics of trainer.run({ resume: of.resume })) {
    step = metrics.step
    result.losses.push(metrics.loss)
    result.norms.push(metrics.gradNorm)
    tell(false)
    if (of.flip?.rank === rank && of.flip.afterStep === step) await flipBit(part.parameters.get(of.flip.parameter))
  }
  part.dispose()
  await job.close()
  return result
}

function join(place: { rank: number; size: number }, { odd, ...of }: FaultyCase): Promise<ParallelJob> {
  if (odd?.rank !== place.rank) return joinJob(place, of)
  const { version, definition, layout } = { definition: of.definition, layout: of.layout, ...odd }
  if (!version) return joinJob(place, { ...of, definition, layout })
  return World.join(environmentOf(place, of), { version, definition: 'test', deadlineMs: of.deadlineMs }).then(() => {
    throw new Error('another version has joined')
  })
}

/** As a memory error does: the lowest bit of the first element. */
async function flipBit(tensor: Tensor): Promise<void> {
  const bytes = await tensor.readBytes()
  bytes[0]! ^= 1
  tensor.writeBytes(bytes, tensor.dtype)
}
