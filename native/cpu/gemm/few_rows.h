// Products with a handful of rows (decoding): B is read once, in place, at the speed of memory.
#pragma once

#include "cpu/gemm/gemm.h"

namespace aurora::cpu::AURORA_ISA {

/// Whether fewRows serves this product: few rows of A, and both operands contiguous along k.
bool isFewRows(int64_t M, const Operand& a, const Operand& b);
void fewRows(Context&, int64_t M, int64_t N, int64_t K, const Operand& a, const Operand& b, const Output& c,
             const Epilogue& epilogue);

}  // namespace aurora::cpu::AURORA_ISA
