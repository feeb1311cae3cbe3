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

/// tile [kTileRows, kTileColumns] (+)= Aᵀ · B over `steps` packed elements: a [steps, kTileRows], b [steps, kTileColumns]. Only the
/// first Rows rows and Vectors vectors of columns are computed.
template <int Rows, int Vectors, class Packed>
void microkernel(int64_t steps, const Packed* a, const Packed* b, float* tile, bool first) {
  f32v sum[Rows][Vectors];
  unroll<Rows>([&](auto i) __attribute__((always_inline)) {
    unroll<Vectors>([&](auto j) __attribute__((always_inline)) { sum[i][j] = f32v{}; });
  });
  for (int64_t k = 0; k < steps; ++k) {
    decltype(load(b)) column[Vectors];
    unroll<Vectors>([&](auto j) __attribute__((always_inline)) { column[j] = load(b + j * W); });
    unroll<Rows>([&](auto i) __attribute__((always_inline)) {
      const auto row = splat(a[i]);
      unroll<Vectors>([&](auto j) __attribute__((always_inline)) { sum[i][j] = multiplyAdd(row, column[j], sum[i][j]); });
    });
    a += kTileRows;
    b += kTileColumns;
  }
  unroll<Rows>([&](auto i) __attribute__((always_inline)) {
    unroll<Vectors>([&](auto j) __attribute__((always_inline)) {
      float* p = tile + i * kTileColumns + j * W;
      store(p, first ? sum[i][j] : load(p) + sum[i][j]);
    });
  });
}

/// The microkernel for a tile with this many rows and vectors of columns.
template <class Packed>
struct Microkernels {
  using Function = void (*)(int64_t steps, const Packed* a, const Packed* b, float* tile, bool first);
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
