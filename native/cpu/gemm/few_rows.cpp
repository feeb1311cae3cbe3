#include "cpu/gemm/few_rows.h"

#include "cpu/gemm/epilogue.h"
#include "cpu/simd.h"

namespace aurora::cpu::AURORA_ISA {
namespace {

constexpr int kMaxRows = 16;      // beyond, packing pays
constexpr int kColumns = 64;      // of one task's block of sums
constexpr int kColumnsAtOnce = 4;  // dot products that share the loads of A

/// sums[i, j] = Σₖ a[i, k] · b[j, k] for Rows × kColumnsAtOnce dot products; columns beyond `columns` repeat the last.
template <int Rows, class B>
void dotProducts(int64_t K, const float* a, int64_t lda, const B* b, int64_t ldb, int64_t columns, float* sums) {
  const B* column[kColumnsAtOnce];
  for (int64_t j = 0; j < kColumnsAtOnce; ++j) column[j] = b + (j < columns ? j : columns - 1) * ldb;
  f32v sum[Rows][kColumnsAtOnce];
  unroll<Rows>([&](auto i) __attribute__((always_inline)) {
    unroll<kColumnsAtOnce>([&](auto j) __attribute__((always_inline)) { sum[i][j] = f32v{}; });
  });
  const auto step = [&](auto get, int64_t k) __attribute__((always_inline)) {
    f32v row[Rows];
    unroll<Rows>([&](auto i) __attribute__((always_inline)) { row[i] = get(a + i * lda + k); });
    unroll<kColumnsAtOnce>([&](auto j) __attribute__((always_inline)) {
      const f32v v = get(column[j] + k);
      unroll<Rows>([&](auto i) __attribute__((always_inline)) { sum[i][j] += row[i] * v; });
    });
  };
  int64_t k = 0;
  for (; k + W <= K; k += W) step([](auto p) __attribute__((always_inline)) { return load(p); }, k);
  const int rest = static_cast<int>(K - k);
  if (rest > 0) step([=](auto p) { return loadPart(p, rest); }, k);
  for (int i = 0; i < Rows; ++i)
    for (int j = 0; j < kColumnsAtOnce; ++j) sums[i * kColumns + j] = sum[i][j][0];
  unroll<Rows>([&](auto i) __attribute__((always_inline)) {
    unroll<kColumnsAtOnce>([&](auto j) __attribute__((always_inline)) { sums[i * kColumns + j] = AURORA_ISA::sum(sum[i][j]); });
  });
}

template <class B>
void block(int64_t M, int64_t columns, int64_t K, const float* a, int64_t lda, const B* b, int64_t ldb, float* sums) {
  for (int64_t j = 0; j < columns; j += kColumnsAtOnce) {
    const auto dots = [&](auto rows, int64_t i) {
      dotProducts<rows>(K, a + i * lda, lda, b + j * ldb, ldb, columns - j, sums + i * kColumns + j);
    };
    int64_t i = 0;
    for (; M - i >= 3 && M - i != 4; i += 3) dots(std::integral_constant<int, 3>{}, i);
    for (; M - i >= 2; i += 2) dots(std::integral_constant<int, 2>{}, i);
    if (i < M) dots(std::integral_constant<int, 1>{}, i);
  }
}

}  // namespace

bool isFewRows(int64_t M, const Operand& a, const Operand& b) { return M <= kMaxRows && !a.transposed && b.transposed; }

void fewRows(Context& ctx, int64_t M, int64_t N, int64_t K, const Operand& a, const Operand& b, const Output& c, const Epilogue& epilogue) {
  const float* rows = static_cast<const float*>(a.data);
  int64_t lda = a.ld;
  if (a.dtype == DType::bf16) {
    float* converted = ctx.scratch.get<float>(kGemmScratch, M * K);
    for (int64_t i = 0; i < M; ++i)
      for (int64_t k = 0; k < K; ++k) converted[i * K + k] = toFloat(static_cast<const bf16*>(a.data)[i * a.ld + k]);
    rows = converted;
    lda = K;
  }
  const Finish finish = finisher(c, epilogue);
  constexpr int64_t kBytesPerOperation = 4;  // one row is bound by memory: its work weighs that of several
  forTasks(ctx, ceilDiv(N, kColumns), (M + kBytesPerOperation) * N * K, [&](int64_t task, int) {
    float sums[kMaxRows * kColumns];
    const int64_t column = task * kColumns, columns = N - column < kColumns ? N - column : kColumns;
    if (b.dtype == DType::f32)
      block(M, columns, K, rows, lda, static_cast<const float*>(b.data) + column * b.ld, b.ld, sums);
    else
      block(M, columns, K, rows, lda, static_cast<const bf16*>(b.data) + column * b.ld, b.ld, sums);
    finish(c, epilogue, sums, kColumns, 0, column, M, columns);
  });
}

}  // namespace aurora::cpu::AURORA_ISA
