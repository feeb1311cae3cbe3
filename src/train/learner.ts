/** What learns: a model, the main gradients of its trainable parameters, and the optimizer that moves them. */
import { Tape } from '../autograd/index.ts'
import { openCheckpoint, openPretrained, writeSafetensors } from '../checkpoint/index.ts'
import type { GlobalBatch, MicroBatch } from '../data/index.ts'
import type { GPTBigCode } from '../models/index.ts'
import type { GradientBuffer } from '../nn/index.ts'
import { AdamW, type AdamWOptions, clipScale } from '../optim/index.ts'
import { copy } from '../tensor/index.ts'
import { LossMeter } from './step-metrics.ts'

export interface StepResult {
  /** Mean over the trained tokens of the batch, in nats. */
  loss: number
  lossByDomain: Record<string, number>
  /** Before clipping. */
  gradNorm: number
  /** False: loss or gradient were not finite, and nothing was changed. */
  finite: boolean
}

export class Learner {
  readonly model: GPTBigCode
  readonly options: AdamWOptions
  /** Sequences computed at once. */
  readonly microBatch: number
  /** Of stochastic rounding. */
  readonly #seed: number
  /** Names of the parameters that were frozen before: they stay so in every stage. */
  readonly #frozen: ReadonlySet<string>
  #gradients: GradientBuffer
  #optimizer: AdamW

  constructor(model: GPTBigCode, options: AdamWOptions, microBatch: number, seed = 0) {
    this.model = model
    this.options = options
    this.microBatch = microBatch
    this.#seed = seed
    const { parameters } = model.parameters
    this.#frozen = new Set(parameters.filter(({ trainable }) => !trainable).map(({ name }) => name))
    this.#gradients = model.parameters.attachGradients()
    this.#optimizer = new AdamW(model.parameters, this.#gradients, options, this.#seed)
  }

  /** Updates made, without skipped steps. */
  get updates(): number {
    return this.#optimizer.steps
  }

  /** One optimizer step: the gradient of the batch's mean loss, clipped, moves the parameters; one that is not finite does not. */
  async step(batch: GlobalBatch, lr: number): Promise<StepResult> {
    const losses = new LossMeter(batch.domains)
    try {
      this.#gradients.zero()
      let pass = batch.step * Math.ceil(batch.sequences.length / this.microBatch)
      for (const micro of batch.microBatches(this.microBatch)) await losses.add(this.#accumulate(micro, pass++))
      await losses.finish()
    } finally {
      losses.dispose()
    }
    const { loss, lossByDomain } = losses
    const gradNorm = await this.#gradients.norm()
    const finite = Number.isFinite(loss) && Number.isFinite(gradNorm)
    if (finite) this.#optimizer.step(lr, clipScale(gradNorm, this.options.clip))
    return { loss, lossByDomain, gradNorm, finite }
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

  /**
   * From now on trains all but the parameters whose names match `freeze` (and those that never were trained). What stays in
   * training keeps its optimizer state; what is frozen loses it, and starts without momentum when it is trained again.
   */
  freeze(freeze: readonly string[]): void {
    const { model, options } = this
    const before = this.#optimizer
    const kept = new Map(before.state().map(({ name, tensor }) => [name, tensor]))
    model.parameters.detachGradients()
    for (const parameter of model.parameters.parameters) parameter.trainable = !this.#frozen.has(parameter.name)
    model.parameters.freeze(...freeze)
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

  /** Overwrites the parameters with those of a folder that the model was saved to. */
  async loadWeights(folder: string): Promise<void> {
    const reader = await openPretrained(folder)
    try {
      for (const parameter of this.model.parameters.parameters) await reader.readInto(parameter.name, parameter)
    } finally {
      await reader.close()
    }
    this.#optimizer.syncMaster()
  }

  /** Writes the optimizer's state as logical tensors. */
  async saveOptimizer(path: string): Promise<void> {
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

  /** Restores the optimizer's state of a checkpoint, sharded or not; the weights must have been restored before. */
  async loadOptimizer(folder: string, updates: number): Promise<void> {
    const source = await openCheckpoint(folder)
    try {
      await this.#optimizer.load(updates, (name, tensor) => source.readInto(name, tensor))
    } finally {
      await source.close()
    }
  }

  /** Frees gradients and optimizer; the model stays, trainable as it was before. */
  dispose(): void {
    this.#optimizer.dispose()
    this.model.parameters.detachGradients()
    for (const parameter of this.model.parameters.parameters) parameter.trainable = !this.#frozen.has(parameter.name)
  }
}
