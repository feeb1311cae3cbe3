// What happens to a block of sums on its way into C: bias, activation, accumulation, rounding.
#pragma once

#include "cpu/gemm/gemm.h"
#include "cpu/loops.h"
#include "cpu/math.h"

namespace aurora::cpu::AURORA_ISA {

inline f32v activate(f32v z, Activation activation) {
  switch (activation) {
    case Activation::gelu:
      return gelu(z);
    case Activation::geluTanh:
      return geluTanh(z);
    default:
      return z;
  }
}

/// Writes sums [rows, columns] (f32, ld apart, whole vectors readable) to C from element (row, column) on.
template <class T>
void finish(const Output& c, const Epilogue& epilogue, const float* sums, int64_t ld, int64_t row, int64_t column, int64_t rows,
            int64_t columns) {
  const T* bias = static_cast<const T*>(epilogue.bias);
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t start = (row + i) * c.ld + column;
    T* to = static_cast<T*>(c.data) + start;
    T* preactivation = epilogue.preactivation ? static_cast<T*>(epilogue.preactivation) + start : nullptr;
    forVectors(0, columns, [&](int64_t j, auto count) {
      f32v z = load(sums + i * ld + j);
      if (bias) z += load(bias + column + j, count);
      if (preactivation) store(preactivation + j, z, count);
      z = activate(z, epilogue.activation);
      if (c.accumulate) z += load(to + j, count);
      store(to + j, z, count);
    });
  }
}

using Finish = void (*)(const Output&, const Epilogue&, const float* sums, int64_t ld, int64_t row, int64_t column, int64_t rows,
                        int64_t columns);
inline Finish finisher(DType dtype) { return dtype == DType::f32 ? &finish<float> : &finish<bf16>; }

}  // namespace aurora::cpu::AURORA_ISA
