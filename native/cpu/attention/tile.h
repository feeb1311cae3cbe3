// The arithmetic of attention: products of small matrices that stay in the caches. Rows (queries of one or several heads) come in
// strips of kStripRows, keys in tiles of kTileKeys, and columns in panels of kPanel: one strip times one panel is what the
// registers hold. Where the machine multiplies pairs of bf16, attention in bf16 packs both operands of every product in pairs along the
// axis that is summed over, softmax weights and their derivatives included (rounded to bf16, as GPUs do). Sums are floats.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/gemm/pack.h"

namespace aurora::cpu::AURORA_ISA::flash {

constexpr int kStripRows = kTileRows;
constexpr int kPanel = kTileColumns;
/// A multiple of the strip (tiles of keys are rows in the backward products) and of the widest panel.
constexpr int kTileKeys = 96;
static_assert(kTileKeys % kStripRows == 0 && kTileKeys % kPanel == 0);

/// What products of operands of type T are made of: kDepth<Factor<T>> numbers of one row or column.
template <class T>
using Factor = std::conditional_t<kBf16Pairs && std::is_same_v<T, bf16>, bf16Pair, float>;

constexpr int roundUp(int64_t n, int multiple) { return static_cast<int>((n + multiple - 1) / multiple * multiple); }
/// The length of a packed row of `width` elements: an odd number of cache lines, so that a panel's column of rows spreads over the whole
/// L1 cache.
constexpr int packedStride(int64_t width) { return (roundUp(roundUp(width, kPanel), 16) / 16 | 1) * 16; }

/// C (+)= A · B for one strip and one panel, or as many rows and vectors of columns: A(r, s) = a[r·aRow + s·aStep],
/// B(s, ·) = b[s·bStep …], C(r, ·) = c[r·cRow …], s < steps.
template <int Rows = kStripRows, int Vectors = kTileVectors, class Packed>
[[gnu::noinline]] void multiplyStrip(const Packed* a, int64_t aRow, int64_t aStep, const Packed* b, int64_t bStep, int64_t steps,
                                     float* c, int64_t cRow, bool accumulate) {
  f32v sums[Rows][Vectors];
  const auto forAll = [&](auto&& body) __attribute__((always_inline)) {
    unroll<Rows>([&](auto r) __attribute__((always_inline)) {
      unroll<Vectors>([&](auto j) __attribute__((always_inline)) { body(sums[r][j], c + r * cRow + j * W); });
    });
  };
  forAll([](f32v& sum, float*) __attribute__((always_inline)) { sum = f32v{}; });
  for (int64_t s = 0; s < steps; ++s, a += aStep, b += bStep) {
    decltype(load(b)) column[Vectors];
    unroll<Vectors>([&](auto j) __attribute__((always_inline)) { column[j] = load(b + j * W); });
    unroll<Rows>([&](auto r) __attribute__((always_inline)) {
      const auto row = splat(a[r * aRow]);
      unroll<Vectors>([&](auto j) __attribute__((always_inline)) { sums[r][j] = multiplyAdd(row, column[j], sums[r][j]); });
    });
  }
  if (accumulate)
    forAll([](f32v& sum, float* to) __attribute__((always_inline)) { store(to, load(to) + sum); });
  else
    forAll([](f32v& sum, float* to) __attribute__((always_inline)) { store(to, sum); });
}

/// A row, or the pairs of two rows, as one step of a product's right side: whole panels, with zeros after `width` and for null rows.
template <class Packed, class T>
inline void packDown(const T* row, const T* next, int width, Packed* to) {
  float* words = reinterpret_cast<float*>(to);
  int k = 0;
  if (row) {
    for (; k + W <= width; k += W) store(words + k, loadAcross<true, Packed>(row, next, k, W));
    if (k < width) {
      store(words + k, loadAcross<false, Packed>(row, next, k, width - k));
      k += W;
    }
  }
  for (; k < roundUp(width, kPanel); k += W) store(words + k, f32v{});
}

/// A row, or zeros for a null one, as a row of a product's left side, which is summed over along it.
template <class Packed, class T>
inline void packAcross(const T* row, int width, Packed* to) {
  if constexpr (kDepth<Packed> == 1) {
    packDown(row, row, width, to);
  } else {
    float* words = reinterpret_cast<float*>(to);
    int k = 0;
    if (row) {
      for (; k + 2 * W <= width; k += 2 * W) store(words + k / 2, loadWords<true>(row + k, 2 * W));
      if (k < width) {
        store(words + k / 2, loadWords<false>(row + k, width - k));
        k += 2 * W;
      }
    }
    for (; k < width; k += 2 * W) store(words + k / 2, f32v{});
  }
}

/// to[0 … width) = scale · from[0 … width).
template <class T>
inline void unpackRow(const float* from, int width, float scale, T* to) {
  int k = 0;
  for (; k + W <= width; k += W) store(to + k, load(from + k) * scale);
  if (k < width) storePart(to + k, load(from + k) * scale, width - k);
}

/// Rounded to bf16, in the upper halves; a tie goes away from zero. NaN stays NaN: of bf16 operands it has no bits that would carry.
inline u32v rounded(f32v x) { return (u32v)x + 0x8000; }

/// Puts vector j of a row of weights where a product's left side wants it.
inline void putAcross(float* row, int j, f32v weights) { store(row + j, weights); }
inline void putAcross(bf16Pair* row, int j, f32v weights) {
  const u16v halves = __builtin_convertvector(rounded(weights) >> 16, u16v);
  std::memcpy(reinterpret_cast<bf16*>(row) + j, &halves, sizeof halves);
}
/// The same of weights of one row, or of two rows that are summed over.
inline void putDown(float* row, int j, const f32v (&weights)[1]) { store(row + j, weights[0]); }
inline void putDown(bf16Pair* row, int j, const f32v (&weights)[2]) {
  const u32v pairs = rounded(weights[0]) >> 16 | (rounded(weights[1]) & 0xffff0000u);
  std::memcpy(row + j, &pairs, sizeof pairs);
}

}  // namespace aurora::cpu::AURORA_ISA::flash
