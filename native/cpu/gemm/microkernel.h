// The innermost product: a tile of C held in registers, summed over a chunk of k from two packed panels.
#pragma once

#include <cstdint>

#include "cpu/simd.h"

namespace aurora::cpu::AURORA_ISA {

// A full tile is kTileRows × kTileVectors·W. With B's vectors and one broadcast of A it fills the registers: 16 of them on
// AVX2 (6 × 2 sums), 32 on AVX-512 (12 × 2) and NEON (6 × 4); baseline x86 has 16 and needs one more for the product (4 × 2).
#if AURORA_SIMD_WIDTH == 16
constexpr int kTileRows = 12, kTileVectors = 2;
#elif AURORA_SIMD_WIDTH == 8
constexpr int kTileRows = 6, kTileVectors = 2;
#elif defined(__aarch64__)
constexpr int kTileRows = 6, kTileVectors = 4;
#else
constexpr int kTileRows = 4, kTileVectors = 2;
#endif
constexpr int kTileColumns = kTileVectors * W;

/// How far along k one packed element reaches.
template <class Packed>
constexpr int kDepth = std::is_same_v<Packed, bf16Pair> ? 2 : 1;

__attribute__((always_inline)) inline f32v multiplyAdd(f32v a, f32v b, f32v sum) { return a * b + sum; }
__attribute__((always_inline)) inline f32v multiplyAdd(u32v a, u32v b, f32v sum) { return dotPairs(a, b, sum); }

/// Steps between two prefetches of the next panel: its lines are spread over the tiles of a task of usual size, about 96 lanes.
constexpr int kPrefetchSteps = 64 * 96 / (4 * kTileRows * kTileColumns);

/// c [Rows, Vectors·W], rows ld apart, (+)= Aᵀ · B over `steps` packed elements: a [steps, kTileRows], b [steps, kTileColumns], of which
/// the first Rows and Vectors·W count. Meanwhile what lies at `ahead` comes nearer.
template <int Rows, int Vectors, class Packed>
void microkernel(int64_t steps, const Packed* a, const Packed* b, float* c, int64_t ld, bool first, const char* ahead) {
  f32v sum[Rows][Vectors];
  unroll<Rows>([&](auto i) __attribute__((always_inline)) {
    unroll<Vectors>([&](auto j) __attribute__((always_inline)) {
      __builtin_prefetch(c + i * ld + j * W, 1);
      sum[i][j] = f32v{};
    });
  });
  const auto step = [&]() __attribute__((always_inline)) {
    decltype(load(b)) column[Vectors];
    unroll<Vectors>([&](auto j) __attribute__((always_inline)) { column[j] = load(b + j * W); });
    unroll<Rows>([&](auto i) __attribute__((always_inline)) {
      const auto row = splat(a[i]);
      unroll<Vectors>([&](auto j) __attribute__((always_inline)) { sum[i][j] = multiplyAdd(row, column[j], sum[i][j]); });
    });
    a += kTileRows;
    b += kTileColumns;
  };
  for (; steps >= kPrefetchSteps; steps -= kPrefetchSteps, ahead += 64) {
    __builtin_prefetch(ahead, 0, 2);
    // Where another program shares the core, instructions rather than multiply-adds are scarce.
#pragma GCC unroll 4
    for (int k = 0; k < kPrefetchSteps; ++k) step();
  }
  for (; steps > 0; --steps) step();
  unroll<Rows>([&](auto i) __attribute__((always_inline)) {
    unroll<Vectors>([&](auto j) __attribute__((always_inline)) {
      float* p = c + i * ld + j * W;
      store(p, first ? sum[i][j] : load(p) + sum[i][j]);
    });
  });
}

/// The microkernel for a tile with this many rows and vectors of columns.
template <class Packed>
struct Microkernels {
  using Function = void (*)(int64_t steps, const Packed* a, const Packed* b, float* c, int64_t ld, bool first, const char* ahead);
  Function table[kTileRows][kTileVectors];

  constexpr Microkernels() : table{} {
    [this]<int... I>(std::integer_sequence<int, I...>) {
      ((table[I / kTileVectors][I % kTileVectors] = &microkernel<I / kTileVectors + 1, I % kTileVectors + 1, Packed>), ...);
    }(std::make_integer_sequence<int, kTileRows * kTileVectors>{});
  }
  Function at(int64_t rows, int64_t columns) const { return table[rows - 1][(columns + W - 1) / W - 1]; }
};
template <class Packed>
constexpr Microkernels<Packed> microkernels;

}  // namespace aurora::cpu::AURORA_ISA
