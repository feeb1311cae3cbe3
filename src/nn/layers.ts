/** Layers: what parameters they declare, and their forward function. */
import { type Activation, embedding, layerNorm, linear } from '../ops/index.ts'
import type { Tensor } from '../tensor/index.ts'
import type { Initial, Parameter, ParameterTree } from './parameter.ts'
import type { ParameterGroup } from './store.ts'

const zero: Initial = { kind: 'constant', value: 0 }
const one: Initial = { kind: 'constant', value: 1 }

/** y = activation(x · weightᵀ + bias), weight [outputs, inputs]. */
export class Linear {
  readonly weight: Parameter
  /** Absent where another rank adds it. */
  readonly bias: Parameter | undefined
  /** The operation; a parallel plan puts one in its place that exchanges with other ranks. */
  compute: (x: Tensor, weight: Tensor, bias: Tensor | undefined, activation: Activation) => Tensor = linear

  static parameters(inputs: number, outputs: number, std: number): ParameterTree {
    return { weight: { shape: [outputs, inputs], initial: { kind: 'normal', std } }, bias: { shape: [outputs], initial: zero } }
  }

  constructor(parameters: ParameterGroup) {
    this.weight = parameters.get('weight')
    this.bias = parameters.find('bias')
  }

  /** x [N, inputs] → [N, outputs]. */
  forward(x: Tensor, activation: Activation = 'none'): Tensor {
    return this.compute(x, this.weight, this.bias, activation)
  }
}

/** Learned vectors of tokens and of absolute positions, added. */
export class Embedding {
  readonly tokens: Parameter
  readonly positions: Parameter

  static table(rows: number, width: number, std: number): ParameterTree {
    return { weight: { shape: [rows, width], initial: { kind: 'normal', std } } }
  }

  constructor(tokens: ParameterGroup, positions: ParameterGroup) {
    this.tokens = tokens.get('weight')
    this.positions = positions.get('weight')
  }

  /** tokens, positions i32 [N] → [N, D]. */
  forward(tokens: Tensor, positions: Tensor): Tensor {
    return embedding(tokens, positions, this.tokens, this.positions)
  }
}

/** Layer normalisation of the residual stream, which it first brings up to date. */
export class LayerNorm {
  readonly weight: Parameter
  readonly bias: Parameter
  readonly epsilon: number

  static parameters(width: number): ParameterTree {
    return { weight: { shape: [width], initial: one }, bias: { shape: [width], initial: zero } }
  }

  constructor(parameters: ParameterGroup, epsilon: number) {
    this.weight = parameters.get('weight')
    this.bias = parameters.get('bias')
    this.epsilon = epsilon
  }

  /** h [N, D] and the branch to be added to it, if any → [h + branch, its norm]. */
  forward(h: Tensor, branch?: Tensor): [h: Tensor, y: Tensor] {
    const { weight, bias, epsilon } = this
    return branch ? layerNorm(branch, weight, bias, { epsilon, residual: h }) : layerNorm(h, weight, bias, { epsilon })
  }
}

/** Two linear layers with an activation between: [N, D] → [N, F] → [N, D]. */
export class MLP {
  readonly expand: Linear
  readonly project: Linear
  readonly activation: Activation

  constructor(expand: Linear, project: Linear, activation: Activation) {
    this.expand = expand
    this.project = project
    this.activation = activation
  }

  forward(x: Tensor): Tensor {
    return this.project.forward(this.expand.forward(x, this.activation))
  }
}

/** Attends over the rows of a fused projection qkv [N, (H + 2G)·K] → [N, H·K]: over a batch, or over a cache. */
export type Attend = (qkv: Tensor) => Tensor

/** Projection to queries, keys and values, attention, projection back. */
export class MultiQueryAttention {
  readonly queryKeyValue: Linear
  readonly project: Linear

  constructor(queryKeyValue: Linear, project: Linear) {
    this.queryKeyValue = queryKeyValue
    this.project = project
  }

  forward(x: Tensor, attend: Attend): Tensor {
    return this.project.forward(attend(this.queryKeyValue.forward(x)))
  }
}
