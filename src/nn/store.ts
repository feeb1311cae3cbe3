import { AuroraError } from '../errors.ts'
import { Purpose, randomWords } from '../random/index.ts'
import { type Device, type DType, fill, fillNormal, keep, sizeOf, type Tensor, zeros } from '../tensor/index.ts'
import { GradientBuffer } from './gradients.ts'
import { decaysByDefault, type Initial, namedSpecs, Parameter, type ParameterSpec, type ParameterTree } from './parameter.ts'

/** Every parameter begins at a multiple of this many elements: aligned for vector loads and for cutting into shards. */
export const alignment = 32

/** Adjacent trainable parameters with equal decay: one range for the optimizer and for gradient buffers. */
export interface Segment {
  /** First element in the flat buffer. */
  offset: number
  /** Elements, padding included. */
  length: number
  /** First element in buffers that hold the trainable ranges only, one after another (gradients, optimizer state). */
  stateOffset: number
  decay: boolean
  parameters: Parameter[]
}

/**
 * All parameters of a model, in one flat buffer of the model's dtype: decayed ones (rank ≥ 2) first, each start a multiple of 32
 * elements, zeros between. One buffer means that optimizer, clipping and communication act on few large ranges.
 */
export class ParameterStore {
  readonly flat: Tensor
  /** In the order in which the model declares them. */
  readonly parameters: readonly Parameter[]
  readonly #byName: ReadonlyMap<string, Parameter>
  #gradients: GradientBuffer | undefined

  constructor(tree: ParameterTree, options: { dtype: DType; device: Device }) {
    const specs = [...namedSpecs(tree)]
    const offsets = new Map<string, number>()
    let end = 0
    for (const decayed of [true, false]) {
      for (const [name, spec] of specs) {
        if (decaysByDefault(spec) !== decayed) continue
        offsets.set(name, end)
        end += paddedSize(spec)
      }
    }
    this.flat = keep(zeros([end], options))
    this.parameters = specs.map(([name, spec]) => new Parameter(name, spec, this.flat, offsets.get(name)!))
    this.#byName = new Map(this.parameters.map(parameter => [parameter.name, parameter]))
  }

  /** The parameter of that full name. */
  get(name: string): Parameter {
    const parameter = this.find(name)
    if (parameter) return parameter
    throw new AuroraError({
      code: 'ERR_INVALID_ARGUMENT',
      message: `there is no parameter "${name}"`,
      found: `${this.parameters.length} others, as ${this.parameters
        .slice(0, 3)
        .map(p => p.name)
        .join(', ')}`,
    })
  }

  find(name: string): Parameter | undefined {
    return this.#byName.get(name)
  }

  /** The parameters below a prefix, for the layer that declared them. */
  group(prefix: string): ParameterGroup {
    return new ParameterGroup(this, `${prefix}.`)
  }

  /** Overwrites all with their initial values: a function of the seed and of each parameter's place in the model. */
  initialize(seed: number | bigint): void {
    for (const [index, parameter] of this.parameters.entries()) fillInitial(parameter, parameter.initial, seed, index)
  }

  /** Freezes the parameters whose names match a pattern ('transformer.h.0.*', '*.bias'): `*` is any characters, `?` one. */
  freeze(...patterns: readonly string[]): void {
    this.#beforeGradients('freeze')
    for (const parameter of this.#matching(patterns)) parameter.trainable = false
  }

  /** Whether a pattern, as `freeze` takes it, matches a parameter. */
  matches(pattern: string): boolean {
    const expression = globExpression(pattern)
    return this.parameters.some(({ name }) => expression.test(name))
  }

  /** Takes the parameters whose names match out of weight decay. */
  withoutDecay(...patterns: readonly string[]): void {
    this.#beforeGradients('withoutDecay')
    for (const parameter of this.#matching(patterns)) parameter.decay = false
  }

  /** The trainable ranges, in the order of the flat buffer. */
  segments(): Segment[] {
    const segments: Segment[] = []
    let stateOffset = 0
    let end = -1
    for (const parameter of [...this.parameters].sort((a, b) => a.offset - b.offset)) {
      if (!parameter.trainable) continue
      const length = paddedSize(parameter)
      const last = segments.at(-1)
      if (last && end === parameter.offset && last.decay === parameter.decay) {
        last.length += length
        last.parameters.push(parameter)
      } else {
        segments.push({ offset: parameter.offset, length, stateOffset, decay: parameter.decay, parameters: [parameter] })
      }
      stateOffset += length
      end = parameter.offset + length
    }
    return segments
  }

  /** Where each trainable parameter lies in buffers that hold the trainable ranges only. */
  stateOffsets(): Map<Parameter, number> {
    const offsets = new Map<Parameter, number>()
    for (const segment of this.segments()) {
      for (const parameter of segment.parameters) offsets.set(parameter, segment.stateOffset + parameter.offset - segment.offset)
    }
    return offsets
  }

  /**
   * Makes (once) the f32 buffer of main gradients and gives every trainable parameter its view of it.
   * @param multiple the buffer's length is padded to a multiple of it, to be cut into equal shards
   */
  attachGradients(multiple = 1): GradientBuffer {
    this.#gradients ??= new GradientBuffer(this, multiple)
    return this.#gradients
  }

  /** Frees the main gradients: the model then only evaluates, and may be frozen anew. */
  detachGradients(): void {
    this.#gradients?.dispose()
    this.#gradients = undefined
  }

  /** Elements of all parameters, without padding. */
  count(): number {
    return this.parameters.reduce((sum, parameter) => sum + parameter.size, 0)
  }

  dispose(): void {
    this.detachGradients()
    for (const parameter of this.parameters) parameter.dispose()
    this.flat.dispose()
  }

  #matching(patterns: readonly string[]): Parameter[] {
    return patterns.flatMap(pattern => {
      const expression = globExpression(pattern)
      const found = this.parameters.filter(parameter => expression.test(parameter.name))
      if (found.length > 0) return found
      throw new AuroraError({
        code: 'ERR_INVALID_ARGUMENT',
        message: `no parameter matches "${pattern}"`,
        expected: `a pattern for names such as ${this.parameters
          .slice(0, 3)
          .map(p => p.name)
          .join(', ')}`,
        found: 'no match',
      })
    })
  }

  #beforeGradients(action: string): void {
    if (!this.#gradients) return
    throw new AuroraError({
      code: 'ERR_STATE',
      message: `${action}: the gradient buffers exist already`,
      expected: 'the choice of what is trained before attachGradients()',
      found: 'attached gradients',
      hint: 'call detachGradients() first',
    })
  }
}

/** What a layer sees of the store: its own parameters by their short names. */
export class ParameterGroup {
  readonly #store: ParameterStore
  readonly #prefix: string

  constructor(store: ParameterStore, prefix: string) {
    this.#store = store
    this.#prefix = prefix
  }

  get(name: string): Parameter {
    return this.#store.get(this.#prefix + name)
  }

  find(name: string): Parameter | undefined {
    return this.#store.find(this.#prefix + name)
  }

  group(prefix: string): ParameterGroup {
    return this.#store.group(this.#prefix + prefix)
  }
}

/** The initial values of the model's parameter number `index`. */
export function fillInitial(parameter: Tensor, initial: Initial, seed: number | bigint, index: number): void {
  if (initial.kind === 'normal') fillNormal(parameter, 0, initial.std, randomWords(seed, Purpose.init, index))
  else fill(parameter, initial.value)
}

function paddedSize(parameter: Pick<ParameterSpec, 'shape'>): number {
  return Math.ceil(sizeOf(parameter.shape) / alignment) * alignment
}

function globExpression(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`)
}
