/** Stages, and the curriculum that is their sequence: which stage a step belongs to, and its learning rate. */
import type { Mixture } from '../data/index.ts'
import type { Schedule } from '../optim/index.ts'
import { expectInteger, invalidArgument } from './checks.ts'

export interface StageOptions {
  /** Length in tokens: as many steps as are needed to read at least these. Give this or `steps`. */
  tokens?: number
  steps?: number
  data: Mixture
  /**
   * 'continue' (default) takes the learning rate of the run's schedule at the run's step. A schedule of the stage's own
   * starts at 0 with the stage: re-warming. A later stage that continues is again on the run's schedule.
   */
  schedule?: 'continue' | Schedule
  /** Tokens a sequence; the batch's length by default. The number of sequences stays, so this changes tokens per step. */
  length?: number
  /** Parameters, by name pattern (`transformer.wpe.*`), that stay as they are in this stage. */
  freeze?: readonly string[]
}

export interface Stage extends StageOptions {
  readonly name: string
}

/** A part of a curriculum. Names are free, and unique in their curriculum. */
export function stage(name: string, options: StageOptions): Stage {
  const { tokens, steps } = options
  if (name === '' || name === 'start' || /^step-\d+$/.test(name)) {
    throw invalidArgument(`a stage cannot be named "${name}"`, 'a name that is not empty, "start" or "step-<number>"', name)
  }
  if ((tokens === undefined) === (steps === undefined)) {
    const found = tokens === undefined ? 'neither' : 'both'
    throw invalidArgument(`stage "${name}" needs a length`, 'either tokens or steps', found)
  }
  const budget = tokens ?? steps!
  if (!(Number.isFinite(budget) && budget > 0) || (steps !== undefined && !Number.isInteger(steps))) {
    throw invalidArgument(
      `stage "${name}" has no usable length`,
      'a positive number of tokens, or a positive integer of steps',
      String(budget),
    )
  }
  expectInteger(`length of stage "${name}"`, options.length, 1)
  return { name, ...options }
}

/** A stage with its place in the run. */
export interface PlacedStage {
  readonly stage: Stage
  readonly index: number
  /** Steps of the run before this stage. */
  readonly firstStep: number
  readonly steps: number
  readonly length: number
  /** Tokens of one step. */
  readonly tokensPerStep: number
  /** Tokens of the run before this stage. */
  readonly firstToken: number
}

export class Curriculum {
  readonly stages: readonly PlacedStage[]
  readonly totalSteps: number
  readonly totalTokens: number

  constructor(stages: readonly Stage[], batch: { sequences: number; length: number }) {
    expectInteger('sequences of the batch', batch.sequences, 1)
    expectInteger('length of the batch', batch.length, 1)
    if (stages.length === 0) throw invalidArgument('the curriculum is empty', 'at least one stage', 'none')
    const placed: PlacedStage[] = []
    let firstStep = 0
    let firstToken = 0
    for (const [index, stage] of stages.entries()) {
      if (placed.some(other => other.stage.name === stage.name)) {
        throw invalidArgument(`two stages are named "${stage.name}"`, 'a name of its own for each', stage.name)
      }
      const length = stage.length ?? batch.length
      const tokensPerStep = batch.sequences * length
      const steps = stage.steps ?? Math.ceil(stage.tokens! / tokensPerStep)
      placed.push({ stage, index, firstStep, steps, length, tokensPerStep, firstToken })
      firstStep += steps
      firstToken += steps * tokensPerStep
    }
    this.stages = placed
    this.totalSteps = firstStep
    this.totalTokens = firstToken
  }

  /** The stage of the step that follows `done` steps; the last stage when all are done. */
  at(done: number): PlacedStage {
    return this.stages.findLast(({ firstStep }) => firstStep <= done) ?? this.stages[0]!
  }

  /** The stage that the last of `done` steps belonged to; undefined before the first step. */
  before(done: number): PlacedStage | undefined {
    return done === 0 ? undefined : this.at(done - 1)
  }

  /** Whether `done` steps close a stage. */
  closesStage(done: number): boolean {
    return this.stages.some(({ firstStep, steps }) => firstStep + steps === done)
  }

  /** Tokens read in the first `done` steps. */
  tokens(done: number): number {
    const { firstStep, firstToken, tokensPerStep } = this.at(Math.max(done - 1, 0))
    return firstToken + (done - firstStep) * tokensPerStep
  }

  /** Learning rate of the step that follows `done` steps. */
  learningRate(done: number, schedule: Schedule): number {
    const { stage, firstStep } = this.at(done)
    return stage.schedule === undefined || stage.schedule === 'continue' ? schedule.at(done) : stage.schedule.at(done - firstStep)
  }
}
