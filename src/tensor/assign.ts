/** Overwriting tensors that exist: no derivative, nothing is made. */
import { native } from '../native.ts'
import type { RandomWords } from '../random/index.ts'
import type { Tensor } from './tensor.ts'

/** y = value everywhere. */
export function fill(y: Tensor, value: number): void {
  native.fill(y.id, value)
}

/** y = x, converted to y's dtype; sizes are equal. */
export function copy(x: Tensor, y: Tensor): void {
  native.cast(x.id, y.id)
}

/** y += x. Same shape and float dtype. */
export function accumulate(y: Tensor, x: Tensor): void {
  native.add(y.id, 1, x.id, 1, y.id)
}

/** y = mean + std · normal numbers; element i is a function of `random` and i alone. */
export function fillNormal(y: Tensor, mean: number, std: number, random: RandomWords): void {
  native.randomNormal(y.id, mean, std, random)
}
