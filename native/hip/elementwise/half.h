// IEEE half precision, which occurs in files only: read into floats, rounded from floats.
#pragma once

#include "hip/portable/portable.h"

namespace aurora::hip {

/// An IEEE half: 5 bits of exponent, 10 of mantissa. Occurs on the wire only.
struct f16 {
  uint16_t bits;
};

AURORA_DEVICE inline float toFloat(f16 x) {
  const uint32_t bits = x.bits;
  // Shifted to a float's place, the exponent is 112 too small: a product repairs it, for subnormal halves too.
  const uint32_t magnitude = asBits(asFloat((bits & 0x7fff) << 13) * 0x1p112f);
  const uint32_t special = (bits & 0x7c00) == 0x7c00 ? 0x7f800000 : 0;
  return asFloat(magnitude | special | (bits & 0x8000) << 16);
}
/// To nearest even; infinity from 65520 on.
template <>
AURORA_DEVICE inline f16 fromFloat<f16>(float value) {
  const uint32_t sign = asBits(value) >> 16 & 0x8000, x = asBits(value) & 0x7fffffff;
  uint32_t half = (x + 0xfff + (x >> 13 & 1) - (112u << 23)) >> 13;        // a carry moves the exponent
  if (x < 113u << 23) half = asBits(asFloat(x) + 0.5f) - 0x3f000000;       // below 2⁻¹⁴: the sum is rounded to multiples of 2⁻²⁴
  if (x >= 0x477ff000) half = 0x7c00;
  if (x > 0x7f800000) half = 0x7e00;
  return {static_cast<uint16_t>(half | sign)};
}

}  // namespace aurora::hip
