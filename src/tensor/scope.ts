/** Scopes: regions of code at whose end the tensors made inside are disposed of. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { onTensorMade, Tensor } from './tensor.ts'

/** The tensors of the scope that is open here; across an await it is still the same one. */
const scopes = new AsyncLocalStorage<Set<Tensor>>()

onTensorMade(made => adopt(made, scopes.getStore()))

function adopt(tensor: Tensor, home: Set<Tensor> | undefined): void {
  tensor.home = home
  home?.add(tensor)
}

/**
 * Runs `fn` and disposes of every tensor made inside except those in its return value: a tensor, or arrays and plain
 * objects of them. These move to the enclosing scope, if there is one. An async `fn` is followed until it settles.
 * Parameters of models, optimizer state and whatever was given to `keep` belong to their owners, not to a scope.
 */
export function scope<T>(fn: () => T): T {
  const outer = scopes.getStore()
  const made = new Set<Tensor>()
  const close = () => {
    for (const tensor of made) tensor.dispose()
  }
  const leave = <R>(result: R): R => {
    for (const tensor of tensorsIn(result)) {
      if (tensor.home !== made) continue
      made.delete(tensor)
      adopt(tensor, outer)
    }
    close()
    return result
  }
  let result: T
  try {
    result = scopes.run(made, fn)
  } catch (error) {
    close()
    throw error
  }
  if (!(result instanceof Promise)) return leave(result)
  return result.then(leave, error => {
    close()
    throw error
  }) as T
}

/** Takes a tensor out of its scope: from now on only its owner disposes of it. */
export function keep(tensor: Tensor): Tensor {
  tensor.home?.delete(tensor)
  tensor.home = undefined
  return tensor
}

function* tensorsIn(value: unknown): Iterable<Tensor> {
  if (value instanceof Tensor) yield value
  else if (Array.isArray(value)) for (const item of value) yield* tensorsIn(item)
  else if (isPlainObject(value)) for (const item of Object.values(value)) yield* tensorsIn(item)
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
