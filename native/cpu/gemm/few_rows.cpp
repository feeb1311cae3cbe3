#include "cpu/gemm/few_rows.h"

#include "cpu/gemm/epilogue.h"
#include "cpu/loops.h"

namespace aurora::cpu::AURORA_ISA {
namespace {

constexpr int kMaxRows = 6;        // beyond, packing pays
constexpr int kColumns = 64;       // of one task's block of sums
constexpr int kColumnsAtOnce = 4;  // dot products that share the loads of A

/// Vectors of products that one step along k makes. bf16 is read as pairs: a shift gives the even elements, a mask the odd
/// ones, so rows of A that meet it are laid out likewise, W even elements before W odd ones.
template <class B>
constexpr int kParts = std::is_same_v<B, bf16> ? 2 : 1;
template <class B>
constexpr int kStep = kParts<B> * W;

struct Split {
  f32v part[2];
};
inline Split split(const float* p) { return {load(p), f32v{}}; }
inline Split split(const bf16* p) {
  const u32v pairs = load(reinterpret_cast<const bf16Pair*>(p));
  return {(f32v)(pairs << 16), (f32v)(pairs & 0xffff0000u)};
}

/// Rows of A as dotProducts reads them against B's type: f32, k padded with zeros to whole steps.
template <class B, class A>
void arrange(int64_t M, int64_t K, const A* a, int64_t lda, float* rows, int64_t ld) {
  for (int64_t i = 0; i < M; ++i)
    for (int64_t k = 0; k < ld; ++k) {
      const int64_t within = k % kStep<B>, source = k - within + within % W * kParts<B> + within / W;
      rows[i * ld + k] = source < K ? toFloat(a[i * lda + source]) : 0.0f;
    }
}

/// sums[i, j] = Σₖ a[i, k] · b[j, k] for Rows × kColumnsAtOnce dot products; columns beyond `columns` repeat the last.
template <int Rows, class B>
void dotProducts(int64_t K, const float* a, int64_t lda, const B* b, int64_t ldb, int64_t columns, float* sums) {
  const B* column[kColumnsAtOnce];
  for (int64_t j = 0; j < kColumnsAtOnce; ++j) column[j] = b + (j < columns ? j : columns - 1) * ldb;
  f32v sum[Rows][kColumnsAtOnce];
  unroll<Rows>([&](auto i) __attribute__((always_inline)) {
    unroll<kColumnsAtOnce>([&](auto j) __attribute__((always_inline)) { sum[i][j] = f32v{}; });
  });
  const auto step = [&](int64_t k, const B* const (&at)[kColumnsAtOnce]) __attribute__((always_inline)) {
    f32v row[Rows][kParts<B>];
    unroll<Rows>([&](auto i) __attribute__((always_inline)) {
      unroll<kParts<B>>([&](auto part) __attribute__((always_inline)) { row[i][part] = load(a + i * lda + k + part * W); });
    });
    unroll<kColumnsAtOnce>([&](auto j) __attribute__((always_inline)) {
      const Split v = split(at[j]);
      unroll<Rows>([&](auto i) __attribute__((always_inline)) {
        unroll<kParts<B>>([&](auto part) __attribute__((always_inline)) { sum[i][j] += row[i][part] * v.part[part]; });
      });
    });
  };
  // A cache line of each column at a time; the rows of B are too short for the hardware to run ahead by itself.
  constexpr int kSteps = 64 / (kStep<B> * sizeof(B)) > 1 ? 64 / (kStep<B> * sizeof(B)) : 1;
  int64_t k = 0;
  for (; k + kSteps * kStep<B> <= K; k += kSteps * kStep<B>) {
    unroll<kColumnsAtOnce>([&](auto j) __attribute__((always_inline)) {
      __builtin_prefetch(column[j] + kColumnsAtOnce * ldb + k);
    });
    unroll<kSteps>([&](auto s) __attribute__((always_inline)) {
      const int64_t at = k + s * kStep<B>;
      step(at, {column[0] + at, column[1] + at, column[2] + at, column[3] + at});
    });
  }
  for (; k < K; k += kStep<B>) {
    const int64_t rest = K - k < kStep<B> ? K - k : kStep<B>;
    B tail[kColumnsAtOnce][kStep<B>] = {};
    for (int j = 0; j < kColumnsAtOnce; ++j) std::memcpy(tail[j], column[j] + k, rest * sizeof(B));
    step(k, {tail[0], tail[1], tail[2], tail[3]});
  }
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

void fewRows(Context& ctx, int64_t M, int64_t N, int64_t K, const Operand& a, const Operand& b, const Output& c,
             const Epilogue& epilogue) {
  const Finish finish = finisher(c, epilogue);
  constexpr int64_t kBytesPerOperation = 4;  // one row is bound by memory: its work weighs that of several
  withFloat(b.dtype, [&](auto zero) {
    using B = decltype(zero);
    const int64_t ld = roundUp(K, kStep<B>);
    float* const rows = ctx.scratch.get<float>(kGemmScratch, M * ld);
    withFloat(a.dtype, [&](auto element) { arrange<B>(M, K, static_cast<const decltype(element)*>(a.data), a.ld, rows, ld); });
    forTasks(ctx, ceilDiv(N, kColumns), (M + kBytesPerOperation) * N * K, [&](int64_t task, int) {
      float sums[kMaxRows * kColumns];
      const int64_t column = task * kColumns, columns = N - column < kColumns ? N - column : kColumns;
      block(M, columns, K, rows, ld, static_cast<const B*>(b.data) + column * b.ld, b.ld, sums);
      finish(c, epilogue, sums, kColumns, 0, column, M, columns);
    });
  });
}

}  // namespace aurora::cpu::AURORA_ISA
