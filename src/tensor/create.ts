/** Making tensors. */
import { AuroraError } from '../errors.ts'
import { native } from '../native.ts'
import type { RandomWords } from '../random/index.ts'
import { fill, fillNormal } from './assign.ts'
import { type Device, device } from './device.ts'
import { type DType, dtypeCode, dtypeOf, type TypedArray } from './dtype.ts'
import { sizeOf, Tensor, track } from './tensor.ts'

export interface TensorOptions {
  /** Default: f32, or what fits the typed array given. */
  dtype?: DType
  /** Default: setDefaultDevice's, 'cpu' at first. */
  device?: Device | string
}

/** A tensor of that shape whose values are whatever the memory held. */
export function empty(shape: readonly number[], options: TensorOptions = {}): Tensor {
  const dtype = options.dtype ?? 'f32'
  const on = device(options.device)
  return track(new Tensor(native.alloc(on.id, dtypeCode[dtype], shape), [...shape], dtype, on))
}

/** Uninitialised, on x's device; shape and dtype are x's unless given. */
export function emptyLike(x: Tensor, shape: readonly number[] = x.shape, dtype: DType = x.dtype): Tensor {
  return empty(shape, { dtype, device: x.device })
}

/** Every element `value`. */
export function full(shape: readonly number[], value: number, options: TensorOptions = {}): Tensor {
  const y = empty(shape, options)
  fill(y, value)
  return y
}

export function zeros(shape: readonly number[], options: TensorOptions = {}): Tensor {
  return full(shape, 0, options)
}

/** The values as a tensor; a vector unless a shape is given. Converts when `dtype` is not the array's own. */
export function tensor(
  values: TypedArray | readonly number[],
  shape: readonly number[] = [values.length],
  options: TensorOptions = {},
): Tensor {
  if (sizeOf(shape) !== values.length) {
    throw new AuroraError({
      code: 'ERR_SHAPE',
      message: 'tensor: the shape does not fit the values',
      expected: `${sizeOf(shape)} values for [${shape}]`,
      found: `${values.length}`,
    })
  }
  const y = empty(shape, { dtype: options.dtype ?? dtypeOf(values), device: options.device })
  y.write(values)
  return y
}

export interface RandomOptions extends TensorOptions {
  /** Key and stream of the random numbers (src/random): element i is a function of these words and i alone. */
  random: RandomWords
}

/** Normally distributed values; mean 0 and std 1 unless given. */
export function randomNormal(shape: readonly number[], options: RandomOptions & { mean?: number; std?: number }): Tensor {
  const y = empty(shape, options)
  fillNormal(y, options.mean ?? 0, options.std ?? 1, options.random)
  return y
}

/** Values uniform in [low, high); [0, 1) unless given. */
export function randomUniform(shape: readonly number[], options: RandomOptions & { low?: number; high?: number }): Tensor {
  const y = empty(shape, options)
  native.randomUniform(y.id, options.low ?? 0, options.high ?? 1, options.random)
  return y
}
