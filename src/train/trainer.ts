/** The trainer: a model, an optimizer and a curriculum in; steps, checkpoints and evaluations out. */
import { join } from 'node:path'
import { keepSteps, latestStep, recoverFolder, writeFileAtomic } from '../checkpoint/index.ts'
import { AuroraError } from '../errors.ts'
import { GPTBigCode } from '../models/index.ts'
import type { AdamWOptions } from '../optim/index.ts'
import { compareReplicas, ModelPart, type ParallelJob } from '../parallel/index.ts'
import type { Tokenizer } from '../tokenizer/index.ts'
import { type Callback, type EndEvent, notify, type StageEvent } from './callbacks.ts'
import { readTrainingState, stateName } from './checkpoints.ts'
import { expectInteger } from './checks.ts'
import type { EvaluationPoint, Evaluations } from './evaluations.ts'
import { differences, expectSameRun, type Json, plainJson } from './fingerprint.ts'
import { Session } from './session.ts'
import { Curriculum, type PlacedStage, type Stage } from './stage.ts'
import type { StepMetrics } from './step-metrics.ts'

export interface TrainerOptions {
  /** A whole model; or this rank's part of one, when all ranks of a parallel job run such a trainer. */
  model: GPTBigCode | ModelPart
  /** Made by adamW({ … }); its learning rate is the run's schedule. */
  optimizer: AdamWOptions
  batch: {
    /** Sequences of a global batch. */
    sequences: number
    /** Tokens a sequence, unless a stage has its own length. */
    length: number
    /** Sequences computed at once (default: all of a rank's); gradients are accumulated over the micro-batches of a batch. */
    microBatch?: number
  }
  curriculum: readonly Stage[]
  /** Decides the order of the data. Default 0. */
  seed?: number
  checkpoints?: {
    dir: string
    /** Steps between two checkpoints. Each stage's end makes one in any case. */
    every?: number
    /** How many of the newest stay. Default 2. */
    keep?: number
  }
  /** Written into checkpoints, so that each is a complete model. */
  tokenizer?: Tokenizer
  /** Of a parallel job rank 0 makes them, on the whole model, which it reads from the checkpoint. */
  evaluations?: Evaluations
  /** Of a parallel job rank 0's are called. */
  callbacks?: readonly Callback[]
  /** Steps in a row whose loss or gradient is not finite that are skipped; one more ends the run. Default 5. */
  maxSkipped?: number
  /** Of a parallel job: steps between two comparisons of what ranks hold alike, whose difference ends the run; 0: never. Default 100. */
  compareEvery?: number
  /** FLOP per second to hold the speed against. 'measure' (default) probes the device once, for some tenths of a second; see `measurePeak`. */
  peak?: number | 'measure' | 'none'
  /** More that defines the run (its data, say): a checkpoint is only gone on from when it agrees. */
  definition?: Record<string, unknown>
}

export interface RunControl {
  /** Ends the run after a checkpoint; of a parallel job, whichever rank's it is. */
  signal?: AbortSignal
  /** Go on from the last checkpoint; without one the run starts afresh. */
  resume?: boolean
  /** Accept a checkpoint of a run defined otherwise: all differences, or those at and below these paths. */
  allowChanges?: boolean | readonly string[]
}

export class Trainer {
  readonly model: GPTBigCode | ModelPart
  readonly curriculum: Curriculum
  readonly #options: TrainerOptions
  readonly #callbacks: readonly Callback[]
  readonly #job: ParallelJob | undefined
  /** All that defines the run, as checkpoints keep it. */
  readonly definition: Json
  #running = false
  /** The latest checkpoint's folder, once it is written. */
  #saving: Promise<string> | undefined
  #step = 0

  constructor(options: TrainerOptions) {
    this.model = options.model
    this.curriculum = new Curriculum(options.curriculum, options.batch)
    this.#options = options
    this.#job = options.model instanceof ModelPart ? options.model.job : undefined
    this.#callbacks = this.#speaks ? (options.callbacks ?? []) : []
    expectInteger('microBatch', options.batch.microBatch, 1)
    expectInteger('steps between checkpoints', options.checkpoints?.every, 1)
    expectInteger('number of checkpoints to keep', options.checkpoints?.keep, 1)
    expectInteger('maxSkipped', options.maxSkipped, 0)
    expectInteger('compareEvery', options.compareEvery, 0)
    this.definition = describeRun(options, this.curriculum)
    if (this.#job && options.evaluations && !options.checkpoints) throw evaluationsNeedCheckpoints()
    expectPositions(options.model, this.curriculum)
  }

  /** Steps done when the last run ended. */
  get step(): number {
    return this.#step
  }

  get totalSteps(): number {
    return this.curriculum.totalSteps
  }

  /**
   * Trains, a step an iteration. It ends when the curriculum is done, and after a checkpoint when the signal is aborted;
   * leaving the loop ends it at once. Logs, checkpoints and evaluations of a step are done when it is yielded.
   *
   * @throws AuroraError ERR_RUN_EXISTS (checkpoints are there and `resume` is not set), ERR_RUN_CHANGED (see allowChanges),
   *   ERR_NOT_FINITE (too many skipped steps in a row), and whatever callbacks and evaluators throw
   */
  async *run(control: RunControl = {}): AsyncGenerator<StepMetrics, void> {
    if (this.#running) {
      throw new AuroraError({ code: 'ERR_STATE', message: 'this trainer is running already', expected: 'one run at a time' })
    }
    const session = new Session(this.#options, this.curriculum)
    this.#running = true
    this.#saving = undefined
    let end: Pick<EndEvent, 'reason' | 'error'> = { reason: 'stopped' }
    try {
      yield* this.#steps(session, control)
      end = { reason: session.progress >= this.totalSteps ? 'finished' : 'aborted' }
    } catch (caught) {
      const error = this.#job ? await this.#job.fail(caught) : caught
      end = { reason: 'failed', error }
      throw error
    } finally {
      this.#running = false
      this.#step = session.progress
      session.learner.dispose()
      await this.#notify('onEnd', { ...end, step: session.progress })
    }
  }

  async *#steps(
    session: Session,
    { signal, resume = false, allowChanges = false }: RunControl,
  ): AsyncGenerator<StepMetrics, void> {
    const { totalSteps } = this
    const folder = await this.#lastCheckpoint()
    if (folder && !resume) throw runExists(folder)
    if (folder) await this.#restore(session, folder, allowChanges)
    let saved = session.progress
    await session.measurePeak()
    // Results of a run that has no checkpoint may be another run's.
    if (this.#speaks) await this.#options.evaluations?.open(folder ? saved : -1)
    const { tail: metricsTail } = session
    const config = this.definition as Record<string, unknown>
    await this.#notify('onStart', { config, totalSteps, step: saved, resumed: folder !== undefined, metricsTail })
    if (!folder && this.#job && this.#options.evaluations) await this.#checkpoint(session)
    await this.#evaluate(session, signal)
    while (session.progress < totalSteps && !(await this.#stops(session, signal))) {
      if (session.enter()) await this.#notify('onStage', stageEvent(session.stage))
      const metrics = await session.step()
      await this.#notify('onStep', metrics)
      await this.#compare(session.progress)
      if (this.#isCheckpointDue(session.progress)) {
        saved = session.progress
        await this.#checkpoint(session)
      }
      await this.#evaluate(session, signal)
      yield metrics
    }
    if (saved < session.progress) await this.#checkpoint(session)
    await this.#saving
  }

  /** Of a parallel job one rank speaks for all. */
  get #speaks(): boolean {
    return this.#job?.first ?? true
  }

  async #lastCheckpoint(): Promise<string | undefined> {
    const { checkpoints } = this.#options
    if (!checkpoints) return undefined
    if (this.#speaks) await recoverFolder(checkpoints.dir)
    const found = (await latestStep(checkpoints.dir))?.path
    return this.#job ? ((await this.#job.ask('last checkpoint', found ?? null)) ?? undefined) : found
  }

  /** Whether the run is to end here. All ranks come to the same answer, whichever of them was told. */
  async #stops(session: Session, signal: AbortSignal | undefined): Promise<boolean> {
    const told = signal?.aborted ?? false
    return this.#job ? (await this.#job.gather(`end at ${session.progress}`, told)).includes(true) : told
  }

  async #compare(step: number): Promise<void> {
    const { compareEvery = 100 } = this.#options
    const due = step === this.totalSteps || step % compareEvery === 0
    if (this.model instanceof ModelPart && compareEvery > 0 && due) await compareReplicas(this.model, this.model.job, step)
  }

  #isCheckpointDue(step: number): boolean {
    const every = this.#options.checkpoints?.every
    return this.curriculum.closesStage(step) || (every !== undefined && step % every === 0)
  }

  /** Resolves when training may go on: a parallel job writes meanwhile. One checkpoint is written at a time. */
  async #checkpoint(session: Session): Promise<void> {
    const { checkpoints, tokenizer } = this.#options
    if (!checkpoints) return
    await this.#saving
    const { progress: step } = session
    const started = performance.now()
    const state = `${JSON.stringify(session.state(this.definition), null, 1)}\n`
    const writeState = (folder: string) => writeFileAtomic(join(folder, stateName), state)
    const { folder } = await session.learner.save({ dir: checkpoints.dir, step, tokenizer, writeState })
    this.#saving = folder.then(path => this.#saved(path, step, started))
    // A failure ends the run where it is waited for.
    this.#saving.catch(() => {})
    if (!this.#job) await this.#saving
  }

  async #saved(folder: string, step: number, started: number): Promise<string> {
    if (this.#speaks) await keepSteps(this.#options.checkpoints!.dir, this.#options.checkpoints!.keep ?? 2)
    await this.#notify('onCheckpoint', {
      folder,
      step,
      stage: this.curriculum.before(step)?.stage.name ?? '',
      stageEnd: this.curriculum.closesStage(step),
      seconds: (performance.now() - started) / 1000,
    })
    return folder
  }

  async #restore(session: Session, folder: string, allowChanges: boolean | readonly string[]): Promise<void> {
    const state = await readTrainingState(folder)
    expectSameRun(state.definition, this.definition, allowChanges, folder)
    await session.restore(folder, state, differences(state.definition, this.definition).length === 0)
    this.#saving = Promise.resolve(folder)
  }

  async #evaluate(session: Session, signal: AbortSignal | undefined): Promise<void> {
    const { progress: step } = session
    const { evaluations } = this.#options
    if (!evaluations || (step > 0 && !this.#isCheckpointDue(step))) return
    const on = (model: GPTBigCode) =>
      evaluations.at(this.#point(step), model, signal, record => this.#notify('onEvaluation', record))
    if (this.model instanceof GPTBigCode) return on(this.model)
    // No rank has the whole model; the checkpoint of this step has it.
    const folder = (await this.#saving)!
    if (this.#speaks) {
      const { device, dtype } = this.model
      const whole = await GPTBigCode.fromPretrained(folder, { device, dtype })
      await on(whole).finally(() => whole.dispose())
    }
    await this.#job!.gather(`evaluated at ${step}`, true)
  }

  #point(step: number): EvaluationPoint {
    const stage = this.curriculum.before(step)?.stage.name ?? ''
    const label = step === 0 ? 'start' : this.curriculum.closesStage(step) ? stage : `step-${step}`
    return { stage, step, tokens: this.curriculum.tokens(step), label }
  }

  #notify<K extends keyof Callback>(name: K, event: Parameters<NonNullable<Callback[K]>>[0]): Promise<void> {
    return notify(this.#callbacks, name, event)
  }
}

function stageEvent({ stage, index, steps, firstStep }: PlacedStage): StageEvent {
  return { name: stage.name, index, steps, firstStep, mixture: { ...stage.data.weights } }
}

function describeRun({ model, optimizer, batch, seed = 0, definition = {} }: TrainerOptions, curriculum: Curriculum): Json {
  const { lr, ...settings } = optimizer
  return plainJson({
    seed,
    model: { ...model.config, dtype: model.dtype },
    optimizer: { ...settings, schedule: lr.describe() },
    batch: { sequences: batch.sequences, length: batch.length },
    stages: curriculum.stages.map(({ stage, steps, length }) => ({
      name: stage.name,
      steps,
      length,
      schedule: stage.schedule === undefined || stage.schedule === 'continue' ? 'continue' : stage.schedule.describe(),
      freeze: stage.freeze ?? [],
      data: stage.data.describe(),
    })),
    ...definition,
  })
}

function expectPositions(model: GPTBigCode | ModelPart, curriculum: Curriculum): void {
  const { nPositions } = model.config
  const tooLong = curriculum.stages.find(({ length }) => length > nPositions)
  if (!tooLong) return
  throw new AuroraError({
    code: 'ERR_SEQUENCE_LENGTH',
    message: `sequences of stage "${tooLong.stage.name}" are longer than the model can take`,
    expected: `at most ${nPositions} tokens (n_positions)`,
    found: String(tooLong.length),
  })
}

function evaluationsNeedCheckpoints(): AuroraError {
  return new AuroraError({
    code: 'ERR_INVALID_ARGUMENT',
    message: 'a parallel job evaluates its checkpoints',
    expected: 'checkpoints with evaluations',
    found: 'no folder for checkpoints',
  })
}

function runExists(folder: string): AuroraError {
  return new AuroraError({
    code: 'ERR_RUN_EXISTS',
    message: 'a new run would mix its checkpoints with those of another',
    expected: 'a folder without checkpoints for a new run',
    found: folder,
    hint: 'go on with that run (resume), or choose another folder',
  })
}
