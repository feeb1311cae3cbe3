// The door of the matrix products: C = epilogue(A · B), in f32 or bf16 with f32 accumulation, for every layout of the operands.
#pragma once

#include "cpu/kernels.h"

namespace aurora::cpu::AURORA_ISA {

/// A matrix in memory, f32 or bf16: element (i, j) at data[i·ld + j], or at data[j·ld + i] when transposed.
struct Operand {
  const void* data;
  DType dtype;
  int64_t ld;
  bool transposed = false;
};

/// Where C goes: element (i, j) at data[i·ld + j]. accumulate adds to what is there: f32, without an epilogue.
struct Output {
  void* data;
  DType dtype;
  int64_t ld;
  bool accumulate = false;
};

/// C = activation(A·B + bias). bias [N] (or null) and preactivation (or null, and without meaning when there is no
/// activation; receives A·B + bias, laid out like C) have C's dtype.
struct Epilogue {
  const void* bias = nullptr;
  Activation activation = Activation::none;
  void* preactivation = nullptr;
};

/// C [M, N] = epilogue(A [M, K] · B [K, N]), K ≥ 1. C must not overlap A or B. The result does not depend on the number of
/// threads: an element is summed over k in chunks that follow from the shape alone.
/// Uses the scratch slots kGemmScratch and up; callers keep to those below.
void gemm(Context&, int64_t M, int64_t N, int64_t K, const Operand& a, const Operand& b, const Output& c,
          const Epilogue& epilogue = {});
constexpr int kGemmScratch = 5;

/// Runs body(task, thread) for all tasks, on the pool when `work` (multiply-adds of all tasks together) is worth waking it.
template <class Body>
void forTasks(Context& ctx, int64_t tasks, int64_t work, Body&& body) {
  constexpr int64_t kWorthWaking = int64_t{1} << 21;  // about 50 µs of one core
  if (tasks > 1 && work >= kWorthWaking) return ctx.pool.parallel(tasks, body);
  for (int64_t task = 0; task < tasks; ++task) body(task, 0);
}

constexpr int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t roundUp(int64_t a, int64_t b) { return ceilDiv(a, b) * b; }

}  // namespace aurora::cpu::AURORA_ISA
