// Products x·weightᵀ of at most 16 rows, as in decoding: bounded by how fast the weight comes from memory.
#pragma once

#include "hip/gemm/epilogue.h"

namespace aurora::hip {

constexpr int64_t kThinRows = 16;
/// T: of a and b, whose rows move in pieces of 16 bytes.
template <class T>
void multiplyThin(Context&, const Gemm&, const GemmOutput& out);
extern template void multiplyThin<float>(Context&, const Gemm&, const GemmOutput&);
extern template void multiplyThin<bf16>(Context&, const Gemm&, const GemmOutput&);

}  // namespace aurora::hip
