/** What learns: a model, the main gradients of its trainable parameters, and the optimizer that moves them. */
import { join } from 'node:path'
import { Tape } from '../autograd/index.ts'
import { commitStep, openCheckpoint, optimizerName, writeSafetensors } from '../checkpoint/index.ts'
import type { GlobalBatch, MicroBatch } from '../data/index.ts'
import type { GPTBigCode } from '../models/index.ts'
import type { GradientBuffer, ParameterStore } from '../nn/index.ts'
import { AdamW, type AdamWOptions, clipScale } from '../optim/index.ts'
import { copy } from '../tensor/index.ts'
import type { Tokenizer } from '../tokenizer/index.ts'
import { LossMeter, meanLosses } from './step-metrics.ts'

export interface StepResult {
  /** Mean over the trained tokens of the batch, in nats. */
  loss: number
  lossByDomain: Record<string, number>
  /** Before clipping. */
  gradNorm: number
  /** False: loss or gradient were not finite, and nothing was changed. */
  finite: boolean
}

export interface CheckpointTarget {
  /** Folder of the run's checkpoints. */
  dir: string
  step: number
  /** Written with the weights, so that each checkpoint is a complete model. */
  tokenizer: Tokenizer | undefined
  /** Writes everything else into the checkpoint's folder. */
  writeState(folder: string): Promise<void>
}

/** How a trainer's session learns: on one process, or on all ranks of a parallel job together. */
export interface Learner {
  /** Updates made, without skipped steps. */
  readonly updates: number
  /** One optimizer step: the gradient of the batch's mean loss, clipped, moves the parameters; one that is not finite does not. */
  step(batch: GlobalBatch, lr: number): Promise<StepResult>
  /**
   * From now on trains all but the parameters whose names match `freeze` (and those that never were trained). What stays in
   * training keeps its optimizer state; what is frozen loses it, and starts without momentum when it is trained again.
   */
  freeze(freeze: readonly string[]): void
  /** Resolves when training may go on, to a promise of the checkpoint's folder. */
  save(target: CheckpointTarget): Promise<{ folder: Promise<string> }>
  /** Overwrites the parameters with those of a checkpoint or of a model's folder. */
  loadWeights(folder: string): Promise<void>
  /** Restores the optimizer's state from a checkpoint; the weights must have been restored before. */
  loadOptimizer(folder: string, updates: number): Promise<void>
  /** Frees gradients and optimizer; the model stays, trainable as it was before. */
  dispose(): void
}

export class SingleLearner implements Learner {
  readonly model: GPTBigCode
  readonly options: AdamWOptions
  /** Sequences computed at once. */
  readonly microBatch: number
  /** Of stochastic rounding. */
  readonly #seed: number
  readonly #frozen: ReadonlySet<string>
  #gradients: GradientBuffer
  #optimizer: AdamW

  constructor(model: GPTBigCode, options: AdamWOptions, microBatch: number, seed = 0) {
    this.model = model
    this.options = options
    this.microBatch = microBatch
    this.#seed = seed
    this.#frozen = frozenNames(model.parameters)
    this.#gradients = model.parameters.attachGradients()
    this.#optimizer = new AdamW(model.parameters, this.#gradients, options, this.#seed)
  }

  get updates(): number {
    return this.#optimizer.steps
  }

  async step(batch: GlobalBatch, lr: number): Promise<StepResult> {
    const meter = new LossMeter(batch.domains.length)
    try {
      this.#gradients.zero()
      let pass = batch.step * Math.ceil(batch.sequences.length / this.microBatch)
      for (const micro of batch.microBatches(this.microBatch)) await meter.add(this.#accumulate(micro, pass++))
      await meter.finish()
    } finally {
      meter.dispose()
    }
    const losses = meanLosses(batch.domains, meter.totals)
    const gradNorm = await this.#gradients.norm()
    const finite = Number.isFinite(losses.loss) && Number.isFinite(gradNorm)
    if (finite) this.#optimizer.step(lr, clipScale(gradNorm, this.options.clip))
    return { ...losses, gradNorm, finite }
  }

  /** Adds a micro-batch's share to the main gradients. `pass` numbers the forward passes of the run, for dropout. */
  #accumulate(micro: MicroBatch, pass: number) {
    const tape = new Tape()
    try {
      const losses = tape.run(() => this.model.losses(micro, pass))
      tape.backward(losses)
      return { losses, targets: micro.targets, domain: micro.domain }
    } finally {
      tape.dispose()
    }
  }

  freeze(freeze: readonly string[]): void {
    const { model, options } = this
    const before = this.#optimizer
    const kept = new Map(before.state().map(({ name, tensor }) => [name, tensor]))
    model.parameters.detachGradients()
    refreeze(model.parameters, this.#frozen, freeze)
    this.#gradients = model.parameters.attachGradients()
    this.#optimizer = new AdamW(model.parameters, this.#gradients, options, this.#seed)
    this.#optimizer.steps = before.steps
    for (const { name, tensor } of this.#optimizer.state()) {
      const old = kept.get(name)
      if (old) copy(old, tensor)
      tensor.dispose()
    }
    for (const tensor of kept.values()) tensor.dispose()
    before.dispose()
  }

  async save({ dir, step, tokenizer, writeState }: CheckpointTarget): Promise<{ folder: Promise<string> }> {
    const folder = await commitStep(dir, step, async folder => {
      await this.model.savePretrained(folder, { tokenizer })
      await this.#saveOptimizer(join(folder, optimizerName))
      await writeState(folder)
    })
    return { folder: Promise.resolve(folder) }
  }

  async loadWeights(folder: string): Promise<void> {
    const source = await openCheckpoint(folder)
    try {
      for (const parameter of this.model.parameters.parameters) await source.readInto(parameter.name, parameter)
    } finally {
      await source.close()
    }
    this.#optimizer.syncMaster()
  }

  async loadOptimizer(folder: string, updates: number): Promise<void> {
    const source = await openCheckpoint(folder)
    try {
      await this.#optimizer.load(updates, (name, tensor) => source.readInto(name, tensor))
    } finally {
      await source.close()
    }
  }

  dispose(): void {
    this.#optimizer.dispose()
    this.model.parameters.detachGradients()
    refreeze(this.model.parameters, this.#frozen, [])
  }

  /** As logical tensors. */
  async #saveOptimizer(path: string): Promise<void> {
    const state = this.#optimizer.state()
    try {
      await writeSafetensors(
        path,
        state.map(({ name, tensor }) => ({ name, data: tensor })),
      )
    } finally {
      for (const { tensor } of state) tensor.dispose()
    }
  }
}

/** Names of the parameters that were frozen before a trainer took the model: they stay so in every stage. */
export function frozenNames(store: ParameterStore): ReadonlySet<string> {
  return new Set(store.parameters.filter(({ trainable }) => !trainable).map(({ name }) => name))
}

/** Trains all but those `always` frozen and those that match `patterns`. */
export function refreeze(store: ParameterStore, always: ReadonlySet<string>, patterns: readonly string[]): void {
  for (const parameter of store.parameters) parameter.trainable = !always.has(parameter.name)
  store.freeze(...patterns)
}
