// IEEE half precision, which occurs in files only: read into floats, rounded from floats.
#pragma once

#include "cpu/simd.h"

namespace aurora::cpu::AURORA_ISA {

/// An IEEE half: 5 bits of exponent, 10 of mantissa. Occurs on the wire only.
struct f16 {
  uint16_t bits;
};

inline f32v load(const f16* p) {
  u16v h;
  std::memcpy(&h, p, sizeof h);
  const u32v x = __builtin_convertvector(h, u32v);
  // Shifted to a float's place, the exponent is 112 too small: a product repairs it, for subnormal halves too.
  const f32v magnitude = (f32v)((x & 0x7fff) << 13) * 0x1p112f;
  const i32v special = (i32v)((x & 0x7c00) == 0x7c00);
  return (f32v)((u32v)magnitude | ((u32v)special & 0x7f800000) | ((x & 0x8000) << 16));
}
inline void store(f16* p, f32v v) {
  const u32v sign = ((u32v)v >> 16) & 0x8000;
  const u32v x = (u32v)v & 0x7fffffff;
  const u32v normal = (x + 0xfff + ((x >> 13) & 1) - (112u << 23)) >> 13;  // rounds to nearest even; a carry moves the exponent
  const u32v small = (u32v)((f32v)x + 0.5f) - 0x3f000000;                  // below 2⁻¹⁴: the sum is rounded to multiples of 2⁻²⁴
  u32v half = (u32v)select((i32v)(x < (113u << 23)), (f32v)small, (f32v)normal);
  half = (u32v)select((i32v)(x >= 0x477ff000), (f32v)(u32v{} + 0x7c00), (f32v)half);  // from 65520 on: infinity
  half = (u32v)select((i32v)(x > 0x7f800000), (f32v)(u32v{} + 0x7e00), (f32v)half);
  const u16v h = __builtin_convertvector(half | sign, u16v);
  std::memcpy(p, &h, sizeof h);
}

}  // namespace aurora::cpu::AURORA_ISA
