// The exponential of softmax: base 2, as scores can be scaled by log₂ e for free, and of numbers ≤ 0. It takes half the
// instructions of the general one in cpu/math.h.
#pragma once

#include "cpu/math.h"

namespace aurora::cpu::AURORA_ISA::flash {

constexpr float kLog2E = 1.44269504f;
constexpr float kLn2 = 0.693147182f;

/// 2ʳ on [−½, ½], a minimax fit.
inline f32v exp2OfFraction(f32v r) {
  return polynomial(r, 1.0f, 6.93147004e-1f, 2.40222424e-1f, 5.55073358e-2f, 9.67151299e-3f, 1.32647273e-3f);
}

/// 2ˣ for x < 127, within 2 ulp; for x < −125 anything down to 0, at −∞ 0. NaN stays NaN.
inline f32v exp2(f32v x) {
#if defined(__AVX512F__) && AURORA_SIMD_WIDTH == 16
  const f32v n = __builtin_ia32_rndscaleps_mask(x, 0, x, -1, 4);
  return __builtin_ia32_scalefps512_mask(exp2OfFraction(x - n), n, x, -1, 4);  // 0 for NaN · 2^−∞
#else
  // Adding 1.5·2²³ rounds to an integer n and leaves it in the low bits; x = n + r.
  constexpr float kRound = 0x1.8p23f;
  const f32v shifted = x + kRound;
  const f32v p = exp2OfFraction(x - (shifted - kRound));
  return select((i32v)(x < -125.0f), splat(0), p * fromBits((bits(shifted) + 127) << 23));
#endif
}

}  // namespace aurora::cpu::AURORA_ISA::flash
