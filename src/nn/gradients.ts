import { l2Norm } from '../ops/index.ts'
import { fill, keep, type Tensor, zeros } from '../tensor/index.ts'
import type { Parameter } from './parameter.ts'
import type { ParameterStore } from './store.ts'

/** The main gradients of all trainable parameters: one f32 buffer, to which every backward pass adds. */
export class GradientBuffer {
  /** The trainable ranges one after another (Segment.stateOffset), padding zero. */
  readonly tensor: Tensor
  readonly #parameters: Parameter[] = []

  /** Gives every trainable parameter its view of the buffer as `gradient`. */
  constructor(store: ParameterStore, multiple: number) {
    const length = store.segments().reduce((sum, segment) => sum + segment.length, 0)
    this.tensor = keep(zeros([Math.ceil(length / multiple) * multiple], { dtype: 'f32', device: store.flat.device }))
    for (const [parameter, offset] of store.stateOffsets()) {
      parameter.gradient = keep(this.tensor.view(offset, parameter.shape))
      this.#parameters.push(parameter)
    }
  }

  /** Before the first micro-batch of a step. */
  zero(): void {
    fill(this.tensor, 0)
  }

  /** The global norm √Σ g²; not finite when any gradient is not. */
  async norm(): Promise<number> {
    const norm = l2Norm(this.tensor)
    try {
      return await norm.item()
    } finally {
      norm.dispose()
    }
  }

  dispose(): void {
    for (const parameter of this.#parameters) {
      parameter.gradient?.dispose()
      parameter.gradient = undefined
    }
    this.tensor.dispose()
  }
}
