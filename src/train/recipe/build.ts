/** From a checked recipe to the objects it names. */
import { join } from 'node:path'
import { refuseMegatron } from '../../checkpoint/index.ts'
import { mixture } from '../../data/index.ts'
import { AuroraError } from '../../errors.ts'
import { GPTBigCode } from '../../models/index.ts'
import { type AdamWOptions, adamW, constant, linear, type Schedule, warmupCosine, wsd } from '../../optim/index.ts'
import { ModelPart, type ParallelJob } from '../../parallel/index.ts'
import { Tokenizer } from '../../tokenizer/index.ts'
import { Curriculum, type Stage, stage } from '../stage.ts'
import { type Corpora, corpusTexts } from './corpora.ts'
import type { CheckedRecipe, RecipeSchedule } from './schema.ts'

/** @param trainedIn a checkpoint or folder of this run that may hold the tokenizer that an earlier start has trained */
export async function buildTokenizer(
  recipe: CheckedRecipe,
  trainedIn: string | undefined,
  job: ParallelJob | undefined,
): Promise<Tokenizer> {
  const { tokenizer, model } = recipe
  if (tokenizer?.train) {
    if (trainedIn) return Tokenizer.fromFile(join(trainedIn, 'tokenizer.json'))
    const { vocabSize, on } = tokenizer.train
    const trained = () => Tokenizer.train(corpusTexts(recipe, on), { vocabSize })
    if (!job) return trained()
    const own = job.first ? await trained() : undefined
    return Tokenizer.fromJSON(await job.ask('tokenizer', own?.toJSON() ?? ''))
  }
  if (model.from) await refuseMegatron(model.from)
  return Tokenizer.fromFile(tokenizer?.file ?? model.from!)
}

/** The recipe's model, whole or, in a job, this rank's part. @param checkpoint of this run, whose weights are about to be restored in any case */
export async function buildModel(
  recipe: CheckedRecipe,
  tokenizer: Tokenizer,
  checkpoint: string | undefined,
  job: ParallelJob | undefined,
): Promise<GPTBigCode | ModelPart> {
  const { create, from, device, dtype, dropout, checkpointing } = recipe.model
  const options = { device, dtype, dropout, seed: recipe.seed }
  const partOptions = job && { ...options, job, checkpointing, layersPerStage: recipe.parallel.layersPerStage }
  const special = { vocabSize: tokenizer.vocabSize, bosTokenId: tokenizer.eos, eosTokenId: tokenizer.eos }
  const folder = checkpoint ?? from!
  let model: GPTBigCode | ModelPart
  if (partOptions) {
    model = create
      ? ModelPart.create({ ...create, ...special }, partOptions)
      : await ModelPart.fromPretrained(folder, partOptions)
  } else {
    model = create ? GPTBigCode.create({ ...create, ...special }, options) : await GPTBigCode.fromPretrained(folder, options)
    model.checkpointing = checkpointing
  }
  if (tokenizer.vocabSize <= model.config.vocabSize) return model
  model.dispose()
  throw new AuroraError({
    code: 'ERR_TOKENIZER',
    message: 'the tokenizer has more tokens than the model',
    expected: `at most ${model.config.vocabSize} (vocab_size)`,
    found: String(tokenizer.vocabSize),
    hint: 'use the tokenizer that belongs to the model',
  })
}

export function buildCurriculum(
  recipe: CheckedRecipe,
  corpora: Corpora,
  tokenizer: Tokenizer,
): { stages: Stage[]; optimizer: AdamWOptions } {
  const { documentBoundaries, resetPositions } = recipe.batch
  const stages = recipe.stages.map(({ name, mixture: weights, schedule, ...rest }) => {
    const domains = Object.entries(weights).flatMap(([corpus, weight]) => {
      const { train, fim } = corpora.byName[corpus]!
      return weight > 0 ? [[corpus, { data: train, weight, fim }]] : []
    })
    return {
      schedule,
      stage: stage(name, {
        ...rest,
        data: mixture(Object.fromEntries(domains), { tokenizer, documentBoundaries, resetPositions }),
      }),
    }
  })
  const { totalSteps, stages: placed } = new Curriculum(
    stages.map(({ stage }) => stage),
    recipe.batch,
  )
  const { betas, eps, weightDecay, clip, stochasticRounding } = recipe.optimizer
  return {
    stages: stages.map(({ stage, schedule }, i) =>
      schedule.type === 'continue' ? stage : { ...stage, schedule: buildSchedule(schedule, placed[i]!.steps) },
    ),
    optimizer: adamW({
      lr: buildSchedule(recipe.schedule, totalSteps),
      betas,
      eps,
      weightDecay,
      clip: clip === 0 ? undefined : clip,
      stochasticRounding,
    }),
  }
}

/** @param total steps that the schedule spans unless it says otherwise */
function buildSchedule(schedule: RecipeSchedule, total: number): Schedule {
  switch (schedule.type) {
    case 'constant':
      return constant(schedule.lr, schedule)
    case 'linear':
      return linear({ ...schedule, steps: schedule.steps ?? total })
    case 'warmupCosine':
      return warmupCosine({ ...schedule, steps: schedule.steps ?? total })
    case 'wsd': {
      const stable = (schedule.steps ?? total) - schedule.warmup - schedule.decay
      return wsd({ ...schedule, stable })
    }
  }
}
