// The activations and their derivatives, by the CPU's formulas (cpu/math.h), whose error bounds hold here but for the device's exponential.
#pragma once

#include "core/backend.h"
#include "hip/portable/portable.h"

namespace aurora::hip {

/// e^(−t²/2)/√(2π) and the upper tail of the normal distribution, for t ≥ 0.
struct NormalTail {
  float density, tail;
};
AURORA_DEVICE inline NormalTail normalTail(float t) {
  const float e = expf(-0.5f * t * t), u = 1.0f / (0.35f * t + 1.0f);
  constexpr float kCoefficients[] = {-2.91459281e-2f, 1.43971682e-1f, -2.55714238e-1f, 1.59174129e-1f, -2.31098142e-2f,
                                     1.05507992e-1f,  1.19832873e-1f, 1.39861867e-1f,  1.39621407e-1f};
  float p = 0;
  AURORA_UNROLL
  for (const float c : kCoefficients) p = p * u + c;
  return {e * 0.398942280f, e * u * p};
}
/// x Φ(x)
AURORA_DEVICE inline float gelu(float x) {
  const float tail = normalTail(fabsf(x)).tail;
  return x * (x > 0 ? 1.0f - tail : tail);
}
/// Φ(x) + x φ(x)
AURORA_DEVICE inline float geluDerivative(float x) {
  const float bounded = x < -20 ? -20.0f : x > 20 ? 20.0f : x;  // beyond, the result is 0 or 1; keeps 0·∞ out
  const NormalTail normal = normalTail(fabsf(bounded));
  return bounded * normal.density + (bounded > 0 ? 1.0f - normal.tail : normal.tail);
}

/// e^(−2g), g = √(2/π)(x + 0.044715 x³); ½(1 + tanh g) = 1/(1 + e^(−2g)) has no cancellation for negative x.
AURORA_DEVICE inline float geluTanhExp(float x) { return expf(-1.59576912f * x * (0.044715f * x * x + 1.0f)); }
AURORA_DEVICE inline float geluTanh(float x) { return x / (geluTanhExp(x) + 1.0f); }
AURORA_DEVICE inline float geluTanhDerivative(float x) {
  const float bounded = x < -9 ? -9.0f : x > 9 ? 9.0f : x;  // beyond, the result is 0 or 1; keeps e^(−2g) finite
  const float e = geluTanhExp(bounded), gate = 1.0f / (e + 1.0f);
  return gate + bounded * gate * gate * e * (0.214064446f * bounded * bounded + 1.59576912f);  // 2g' = 2√(2/π)(1 + 3·0.044715 x²)
}

template <Activation activation>
AURORA_DEVICE inline float activate(float x) {
  if constexpr (activation == Activation::gelu) return gelu(x);
  if constexpr (activation == Activation::geluTanh) return geluTanh(x);
  return x;
}
template <Activation activation>
AURORA_DEVICE inline float activationDerivative(float x) {
  if constexpr (activation == Activation::gelu) return geluDerivative(x);
  if constexpr (activation == Activation::geluTanh) return geluTanhDerivative(x);
  return 1;
}

}  // namespace aurora::hip
