import { native } from '../native.ts'
import type { Tensor } from '../tensor/index.ts'
import { idOf } from './check.ts'

/** Flat buffers of equal size. */
export interface AdamWBuffers {
  /** f32 or bf16. */
  parameter: Tensor
  /** f32 master weights; required with a bf16 parameter, absent with an f32 one. */
  master: Tensor | undefined
  gradient: Tensor
  /** First and second moments, f32. */
  m: Tensor
  v: Tensor
}

export interface AdamWSettings {
  lr: number
  beta1: number
  beta2: number
  epsilon: number
  weightDecay: number
  /** Multiplies the gradient first (clipping). */
  gradientScale: number
  /** t ≥ 1 of the bias correction. */
  step: number
}

/**
 * One AdamW update in place (Loshchilov & Hutter 2019). g = gradient·gradientScale; m = β₁m + (1−β₁)g; v = β₂v + (1−β₂)g²;
 * master −= lr·(m̂/(√v̂ + ε) + weightDecay·master) with m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ); the parameter receives it rounded.
 */
export function adamw(buffers: AdamWBuffers, settings: AdamWSettings): void {
  const { parameter, master, gradient, m, v } = buffers
  const { lr, beta1, beta2, epsilon, weightDecay, gradientScale, step } = settings
  native.adamw(parameter.id, idOf(master), gradient.id, m.id, v.id, lr, beta1, beta2, epsilon, weightDecay, gradientScale, step)
}
