// The exponential of softmax: base 2, as scores can be scaled by log₂ e for free, and of numbers ≤ 0. It takes half the
// instructions of the general one in cpu/math.h.
#pragma once

#include "cpu/math.h"

namespace aurora::cpu::AURORA_ISA::flash {

constexpr float kLog2E = 1.44269504f;
constexpr float kLn2 = 0.693147182f;

/// 2ˣ for x < 127, within 2 ulp; 0 for x < −125. NaN stays NaN.
inline f32v exp2(f32v x) {
  // Adding 1.5·2²³ rounds to an integer n and leaves it in the low bits; x = n + r.
  constexpr float kRound = 0x1.8p23f;
  const f32v shifted = x + kRound;
  const f32v r = x - (shifted - kRound);
  // A minimax fit on [−½, ½].
  const f32v p = polynomial(r, 1.0f, 6.93147004e-1f, 2.40222424e-1f, 5.55073358e-2f, 9.67151299e-3f, 1.32647273e-3f);
  return select((i32v)(x < -125.0f), splat(0), p * fromBits((bits(shifted) + 127) << 23));
}

}  // namespace aurora::cpu::AURORA_ISA::flash
