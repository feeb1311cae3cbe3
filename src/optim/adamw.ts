import { AuroraError } from '../errors.ts'
import type { GradientBuffer, Parameter, ParameterStore } from '../nn/index.ts'
import { adamw } from '../ops/index.ts'
import { Purpose, randomWords } from '../random/index.ts'
import { copy, keep, scope, type Tensor, zeros } from '../tensor/index.ts'
import { constant, type Schedule } from './schedules.ts'

export interface AdamWOptions {
  lr: Schedule
  betas: readonly [number, number]
  eps: number
  /** Of matrices; biases and norms have none. */
  weightDecay: number
  /** Largest global gradient norm; undefined: no clipping. */
  clip: number | undefined
  /**
   * Rounds bf16 parameters up or down at random, with the probability that makes the mean exact, and keeps no f32 master weights of them:
   * 4 bytes a parameter less. f32 models are not rounded.
   */
  stochasticRounding: boolean
}

/**
 * Settings of AdamW. Defaults: betas 0.9 and 0.95, eps 1e-8, weightDecay 0.1, clip 1, no stochastic rounding. A number as lr is a constant
 * schedule.
 */
export function adamW(options: {
  lr: number | Schedule
  betas?: readonly [number, number]
  eps?: number
  weightDecay?: number
  clip?: number | undefined
  stochasticRounding?: boolean
}): AdamWOptions {
  const settings: AdamWOptions = {
    betas: [0.9, 0.95],
    eps: 1e-8,
    weightDecay: 0.1,
    clip: 1,
    stochasticRounding: false,
    ...options,
    lr: asSchedule(options.lr),
  }
  const { betas, eps, weightDecay, clip } = settings
  const holds: Readonly<Record<string, boolean>> = {
    'betas in [0, 1)': betas.every(beta => beta >= 0 && beta < 1),
    'eps > 0': eps > 0,
    'weightDecay ≥ 0': weightDecay >= 0,
    'clip > 0 or undefined': clip === undefined || clip > 0,
    'stochasticRounding true or false': typeof settings.stochasticRounding === 'boolean',
  }
  for (const [expected, held] of Object.entries(holds)) {
    if (!held)
      throw new AuroraError({
        code: 'ERR_INVALID_ARGUMENT',
        message: 'adamW: bad setting',
        expected,
        found: JSON.stringify({ ...settings, lr: undefined }),
      })
  }
  return settings
}

function asSchedule(lr: number | Schedule): Schedule {
  return typeof lr === 'number' ? constant(lr) : lr
}

/** The factor that brings a global norm down to `clip`, as torch.nn.utils.clip_grad_norm_ takes it: min(1, clip / (norm + 1e-6)). */
export function clipScale(norm: number, clip: number | undefined): number {
  return clip === undefined ? 1 : Math.min(1, clip / (norm + 1e-6))
}

/** Elements [begin, end) of the trainable ranges, as main gradients lie. */
export interface Interval {
  begin: number
  end: number
}

/** Of a parameter the elements [begin, end), with this optimizer's state of them. */
export interface StatePiece {
  parameter: Parameter
  begin: number
  end: number
  /** By kind ('exp_avg', 'exp_avg_sq', 'master'), f32 [end − begin]: views of the state. */
  state: Readonly<Record<string, Tensor>>
}

/** Adds ranges of a model's flat buffers one update after another; its state (moments, f32 master weights) is as flat. */
export class AdamW {
  readonly options: AdamWOptions
  /** Updates made. */
  steps = 0
  readonly #seed: number
  readonly #store: ParameterStore
  /** What this optimizer updates, in order; its buffers hold these one after another. */
  readonly #owned: readonly Interval[]
  readonly #m: Tensor
  readonly #v: Tensor
  /** f32 copy of bf16 parameters, which are its rounded image; an f32 model is its own, and so is one that is rounded stochastically. */
  readonly #master: Tensor | undefined
  /** For each piece of a segment that it owns, its views of parameters, gradients and state. */
  readonly #ranges: {
    offset: number
    decay: boolean
    parameter: Tensor
    gradient: Tensor
    m: Tensor
    v: Tensor
    master: Tensor | undefined
  }[]

  /**
   * Takes what is trainable now; `gradients` are the store's. Master weights begin as the parameters are now.
   * @param seed of stochastic rounding
   * @param owned the part that it updates and keeps state of, in rising order; default all
   */
  constructor(
    store: ParameterStore,
    gradients: GradientBuffer,
    options: AdamWOptions,
    seed = 0,
    owned: readonly Interval[] = [{ begin: 0, end: gradients.tensor.size }],
  ) {
    this.#seed = seed
    this.#store = store
    this.#owned = owned
    this.options = options
    const { device } = gradients.tensor
    const size = owned.reduce((sum, { begin, end }) => sum + end - begin, 0)
    const buffer = () => keep(zeros([size], { dtype: 'f32', device }))
    this.#m = buffer()
    this.#v = buffer()
    this.#master = store.flat.dtype === 'bf16' && !options.stochasticRounding ? buffer() : undefined
    this.#ranges = store.segments().flatMap(({ offset, stateOffset, length, decay }) =>
      this.#within(stateOffset, length).map(({ begin, end, at }) => {
        const state = (of: Tensor) => keep(of.view(at, [end - begin]))
        return {
          offset: offset + begin - stateOffset,
          decay,
          parameter: keep(store.flat.view(offset + begin - stateOffset, [end - begin])),
          gradient: keep(gradients.tensor.view(begin, [end - begin])),
          m: state(this.#m),
          v: state(this.#v),
          master: this.#master && state(this.#master),
        }
      }),
    )
    this.syncMaster()
  }

  /** One update with learning rate `lr`; gradients are multiplied by `gradientScale` first (see clipScale). */
  step(lr: number, gradientScale = 1): void {
    const { betas, eps, weightDecay, stochasticRounding } = this.options
    this.steps += 1
    // By place in the model, so that it does not matter which other parameters are trained.
    const random =
      stochasticRounding && this.#store.flat.dtype === 'bf16' ? randomWords(this.#seed, Purpose.rounding, this.steps) : undefined
    for (const { offset, decay, ...buffers } of this.#ranges) {
      adamw(buffers, {
        lr,
        beta1: betas[0],
        beta2: betas[1],
        epsilon: eps,
        weightDecay: decay ? weightDecay : 0,
        gradientScale,
        step: this.steps,
        rounding: random && { random, first: offset },
      })
    }
  }

  /** Takes the parameters as master weights, after they were written from outside. */
  syncMaster(): void {
    for (const { parameter, master } of this.#ranges) if (master) copy(parameter, master)
  }

  /**
   * The state as logical tensors, whatever the layout of the buffers: `exp_avg.<parameter>`, `exp_avg_sq.<parameter>` and, with
   * master weights, `master.<parameter>`, all f32 in the parameter's shape. They are views: reading saves the state, writing restores it.
   * Of an optimizer that owns all.
   */
  state(): { name: string; tensor: Tensor }[] {
    return scope(() =>
      this.pieces().flatMap(({ parameter, state }) =>
        Object.entries(state).map(([kind, flat]) => ({
          name: `${kind}.${parameter.name}`,
          tensor: flat.reshape(parameter.shape),
        })),
      ),
    )
  }

  /** Kinds of state: the two moments and, where there are any, master weights. */
  get kinds(): string[] {
    return this.#buffers.map(([kind]) => kind)
  }

  /** The state of what it owns, parameter by parameter. */
  pieces(): StatePiece[] {
    const buffers = this.#buffers
    return [...this.#store.stateOffsets()].flatMap(([parameter, offset]) =>
      this.#within(offset, parameter.size).map(({ begin, end, at }) => {
        const views = buffers.map(([kind, buffer]) => [kind, buffer.view(at, [end - begin])])
        return { parameter, begin: begin - offset, end: end - offset, state: Object.fromEntries(views) }
      }),
    )
  }

  /** Restores a state: `readInto` fills each of its tensors, as SafetensorsReader.readInto does. */
  async load(steps: number, readInto: (name: string, tensor: Tensor) => Promise<void>): Promise<void> {
    await scope(async () => {
      for (const { name, tensor } of this.state()) await readInto(name, tensor)
    })
    this.steps = steps
  }

  dispose(): void {
    for (const { parameter, gradient, m, v, master } of this.#ranges)
      for (const view of [parameter, gradient, m, v, master]) view?.dispose()
    for (const buffer of [this.#m, this.#v, this.#master]) buffer?.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  get #buffers(): [kind: string, buffer: Tensor][] {
    const buffers = Object.entries({ exp_avg: this.#m, exp_avg_sq: this.#v, master: this.#master })
    return buffers.filter((entry): entry is [string, Tensor] => entry[1] !== undefined)
  }

  /** What it owns of [start, start + length), each with its place `at` in the buffers of the state. */
  #within(start: number, length: number): (Interval & { at: number })[] {
    let place = 0
    return this.#owned.flatMap(owned => {
      const [begin, end] = [Math.max(start, owned.begin), Math.min(start + length, owned.end)]
      const at = place + begin - owned.begin
      place += owned.end - owned.begin
      return begin < end ? [{ begin, end, at }] : []
    })
  }
}
