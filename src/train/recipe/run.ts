/** Running a recipe: prepares what it names, trains and evaluates, and leaves the results in its output folder. */
import { createHash } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { exportSharded, latestStep, recoverFolder, writeFileAtomic } from '../../checkpoint/index.ts'
import { AuroraError } from '../../errors.ts'
import { GPTBigCode, parameterCount } from '../../models/index.ts'
import { ModelPart, type ParallelJob } from '../../parallel/index.ts'
import type { Tokenizer } from '../../tokenizer/index.ts'
import { version } from '../../version.ts'
import type { Callback, CheckpointEvent, EndEvent, StageEvent, StartEvent } from '../callbacks.ts'
import { type EvaluationPoint, type EvaluationRecord, Evaluations, type Evaluator } from '../evaluations.ts'
import { plainJson } from '../fingerprint.ts'
import { metricsOutput, tensorBoardOutput } from '../outputs.ts'
import { measurePeak } from '../peak.ts'
import { type RunFacts, type RunFiles, runFiles } from '../run-folder.ts'
import type { StepMetrics } from '../step-metrics.ts'
import { type RunControl, Trainer } from '../trainer.ts'
import { buildCurriculum, buildModel, buildTokenizer } from './build.ts'
import { type Corpora, openCorpora } from './corpora.ts'
import { checkRecipe, loadRecipe } from './load.ts'
import { joinJob } from './parallel.ts'
import type { CheckedRecipe, Recipe } from './schema.ts'

/** What happens in a run, for progress bars and logs. */
export type RunProgress =
  /** Documents of a corpus tokenised so far. */
  | { kind: 'prepare'; corpus: string; documents: number }
  | ({ kind: 'start' } & StartEvent)
  | ({ kind: 'stage' } & StageEvent)
  | { kind: 'step'; metrics: StepMetrics; totalSteps: number }
  | ({ kind: 'checkpoint' } & CheckpointEvent)
  /** Part of an evaluation done, 0 to 1. */
  | { kind: 'evaluate'; name: string; point: EvaluationPoint; done: number }
  | { kind: 'evaluated'; record: EvaluationRecord }
  | ({ kind: 'end' } & EndEvent)

export interface RunOptions extends RunControl {
  /** One for each of the recipe's evaluations, by its name. `aurora run` makes them from the recipe. */
  evaluators?: readonly Evaluator[]
  /** A new run in a folder that holds one: its results are removed. */
  overwrite?: boolean
  callbacks?: readonly Callback[]
  onProgress?: (event: RunProgress) => void
}

export interface RunResult {
  folder: string
  files: RunFiles
  reason: 'finished' | 'aborted'
  /** Steps done. */
  step: number
  totalSteps: number
  evaluations: readonly EvaluationRecord[]
}

/**
 * Runs a recipe, alone or as a rank of a parallel job: a file, or the object of defineRecipe. With `resume` an interrupted run goes on from its last checkpoint,
 * to the same weights, bit for bit, that it would have come to otherwise.
 *
 * @throws AuroraError ERR_RECIPE, ERR_RUN_EXISTS (neither resume nor overwrite in a folder with a run), and what Trainer.run throws
 */
export async function runRecipe(source: string | Recipe, options: RunOptions = {}): Promise<RunResult> {
  const recipe = typeof source === 'string' ? await loadRecipe(source) : checkRecipe(source)
  const job = await joinJob(recipe, options.signal)
  if (!job) return run(recipe, options, undefined)
  try {
    const result = await run(recipe, job.first ? options : { ...options, onProgress: undefined }, job)
    await job.close()
    return result
  } catch (error) {
    throw await job.fail(error)
  }
}

async function run(recipe: CheckedRecipe, options: RunOptions, job: ParallelJob | undefined): Promise<RunResult> {
  const { signal, onProgress, evaluators = [] } = options
  const planned = recipe.evaluations.map(({ name, when }) => ({ evaluator: findEvaluator(evaluators, name), when }))
  const files = runFiles(recipe.output)
  const checkpoint = await onFirst(job, 'run folder', () => prepareFolder(files, options))

  const tokenizer = await buildTokenizer(recipe, checkpoint, job)
  const prepared = (corpus: string, documents: number) => onProgress?.({ kind: 'prepare', corpus, documents })
  const open = (reuse: boolean) => openCorpora({ recipe, tokenizer, folder: files.data, reuse, onProgress: prepared, signal })
  const corpora = await firstThenOthers(job, 'corpora', open, checkpoint !== undefined)
  let model: GPTBigCode | ModelPart | undefined
  try {
    model = await buildModel(recipe, tokenizer, checkpoint, job)
    const heldOut = Object.fromEntries(
      Object.entries(corpora.byName).flatMap(([name, { heldOut }]) => (heldOut ? [[name, heldOut]] : [])),
    )
    const evaluations = new Evaluations({
      evaluations: planned,
      tokenizer,
      heldOut,
      path: files.evaluations,
      onProgress: (name, point, done) => onProgress?.({ kind: 'evaluate', name, point, done }),
    })
    const { stages, optimizer } = buildCurriculum(recipe, corpora, tokenizer)
    const ownPeak = await measurePeak(model.device, model.dtype)
    const peak = job ? (await job.gather('peaks', ownPeak)).reduce((sum, peak) => sum + peak, 0) : ownPeak
    const { metrics, tensorboard } = recipe.outputs
    const trainer: Trainer = new Trainer({
      model,
      optimizer,
      batch: recipe.batch,
      curriculum: stages,
      seed: recipe.seed,
      checkpoints: { dir: files.checkpoints, ...recipe.checkpoints },
      tokenizer,
      evaluations: planned.length > 0 ? evaluations : undefined,
      callbacks: [
        ...(metrics ? [metricsOutput(files.metrics)] : []),
        ...(tensorboard ? [tensorBoardOutput(files.tensorboard, () => evaluations.records)] : []),
        ...(options.callbacks ?? []),
        ...(onProgress ? [progressCallback(onProgress, () => trainer.totalSteps)] : []),
      ],
      maxSkipped: recipe.maxSkipped,
      compareEvery: recipe.parallel.compareEvery,
      peak,
      definition: { tokenizer: createHash('sha256').update(tokenizer.toJSON()).digest('hex'), corpora: corpora.digests },
    })
    if (job?.first ?? true) await writeFacts(files.facts, { recipe, model, tokenizer, corpora, trainer, peak })
    for await (const _ of trainer.run(options)) {
      // Callbacks follow the steps.
    }
    const { step, totalSteps } = trainer
    const reason = step === totalSteps ? 'finished' : 'aborted'
    if (reason === 'finished') await saveModel(model, files, tokenizer)
    return { folder: recipe.output, files, reason, step, totalSteps, evaluations: evaluations.records }
  } finally {
    model?.dispose()
    corpora.close()
  }
}

/** What rank 0 does for all; alone, one process does it. */
async function onFirst<T extends string | undefined>(
  job: ParallelJob | undefined,
  key: string,
  work: () => Promise<T>,
): Promise<T | undefined> {
  if (!job) return work()
  const own = job.first ? await work() : undefined
  return (await job.ask(key, own ?? null)) ?? undefined
}

/** Rank 0 prepares what it does not find; the others then take what it has left. */
async function firstThenOthers<T>(
  job: ParallelJob | undefined,
  key: string,
  open: (reuse: boolean) => Promise<T>,
  reuse: boolean,
): Promise<T> {
  if (!job) return open(reuse)
  const own = job.first ? await open(reuse) : undefined
  await job.gather(key, true)
  return own ?? open(true)
}

async function saveModel(model: GPTBigCode | ModelPart, files: RunFiles, tokenizer: Tokenizer): Promise<void> {
  if (model instanceof GPTBigCode) {
    await model.savePretrained(files.model, { tokenizer })
    return
  }
  await onFirst(model.job, 'the trained model', async () => {
    await rm(files.model, { recursive: true, force: true })
    await exportSharded((await latestStep(files.checkpoints))!.path, files.model, { tokenizer })
    return files.model
  })
}

function findEvaluator(evaluators: readonly Evaluator[], name: string): Evaluator {
  const found = evaluators.find(evaluator => evaluator.name === name)
  if (found) return found
  throw new AuroraError({
    code: 'ERR_RECIPE',
    message: `nothing was given that makes the recipe's evaluation "${name}"`,
    expected: 'an evaluator of that name',
    found: evaluators.map(evaluator => evaluator.name).join(', ') || 'none',
    hint: 'pass it as runRecipe(recipe, { evaluators: [ … ] }); `aurora run` makes them from the recipe',
  })
}

/** The checkpoint to go on from; without one, a folder in which no earlier run's results are left. */
async function prepareFolder(files: RunFiles, { resume = false, overwrite = false }: RunOptions): Promise<string | undefined> {
  await recoverFolder(files.checkpoints)
  const checkpoint = await latestStep(files.checkpoints)
  if (checkpoint && resume) return checkpoint.path
  if (checkpoint && !overwrite) {
    throw new AuroraError({
      code: 'ERR_RUN_EXISTS',
      message: `${files.checkpoints} holds checkpoints of a run`,
      expected: 'a folder without one for a new run',
      found: `${checkpoint.step} steps done`,
      hint: 'go on with it (--resume), remove it (--overwrite), or give the recipe another output folder',
    })
  }
  for (const path of Object.values(files)) await rm(path, { recursive: true, force: true })
  return undefined
}

interface FactSources {
  recipe: CheckedRecipe
  model: GPTBigCode | ModelPart
  tokenizer: Tokenizer
  corpora: Corpora
  trainer: Trainer
  peak: number
}

async function writeFacts(path: string, { recipe, model, tokenizer, corpora, trainer, peak }: FactSources): Promise<void> {
  const earlier = await readFile(path, 'utf8').then(
    text => JSON.parse(text) as RunFacts,
    () => undefined,
  )
  const { name, instructionSet, threads } = model.device.info()
  const facts: RunFacts = {
    name: recipe.name,
    seed: recipe.seed,
    created: earlier?.created ?? new Date().toISOString(),
    versions: { aurora: version, node: process.versions.node },
    device: { name, instructionSet, threads },
    ...(model instanceof ModelPart ? { parallel: model.layout } : {}),
    model: { config: { ...model.config }, dtype: model.dtype, parameters: parameterCount(model.config), from: recipe.model.from },
    tokenizer: { vocabSize: tokenizer.vocabSize },
    peak,
    corpora: corpora.facts,
    stages: trainer.curriculum.stages.map(({ stage, firstStep, steps, tokensPerStep }) => ({
      name: stage.name,
      firstStep,
      steps,
      tokens: steps * tokensPerStep,
      mixture: { ...stage.data.weights },
    })),
    totalSteps: trainer.curriculum.totalSteps,
    totalTokens: trainer.curriculum.totalTokens,
    recipe: plainJson(recipe) as Record<string, unknown>,
  }
  await writeFileAtomic(path, `${JSON.stringify(facts, null, 1)}\n`)
}

function progressCallback(onProgress: (event: RunProgress) => void, totalSteps: () => number): Callback {
  return {
    onStart: event => onProgress({ kind: 'start', ...event }),
    onStage: event => onProgress({ kind: 'stage', ...event }),
    onStep: metrics => onProgress({ kind: 'step', metrics, totalSteps: totalSteps() }),
    onCheckpoint: event => onProgress({ kind: 'checkpoint', ...event }),
    onEvaluation: record => onProgress({ kind: 'evaluated', record }),
    onEnd: event => onProgress({ kind: 'end', ...event }),
  }
}
