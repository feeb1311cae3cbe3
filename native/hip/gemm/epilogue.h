// What happens to sums on their way into c: scaled, added to c or to a bias, activated, rounded.
#pragma once

#include "hip/gemm/activation.h"
#include "hip/gemm/gemm.h"

namespace aurora::hip {

/// c and the epilogue, as an argument of kernels. With `wide` its runs of 4 elements, from column 0 on, are aligned to their size.
struct GemmOutput {
  void* c;
  int64_t stride, rows, columns;
  float alpha = 1, beta = 0;
  const void* bias = nullptr;
  void* preactivation = nullptr;
  Activation activation = Activation::none;
  bool f32 = true, wide = false;
};

/// Makes `count` neighbours of row `row` from their sums.
template <class C, Activation activation, int count>
AURORA_DEVICE inline void finishRun(const GemmOutput& out, int64_t row, int64_t column, const float* sums) {
  const int64_t at = row * out.stride + column;
  float z[count];
  AURORA_UNROLL
  for (int j = 0; j < count; ++j) z[j] = out.alpha * sums[j];
  if (out.bias) {
    const auto bias = loadRun<count>(static_cast<const C*>(out.bias) + column);
    AURORA_UNROLL
    for (int j = 0; j < count; ++j) z[j] += toFloat(bias.values[j]);
  }
  if (out.beta != 0) {
    const auto before = loadRun<count>(static_cast<const C*>(out.c) + at);
    AURORA_UNROLL
    for (int j = 0; j < count; ++j) z[j] += out.beta * toFloat(before.values[j]);
  }
  Run<count, C> rounded;
  if constexpr (activation != Activation::none) {
    if (out.preactivation) {
      AURORA_UNROLL
      for (int j = 0; j < count; ++j) rounded.values[j] = fromFloat<C>(z[j]);
      storeRun(static_cast<C*>(out.preactivation) + at, rounded);
    }
  }
  AURORA_UNROLL
  for (int j = 0; j < count; ++j) rounded.values[j] = fromFloat<C>(activate<activation>(z[j]));
  storeRun(static_cast<C*>(out.c) + at, rounded);
}
/// The same for those that lie inside c.
template <class C, Activation activation, int count>
AURORA_DEVICE inline void finishInside(const GemmOutput& out, int64_t row, int64_t column, const float* sums) {
  if (row >= out.rows || column >= out.columns) return;
  if (out.wide && column + count <= out.columns) return finishRun<C, activation, count>(out, row, column, sums);
  for (int j = 0; j < count && column + j < out.columns; ++j) finishRun<C, activation, 1>(out, row, column + j, sums + j);
}

/// body(a value of c's type, Constant<activation>); an f32 product has an f32 result. Only kernels made for activations have code for them.
template <class T, bool activated, class Body>
AURORA_DEVICE inline void withEpilogue(const GemmOutput& out, Body&& body) {
  const auto withType = [&](auto type) {
    if constexpr (activated) {
      if (out.activation == Activation::gelu) return body(type, Constant<static_cast<int>(Activation::gelu)>{});
      if (out.activation == Activation::geluTanh) return body(type, Constant<static_cast<int>(Activation::geluTanh)>{});
    }
    body(type, Constant<static_cast<int>(Activation::none)>{});
  };
  if constexpr (sizeof(T) == sizeof(float))
    withType(float{});
  else if (out.f32)
    withType(float{});
  else
    withType(T{});
}

}  // namespace aurora::hip
