/** Trained tensors: views of one flat buffer. */
import { Tensor, viewId } from '../tensor/index.ts'

/** How a parameter begins. */
export type Initial = { kind: 'normal'; std: number } | { kind: 'constant'; value: number }

/** What a layer says of a parameter before it exists. */
export interface ParameterSpec {
  readonly shape: readonly number[]
  readonly initial: Initial
}

/** A layer's parameters by name; layers nest. */
export interface ParameterTree {
  readonly [name: string]: ParameterSpec | ParameterTree
}

/** A named, trained tensor. It belongs to its ParameterStore: scopes leave it alone. */
export class Parameter extends Tensor {
  readonly name: string
  readonly initial: Initial
  /** First element in the store's flat buffer. */
  readonly offset: number
  /** Whether weight decay applies: by default to matrices, not to biases and norms. */
  decay: boolean
  /** False once frozen. */
  trainable = true

  constructor(name: string, spec: ParameterSpec, flat: Tensor, offset: number) {
    super(viewId(flat, offset, spec.shape), spec.shape, flat.dtype, flat.device)
    this.name = name
    this.initial = spec.initial
    this.offset = offset
    this.decay = decaysByDefault(spec)
  }
}

export function decaysByDefault(spec: ParameterSpec): boolean {
  return spec.shape.length >= 2
}

/** The tree's leaves with their dotted names, in order. */
export function* namedSpecs(tree: ParameterTree, prefix = ''): Iterable<[name: string, spec: ParameterSpec]> {
  for (const [name, node] of Object.entries(tree)) {
    if (isSpec(node)) yield [prefix + name, node]
    else yield* namedSpecs(node, `${prefix}${name}.`)
  }
}

function isSpec(node: ParameterSpec | ParameterTree): node is ParameterSpec {
  return Array.isArray(node.shape)
}
