/** Argument checks shared by the operations: what is needed to derive shapes. The native side checks everything else. */
import { AuroraError } from '../errors.ts'
import type { OptionalId } from '../native.ts'
import { Tensor } from '../tensor/index.ts'

/** All of these are live tensors of that rank; `expected` says in one phrase what shapes the operation takes. */
export function expectRank(rank: number, operation: string, tensors: Readonly<Record<string, Tensor>>, expected: string): void {
  for (const [name, tensor] of Object.entries(tensors)) {
    expectTensor(operation, name, tensor)
    if (tensor.shape.length !== rank) throw shapeError(operation, expected, `${name} [${tensor.shape.join(', ')}]`)
  }
}

export function expectMatrix(operation: string, tensors: Readonly<Record<string, Tensor>>, expected: string): void {
  expectRank(2, operation, tensors, expected)
}

export function expectVector(operation: string, tensors: Readonly<Record<string, Tensor>>, expected: string): void {
  expectRank(1, operation, tensors, expected)
}

/** A live tensor, of any shape. */
export function expectTensor(operation: string, name: string, tensor: unknown): asserts tensor is Tensor {
  if (!(tensor instanceof Tensor)) {
    throw new AuroraError({
      code: 'ERR_INVALID_ARGUMENT',
      message: `${operation}: ${name} is not a tensor`,
      expected: 'a Tensor',
      found: tensor === null ? 'null' : typeof tensor,
    })
  }
  if (tensor.disposed) {
    throw new AuroraError({
      code: 'ERR_DISPOSED',
      message: `${operation}: ${name} has been disposed of`,
      found: `a disposed tensor [${tensor.shape.join(', ')}]`,
      hint: 'a scope frees what it does not return, and backward frees every recorded activation but its root',
    })
  }
}

export function shapeError(operation: string, expected: string, found: string): AuroraError {
  return new AuroraError({ code: 'ERR_SHAPE', message: `${operation}: the shapes do not fit`, expected, found })
}

/** The id of an optional tensor, as the native side takes it. */
export function idOf(tensor: Tensor | undefined): OptionalId {
  return tensor?.id ?? 0
}
