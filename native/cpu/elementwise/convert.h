// Conversion between element types: what cast, write and read share.
#pragma once

#include "cpu/kernels.h"

namespace aurora::cpu::AURORA_ISA {

/// y = x element by element, by the rules of Cast in core/backend.h; half precision is a float type like the others. Equal types
/// are copied. Only then may x and y overlap, and only by being equal.
void convert(Context&, const void* x, WireType from, void* y, WireType to, int64_t n);

/// value in the bytes of type `to` (at most 4).
void convertScalar(double value, DType to, void* y);

}  // namespace aurora::cpu::AURORA_ISA
