// The arithmetic of attention: products of small matrices that stay in the caches. Rows (queries of one or several heads) come in
// strips of kStripRows, keys in tiles of kTileKeys, and columns in panels of kPanel: one strip times one panel is what the
// registers hold. A packed row is `stride` floats long, an odd number of cache lines, so that a panel's column of rows spreads
// over the whole L1 cache.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/simd.h"

namespace aurora::cpu::AURORA_ISA::flash {

constexpr int kStripRows = 6;
constexpr int kPanel = 2 * W;
/// A multiple of the strip (tiles of keys are rows in the backward products) and of the widest panel.
constexpr int kTileKeys = 96;
static_assert(kTileKeys % kStripRows == 0 && kTileKeys % kPanel == 0);

constexpr int roundUp(int64_t n, int multiple) { return static_cast<int>((n + multiple - 1) / multiple * multiple); }
/// The length in floats of a packed row of `width` values.
constexpr int packedStride(int64_t width) { return (roundUp(roundUp(width, kPanel), 16) / 16 | 1) * 16; }

/// C (+)= A · B for one strip and one panel: A(r, k) = a[r·aRow + k·aDepth], B(k, ·) = b[k·bDepth …], C(r, ·) = c[r·cRow …], k < depth.
[[gnu::noinline]] inline void multiplyStrip(const float* a, int64_t aRow, int64_t aDepth, const float* b, int64_t bDepth,
                                            int64_t depth, float* c, int64_t cRow, bool accumulate) {
  f32v sums[kStripRows][2];
#pragma GCC unroll 6
  for (int r = 0; r < kStripRows; ++r) {
    sums[r][0] = accumulate ? load(c + r * cRow) : splat(0);
    sums[r][1] = accumulate ? load(c + r * cRow + W) : splat(0);
  }
  for (int64_t k = 0; k < depth; ++k, a += aDepth, b += bDepth) {
    const f32v b0 = load(b), b1 = load(b + W);
#pragma GCC unroll 6
    for (int r = 0; r < kStripRows; ++r) {
      const f32v x = splat(a[r * aRow]);
      sums[r][0] += x * b0;
      sums[r][1] += x * b1;
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < kStripRows; ++r) {
    store(c + r * cRow, sums[r][0]);
    store(c + r * cRow + W, sums[r][1]);
  }
}

/// to[0 … stride) = scale · from[0 … width), then zeros.
template <class T>
inline void packRow(const T* from, int width, float scale, float* to, int stride) {
  int k = 0;
  for (; k + W <= width; k += W) store(to + k, load(from + k) * scale);
  if (k < width) {
    store(to + k, loadPart(from + k, width - k) * scale);
    k += W;
  }
  std::fill(to + k, to + stride, 0.0f);
}

/// to[0 … width) = scale · from[0 … width).
template <class T>
inline void unpackRow(const float* from, int width, float scale, T* to) {
  int k = 0;
  for (; k + W <= width; k += W) store(to + k, load(from + k) * scale);
  if (k < width) storePart(to + k, load(from + k) * scale, width - k);
}

/// One panel of the transposed keys: to[k·kPanel + j] = from[j·fromRow + k] for k < width and j < keys, 0 for keys ≤ j < kPanel.
template <class T>
inline void packPanel(const T* from, int64_t fromRow, int keys, int width, float* to) {
  for (int j0 = 0; j0 < kPanel; j0 += W)
    for (int k0 = 0; k0 < width; k0 += W) {
      const int columns = std::min(W, width - k0);
      f32v m[W];
      for (int j = 0; j < W; ++j) {
        const T* row = from + (j0 + j) * fromRow + k0;
        m[j] = j0 + j >= keys ? splat(0) : columns == W ? load(row) : loadPart(row, columns);
      }
      transpose(m);
      for (int k = 0; k < columns; ++k) store(to + (k0 + k) * kPanel + j0, m[k]);
    }
}

}  // namespace aurora::cpu::AURORA_ISA::flash
