// Elementary functions on vectors. Each comment states a bound of the error against float64, to which test/native/math_test.cpp
// holds the function; 1 ulp is the distance to the next float. NaN stays NaN. Coefficients are minimax fits of
// the function in the comment, on the stated interval. Internal linkage: random.cpp is compiled without contraction and must get its own.
#pragma once

#include "cpu/simd.h"

namespace aurora::cpu::AURORA_ISA {

/// c₀ + c₁ x + c₂ x² + … by Horner's rule.
template <class... Rest>
static inline f32v polynomial(f32v x, float c0, Rest... rest) {
  if constexpr (sizeof...(rest) == 0)
    return splat(c0);
  else
    return polynomial(x, rest...) * x + c0;
}

static inline f32v abs(f32v x) { return fromBits(bits(x) & 0x7fffffff); }
/// |x| with the sign of `sign`.
static inline f32v copySign(f32v x, f32v sign) { return fromBits((bits(x) & 0x7fffffff) | (bits(sign) & INT32_MIN)); }

/// eˣ within 2 ulp. Overflows to infinity above 88.73; results below 2⁻¹²⁵ (x < −86.98) are 0.
static inline f32v exp(f32v x) {
  x = min(splat(89.0f), max(splat(-87.3f), x));
  // x = n ln 2 + r: adding 1.5·2²³ rounds to an integer and leaves it in the low bits.
  constexpr float kRound = 0x1.8p23f;
  const f32v shifted = x * 1.44269504f + kRound;
  const f32v n = shifted - kRound;
  const f32v r = (x - n * 0.693145752f) - n * 1.42860677e-6f;
  const f32v p = polynomial(r, 0.5f, 1.66666657e-1f, 4.16662805e-2f, 8.33350420e-3f, 1.39457535e-3f, 1.97892674e-4f);  // (eʳ − 1 − r)/r²
  // Scaled by 2ⁿ⁻¹, as 2¹²⁸ is no float; the missing factor 2 is in the polynomial. n = −126 gives the bits of 0.
  const f32v half = fromBits(((bits(shifted) - bits(splat(kRound))) + 126) << 23);
  return (r * r * (p + p) + (r + r) + 2.0f) * half;
}

/// ln x within 2 ulp, subnormal x included. ln 0 = −∞, NaN below 0.
static inline f32v log(f32v x) {
  const i32v tiny = (i32v)(x < 0x1p-126f);
  const f32v normal = select(tiny, x * 0x1p23f, x);
  // normal = 2ᵉ (1 + r) with 1 + r in [√½, √2).
  const i32v e = (bits(normal) - 0x3f3504f3) >> 23;
  const f32v r = fromBits(bits(normal) - (e << 23)) - 1.0f;
  const f32v exponent = __builtin_convertvector(e + (tiny & -23), f32v);
  const f32v p = polynomial(r, 3.33333135e-1f, -2.50008196e-1f, 2.00012267e-1f, -1.66233569e-1f, 1.42017573e-1f, -1.31601825e-1f,
                            1.27615765e-1f, -7.63449669e-2f);  // (ln(1 + r) − r + r²/2)/r³
  const f32v r2 = r * r;
  f32v y = exponent * 0.693145752f + (r + ((r2 * r * p + exponent * 1.42860677e-6f) - 0.5f * r2));
  y = select((i32v)(x == 0.0f), splat(-__builtin_inff()), y);
  y = select((i32v)(x == __builtin_inff()), x, y);
  return select((i32v)(x < 0.0f) | (i32v)(x != x), splat(__builtin_nanf("")), y);
}

/// tanh x within 2 ulp.
static inline f32v tanh(f32v x) {
  const f32v t = abs(x), s = x * x;
  const f32v small = x + x * s * polynomial(s, -3.33333165e-1f, 1.33325860e-1f, -5.38523085e-2f, 2.10716799e-2f, -6.27424009e-3f);
  const f32v large = 1.0f - 2.0f / (exp(t + t) + 1.0f);
  return select((i32v)(t < 0.55f), small, copySign(large, x));
}

/// e^(−t²/2)/√(2π) and the upper tail of the normal distribution, Q(t) = ½ erfc(t/√2), for t ≥ 0. The relative error grows with t as that
/// of e^(−t²/2) does, whose argument is rounded.
struct NormalTail {
  f32v density, tail;
};
static inline NormalTail normalTail(f32v t) {
  const f32v e = exp(-0.5f * t * t);
  const f32v u = 1.0f / (0.35f * t + 1.0f);
  const f32v p = polynomial(u, 1.39621407e-1f, 1.39861867e-1f, 1.19832873e-1f, 1.05507992e-1f, -2.31098142e-2f, 1.59174129e-1f, -2.55714238e-1f,
                            1.43971682e-1f, -2.91459281e-2f);  // Q(t) e^(t²/2)/u on t in [0, 14]
  return {e * 0.398942280f, e * u * p};
}

/// erf x within 2 ulp.
static inline f32v erf(f32v x) {
  const f32v t = abs(x), s = x * x;
  const f32v small = x + x * polynomial(s, 1.28379151e-1f, -3.76124859e-1f, 1.12817213e-1f, -2.67631281e-2f, 4.98800911e-3f, -5.96427417e-4f);
  const f32v large = 1.0f - 2.0f * normalTail(t * 1.41421356f).tail;
  return select((i32v)(t < 0.92f), small, copySign(large, x));
}

/// x Φ(x) = x/2 (1 + erf(x/√2)). Within 8 ulp for x ≥ −2 and 4 + x² ulp below, where the result vanishes like e^(−x²/2); 0 from −13.1 on.
static inline f32v gelu(f32v x) {
  const f32v tail = normalTail(abs(x)).tail;
  return x * select((i32v)(x > 0.0f), 1.0f - tail, tail);
}
/// Φ(x) + x φ(x), within 2.5e-7 (values lie in [−0.13, 1.13]).
static inline f32v geluDerivative(f32v x) {
  x = min(splat(20.0f), max(splat(-20.0f), x));  // beyond, the result is 0 or 1; keeps 0·∞ out
  const NormalTail normal = normalTail(abs(x));
  return x * normal.density + select((i32v)(x > 0.0f), 1.0f - normal.tail, normal.tail);
}

/// e^(−2g), g = √(2/π)(x + 0.044715 x³); ½(1 + tanh g) = 1/(1 + e^(−2g)) has no cancellation for negative x.
static inline f32v geluTanhExp(f32v x) { return exp(-1.59576912f * x * (0.044715f * x * x + 1.0f)); }
/// x/2 (1 + tanh(√(2/π)(x + 0.044715 x³))). Within 4 ulp for x ≥ −1 and 8 + 2x² ulp below.
static inline f32v geluTanh(f32v x) { return x / (geluTanhExp(x) + 1.0f); }
/// The derivative of geluTanh, within 4e-7.
static inline f32v geluTanhDerivative(f32v x) {
  x = min(splat(9.0f), max(splat(-9.0f), x));  // beyond, the result is 0 or 1; keeps e^(−2g) finite
  const f32v e = geluTanhExp(x), gate = 1.0f / (e + 1.0f);
  return gate + x * gate * gate * e * (0.214064446f * x * x + 1.59576912f);  // 2g' = 2√(2/π)(1 + 3·0.044715 x²)
}

}  // namespace aurora::cpu::AURORA_ISA
