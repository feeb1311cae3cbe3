// Tiles of keys, values, queries or dy in shared memory, and their way there: from global memory into registers while the tile before is
// being worked on, then into shared memory.
#pragma once

#include "hip/portable/mma.h"

namespace aurora::hip::flash {

/// An operand from global memory: of the lane's rows (their order is OperandAccumulator's), columns `column` … `column` + 15. Columns from `width`
/// on, and rows that are null, are 0.
template <class T>
AURORA_DEVICE inline Operand<T> operandOf(const T* const (&rows)[OperandAccumulator::kRows], int column, int width) {
  constexpr int kRun = OperandAccumulator::kRun;
  Operand<T> operand;
  const int lane = laneIndex();
  AURORA_UNROLL
  for (int i = 0; i < Operand<T>::kSize; i += kRun) {
    const T* from = rows[OperandAccumulator::rowSlot(i)];
    const int k = column + Operand<T>::k(lane, i);
    Run<kRun, T> run{};
    if (from && k < width) run = loadRun<kRun>(from + k);
    AURORA_UNROLL
    for (int c = 0; c < kRun; ++c) operand.values[i + c] = run.values[c];
  }
  return operand;
}

/// kRows rows of W columns, as operands of products. Those that are summed over along the rows' columns are read from rows as they are, those
/// that are summed over across rows from a transposed copy: bf16 wants its neighbours along the sum in one word, while floats are read one by
/// one from the rows. Strides keep the 16 rows of an operand in different banks.
template <class T, int kRows, int W, bool along, bool across>
struct Tile {
  static constexpr bool kTransposed = across && sizeof(T) == 2, kPlain = along || !kTransposed;
  static constexpr int kPad = kWave == 64 ? 4 : 8;
  static constexpr int kStride = W + kPad, kTransposedStride = kRows + kPad;
  static constexpr int kTransposedAt = kPlain ? kRows * kStride : 0;
  static constexpr int kSize = kTransposedAt + (kTransposed ? W * kTransposedStride : 0);
  T* memory;

  /// (outer, k) = (row, column), from there on.
  AURORA_DEVICE Operand<T> alongRows(int row, int column) const {
    static_assert(kPlain);
    Operand<T> operand;
    operand.loadAlongK(memory + row * kStride + column, kStride);
    return operand;
  }
  /// (outer, k) = (column, row).
  AURORA_DEVICE Operand<T> acrossRows(int column, int row) const {
    Operand<T> operand;
    if constexpr (kTransposed)
      operand.loadAlongK(memory + kTransposedAt + column * kTransposedStride + row, kTransposedStride);
    else
      operand.loadAcrossK(memory + row * kStride + column, kStride);
    return operand;
  }
};

/// to[c] = factor·from[c]; `to` is aligned to the run.
template <int count, class T>
AURORA_DEVICE inline void storeScaled(T* to, const Run<count, float>& from, float factor) {
  Run<count, T> scaled;
  AURORA_UNROLL
  for (int c = 0; c < count; ++c) scaled.values[c] = fromFloat<T>(from.values[c] * factor);
  storeRun(to, scaled);
}

/// A thread's share of a tile on its way: patches of 4 × 4. Loading is free of branches, which would make compilers wait for the loads where the
/// branches meet again: every address is inside, and what is not of the tile becomes 0 when it is stored.
template <class T, int kRows, int W, int threads>
class Patches {
 public:
  /// Rows 0 … count − 1 exist, count > 0; columns from `width` on are 0. at(r) is where row r begins, in elements from `base`, for rows that do not
  /// exist some other's. `base` is the same for all lanes: beside it an address is 32 bits.
  template <class At>
  AURORA_DEVICE void load(const T* base, int width, int count, At&& at) {
    width_ = width;
    count_ = count;
    forEach([&](int patch, int r, int column) {
      const int inside = column < width ? column : 0;
      AURORA_UNROLL
      for (int i = 0; i < 4; ++i) {
        const uint32_t bytes = static_cast<uint32_t>(at(r + i) + inside) * static_cast<uint32_t>(sizeof(T));
        parts_[patch][i] = loadRun<4>(reinterpret_cast<const T*>(reinterpret_cast<const char*>(base) + bytes));
      }
    });
  }
  template <bool along, bool across>
  AURORA_DEVICE void store(const Tile<T, kRows, W, along, across>& tile) {
    using Target = Tile<T, kRows, W, along, across>;
    if (count_ < kRows || width_ < W)
      forEach([&](int patch, int r, int column) {
        AURORA_UNROLL
        for (int i = 0; i < 4; ++i)
          if (r + i >= count_ || column >= width_) parts_[patch][i] = {};
      });
    forEach([&](int patch, int r, int column) {
      AURORA_UNROLL
      for (int i = 0; i < 4; ++i) {
        if constexpr (Target::kPlain) storeRun(tile.memory + (r + i) * Target::kStride + column, parts_[patch][i]);
        if constexpr (Target::kTransposed) {
          const Run<4, T> down{{parts_[patch][0].values[i], parts_[patch][1].values[i], parts_[patch][2].values[i], parts_[patch][3].values[i]}};
          storeRun(tile.memory + Target::kTransposedAt + (column + i) * Target::kTransposedStride + r, down);
        }
      }
    });
  }

 private:
  static constexpr int kCount = kRows / 4 * (W / 4), kEach = (kCount + threads - 1) / threads;

  /// Threads for which there is no patch repeat the last one.
  template <class Body>
  AURORA_DEVICE static void forEach(Body&& body) {
    AURORA_UNROLL
    for (int patch = 0; patch < kEach; ++patch) {
      int index = threadIndex() + patch * threads;
      if (kCount % threads != 0 && index >= kCount) index = kCount - 1;
      body(patch, index % (kRows / 4) * 4, index / (kRows / 4) * 4);
    }
  }

  Run<4, T> parts_[kEach][4];
  int width_, count_;
};

/// Vectors of keys and values: those of key j begin at keys + j·stride and at values + j·stride; from `count` on there are none.
template <class T>
struct KeyVectors {
  const T *keys, *values;
  int64_t stride;  // a tile's rows are within 2³² bytes
  int count, width;
};

/// body(start) for each tile of keys and values from `begin` on that starts before `end`, once the tiles are in shared memory; the next ones are
/// on their way meanwhile.
template <int threads, class T, int kKeys, int W, bool keysAlong, bool keysAcross, bool valuesAlong, bool valuesAcross, class Body>
AURORA_DEVICE inline void walkTiles(const Tile<T, kKeys, W, keysAlong, keysAcross>& keys, const Tile<T, kKeys, W, valuesAlong, valuesAcross>& values,
                                    const KeyVectors<T>& vectors, int begin, int end, Body&& body) {
  if (begin >= end) return;
  Patches<T, kKeys, W, threads> keysComing, valuesComing;
  const int stride = static_cast<int>(vectors.stride);
  const auto load = [&](int start) {
    const int64_t first = start * vectors.stride;
    const int left = vectors.count - start, count = left < kKeys ? left : kKeys, last = (count - 1) * stride;
    const auto at = [&](int r) { return r * stride < last ? r * stride : last; };
    keysComing.load(vectors.keys + first, vectors.width, count, at);
    valuesComing.load(vectors.values + first, vectors.width, count, at);
  };
  int start = begin;
  load(start);
  while (true) {
    blockSync();
    keysComing.store(keys);
    valuesComing.store(values);
    blockSync();
    const int next = start + kKeys;
    if (next < end) load(next);
    body(start);
    if (next >= end) return;
    start = next;
  }
}

}  // namespace aurora::hip::flash
