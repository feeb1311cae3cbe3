// What happens to a block of sums on its way into C: bias, activation, accumulation, rounding.
#pragma once

#include "cpu/gemm/gemm.h"
#include "cpu/gemm/microkernel.h"
#include "cpu/loops.h"
#include "cpu/math.h"

namespace aurora::cpu::AURORA_ISA {

template <Activation activation>
inline f32v activate(f32v z) {
  if constexpr (activation == Activation::gelu) return gelu(z);
  if constexpr (activation == Activation::geluTanh) return geluTanh(z);
  return z;
}

/// Writes sums [rows, columns] (f32, ld apart, whole vectors readable) to C from element (row, column) on.
using Finish = void (*)(const Output&, const Epilogue&, const float* sums, int64_t ld, int64_t row, int64_t column, int64_t rows,
                        int64_t columns);

template <class T, Activation activation, bool withBias, bool withPreactivation, bool accumulate>
void finish(const Output& c, const Epilogue& epilogue, const float* sums, int64_t ld, int64_t row, int64_t column, int64_t rows,
            int64_t columns) {
  const int64_t start = row * c.ld + column;
  T* to = static_cast<T*>(c.data) + start;
  T* preactivation = static_cast<T*>(epilogue.preactivation) + (withPreactivation ? start : 0);
  const T* bias = static_cast<const T*>(epilogue.bias) + (withBias ? column : 0);
  const auto finishRows = [&](auto width) __attribute__((always_inline)) {
    for (int64_t i = 0; i < rows; ++i, to += c.ld, preactivation += withPreactivation ? c.ld : 0, sums += ld)
      forVectors(0, width, [&](int64_t j, auto count) __attribute__((always_inline)) {
        f32v z = load(sums + j);
        if constexpr (withBias) z += load(bias + j, count);
        if constexpr (withPreactivation) store(preactivation + j, z, count);
        z = activate<activation>(z);
        if constexpr (accumulate) z += load(to + j, count);
        store(to + j, z, count);
      });
  };
  if (columns == kTileColumns)
    finishRows(std::integral_constant<int64_t, kTileColumns>{});
  else
    finishRows(columns);
}

/// The finish for this output and epilogue.
template <class T, Activation activation>
Finish finisherOf(const Epilogue& epilogue) {
  if constexpr (activation != Activation::none)
    if (epilogue.preactivation)
      return epilogue.bias ? &finish<T, activation, true, true, false> : &finish<T, activation, false, true, false>;
  return epilogue.bias ? &finish<T, activation, true, false, false> : &finish<T, activation, false, false, false>;
}
inline Finish finisher(const Output& c, const Epilogue& epilogue) {
  if (c.accumulate) return &finish<float, Activation::none, false, false, true>;
  Finish chosen = nullptr;
  withFloat(c.dtype, [&](auto zero) {
    using T = decltype(zero);
    switch (epilogue.activation) {
      case Activation::gelu:
        chosen = finisherOf<T, Activation::gelu>(epilogue);
        break;
      case Activation::geluTanh:
        chosen = finisherOf<T, Activation::geluTanh>(epilogue);
        break;
      default:
        chosen = finisherOf<T, Activation::none>(epilogue);
    }
  });
  return chosen;
}

}  // namespace aurora::cpu::AURORA_ISA
