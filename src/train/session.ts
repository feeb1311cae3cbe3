/** One run of a trainer under way: how far it is, what it reads, and what a checkpoint must remember of it. */
import type { Cursors, MixtureReader } from '../data/index.ts'
import type { GPTBigCode } from '../models/index.ts'
import type { Schedule } from '../optim/index.ts'
import type { TrainingState } from './checkpoints.ts'
import type { Json } from './fingerprint.ts'
import { SkipGuard } from './guards.ts'
import { Learner } from './learner.ts'
import { measurePeak } from './peak.ts'
import type { Curriculum, PlacedStage } from './stage.ts'
import type { StepMetrics } from './step-metrics.ts'
import type { TrainerOptions } from './trainer.ts'

/** How many of the latest metrics a checkpoint remembers. */
const tailLength = 64

export class Session {
  readonly learner: Learner
  /** Steps done. */
  progress = 0
  /** The latest metrics, oldest first. */
  tail: StepMetrics[] = []
  readonly #model: GPTBigCode
  readonly #curriculum: Curriculum
  readonly #schedule: Schedule
  readonly #sequences: number
  readonly #seed: number
  readonly #guard: SkipGuard
  readonly #peakOption: NonNullable<TrainerOptions['peak']>
  #peak: number | undefined
  #frozen: readonly string[] = []
  #stage: PlacedStage | undefined
  #reader: MixtureReader | undefined
  /** Where the reader began: the cursors that were handed to it, after that many steps of the run. */
  #begun: { cursors: Cursors; step: number } = { cursors: {}, step: 0 }

  constructor(options: TrainerOptions, curriculum: Curriculum) {
    const { model, optimizer, batch, seed = 0, maxSkipped, peak = 'measure' } = options
    this.#model = model
    this.#curriculum = curriculum
    this.#schedule = optimizer.lr
    this.#sequences = batch.sequences
    this.#seed = seed
    this.#guard = new SkipGuard(maxSkipped)
    this.#peakOption = peak
    this.learner = new Learner(model, optimizer, batch.microBatch ?? batch.sequences, seed)
  }

  /** The stage of the next step, or of the last one when all are done. */
  get stage(): PlacedStage {
    return this.#curriculum.at(Math.min(this.progress, this.#curriculum.totalSteps - 1))
  }

  /** Settles what speeds are held against. */
  async measurePeak(): Promise<void> {
    if (typeof this.#peakOption === 'number') this.#peak = this.#peakOption
    else if (this.#peakOption === 'measure') this.#peak = await measurePeak(this.#model.device, this.#model.dtype)
  }

  /** Prepares for the next step; true when a stage begins with it (or is gone on with after a resume). */
  enter(): boolean {
    const { stage } = this
    if (stage === this.#stage) return false
    this.#freeze(stage.stage.freeze)
    if (this.#reader) this.#begun = { cursors: this.#cursors(), step: this.progress }
    this.#stage = stage
    this.#reader = this.#open(stage)
    return true
  }

  /** Trains on the next batch. */
  async step(): Promise<StepMetrics> {
    const started = performance.now()
    const { stage, firstStep, length } = this.#stage!
    const first = (this.progress - this.#begun.step) * this.#sequences
    const batch = await this.#reader!.batch({ step: this.progress, stage: stage.name, first, sequences: this.#sequences })
    const lr = this.#curriculum.learningRate(this.progress, this.#schedule)
    const { loss, lossByDomain, gradNorm, finite } = await this.learner.step(batch, lr)
    if (finite) this.#guard.pass()
    else this.#guard.skip(this.progress + 1, stage.name, loss, gradNorm)
    this.progress++
    const seconds = (performance.now() - started) / 1000
    const modelFlops = (batch.tokens * this.#model.flopsPerToken(length)) / seconds
    const metrics: StepMetrics = {
      step: this.progress,
      stage: stage.name,
      stageStep: this.progress - firstStep,
      tokens: this.#curriculum.tokens(this.progress),
      loss,
      lossByDomain,
      lr,
      gradNorm,
      skipped: !finite,
      skippedSteps: this.#guard.total,
      seconds,
      tokensPerSecond: batch.tokens / seconds,
      modelFlops,
      ...(this.#peak === undefined ? {} : { shareOfPeak: modelFlops / this.#peak }),
      memory: this.#model.device.memory(),
    }
    this.tail = [...this.tail, metrics].slice(-tailLength)
    return metrics
  }

  state(definition: Json): TrainingState {
    return {
      format: 1,
      step: this.progress,
      stage: this.#stage?.stage.name ?? '',
      tokens: this.#curriculum.tokens(this.progress),
      updates: this.learner.updates,
      skipped: { inRow: this.#guard.inRow, total: this.#guard.total },
      position: { begun: this.#begun, now: this.#cursors() },
      definition,
      metricsTail: this.tail,
    }
  }

  /**
   * Goes back to a checkpoint.
   * @param unchanged the run is defined as it was. Otherwise each domain is read on from where it stands, rather than by the
   *   numbering of a mixture that may be another one now
   */
  async restore(folder: string, state: TrainingState, unchanged: boolean): Promise<void> {
    this.progress = state.step
    this.tail = state.metricsTail
    this.#guard.inRow = state.skipped.inRow
    this.#guard.total = state.skipped.total
    const { begun, now } = state.position
    const isAmidStage = this.stage.firstStep < state.step
    this.#begun = unchanged && isAmidStage ? begun : { cursors: now, step: state.step }
    await this.learner.loadWeights(folder)
    this.#freeze(this.#curriculum.before(state.step)?.stage.freeze)
    await this.learner.loadOptimizer(folder, state.updates)
  }

  #freeze(patterns: readonly string[] = []): void {
    if (patterns.join('\n') === this.#frozen.join('\n')) return
    this.learner.freeze(patterns)
    this.#frozen = patterns
  }

  #open({ stage, length }: PlacedStage): MixtureReader {
    const { vocabSize } = this.#model.config
    return stage.data.reader({ seed: this.#seed, length, start: this.#begun.cursors, vocabSize })
  }

  /** How far each domain has been read. */
  #cursors(): Cursors {
    const sequences = (this.progress - this.#begun.step) * this.#sequences
    return this.#reader ? this.#reader.cursors(sequences) : this.#begun.cursors
  }
}
