// The door of the matrix products on GPUs: the vendor's library where there is one and it pays, the kernels of this folder else.
#pragma once

#include "hip/kernels.h"

namespace aurora::hip {

/// What happens to the sums on their way out. bias [n] (or null) and preactivation (or null, and without meaning when there is no activation;
/// receives what the activation is applied to, laid out like c) have c's type.
struct Epilogue {
  const void* bias = nullptr;
  Activation activation = Activation::none;
  void* preactivation = nullptr;
};

/// c = activation(alpha·a·b + beta·c + bias), enqueued; sums in f32, a bf16 result is rounded once. Not both of a and b are transposed. Sizes need be
/// multiples of nothing, and nothing need be aligned beyond its elements. With m or n = 0 nothing is done; k ≥ 1. c overlaps neither a
/// nor b. Repeatable bit for bit on devices of one kind.
/// Uses the scratch slot kGemmScratch: callers keep to others.
void gemm(Context&, const Gemm&, const Epilogue& = {});
constexpr int kGemmScratch = Context::kScratchSlots - 1;

/// Whether the vendor's library, where there is one, is asked first. Only without an activation, which it could not apply before rounding; and
/// not for few rows, which are a matter of memory bandwidth.
bool vendorPays(const Gemm&, const Epilogue&);
/// y[i] = x for every row i: what a product with beta = 1 adds to.
void broadcastRows(Context&, DType, const void* x, void* y, int64_t yStride, int64_t rows, int64_t columns);

/// The built-in kernels.
enum class GemmKernel : uint8_t {
  thin,     // m ≤ 16, x·weightᵀ: a block takes 16 columns, its waves share k; memory is read once
  tile64,   // blocks of 64 × 64
  tile128,  // blocks of 128 × 128
};
struct GemmPlan {
  GemmKernel kernel;
  int64_t slices;  // of k, in blocks of their own, whose sums are added in order by a second kernel
};
/// Whether operands lie such that they move in pieces of 16 bytes (8 where k is not contiguous); else tile64 does, element by element.
bool movesWide(const Gemm&);
bool suits(GemmKernel, const Gemm&);
/// The plan with the least estimated time.
GemmPlan planGemm(const DeviceProperties&, const Gemm&);
/// gemm by one plan, whose kernel suits.
void builtinGemm(Context&, const Gemm&, const Epilogue&, const GemmPlan&);

}  // namespace aurora::hip
