import { record } from '../autograd/index.ts'
import { AuroraError } from '../errors.ts'
import type { Tensor } from '../tensor/index.ts'

/**
 * Records losses whose gradients were taken in the forward pass, because the logits existed only then: weight's is added already, and `dh`, which is
 * handed over, is h's. They must be the root of the backward pass, with its unit seed.
 */
export function recordRoot(operation: string, h: Tensor, weight: Tensor, losses: Tensor, dh: Tensor | undefined): void {
  record(
    operation,
    [h, weight],
    losses,
    ([upstream], grads) => {
      if (!grads.isUnit(upstream!)) {
        throw new AuroraError({
          code: 'ERR_INVALID_ARGUMENT',
          message: `${operation}: its losses must be the root of the backward pass`,
          expected: 'Tape.backward(losses) without an upstream gradient',
          found: 'losses used by further operations, or an upstream gradient',
          hint: 'scale the objective by the weights',
        })
      }
      if (dh) grads.give(dh, h)
    },
    dh ? [dh] : [],
  )
}
