// How a block brings its part of an operand, `rows` × 64 bytes of k, into shared memory, so that the next part travels while this one is
// multiplied: by way of registers, or past them where the GPU can and rows need not be turned. Rows outside the matrix repeat its last: their
// sums go nowhere. What is beyond the end of k is 0.
#pragma once

#include "hip/portable/mma_strip.h"

namespace aurora::hip {

/// A matrix as stored: (outer, k) at data[outer·stride + k] when k is contiguous, else at data[k·stride + outer].
template <class T>
struct Stored {
  const T* data;
  int64_t stride, outers;
};

/// Threads of a block with tiles of so many rows: each moves two pieces of 16 bytes, or four of 8.
constexpr int threadsFor(int rows) { return 2 * rows; }

template <class T, bool alongK, int rows, bool wide>
class TileSource;

/// k contiguous: four threads take a row.
template <class T, int rows, bool wide>
class TileSource<T, true, rows, wide> {
 public:
  AURORA_DEVICE TileSource(const Stored<T>& matrix, int64_t first) : from_(matrix.data + first * matrix.stride + column()) {
    AURORA_UNROLL
    for (int i = 0; i < kRuns; ++i) {
      const int64_t row = threadIndex() / kPieces + i * (rows / kRuns), last = matrix.outers - 1 - first;
      offset_[i] = (row < last ? row : last) * matrix.stride;
    }
  }
  /// Starts to load k … end − 1, at most kStripDepth of them, for the tile that store will be given.
  AURORA_DEVICE void load(int64_t k, int64_t end, std::byte* tile) {
    const int64_t left = end - k - column();
    AURORA_UNROLL
    for (int i = 0; i < kRuns; ++i) {
      if (left >= kWide<T>) {
        loadWhole(i, k, tile);
      } else {
        held_[i] = loadPiece(from_ + k + offset_[i], left);
        if constexpr (kAsync) storePiece(i, tile);
      }
    }
  }
  /// The same where nothing ends.
  AURORA_DEVICE void loadInside(int64_t k, std::byte* tile) {
    AURORA_UNROLL
    for (int i = 0; i < kRuns; ++i) loadWhole(i, k, tile);
  }
  AURORA_DEVICE void store(std::byte* tile) const {
    if constexpr (kAsync) return awaitCopies();
    AURORA_UNROLL
    for (int i = 0; i < kRuns; ++i) storePiece(i, tile);
  }

 private:
  static constexpr int kRuns = 2;
  static constexpr bool kAsync = kAsyncCopies && wide;
  AURORA_DEVICE static int column() { return threadIndex() % kPieces * kWide<T>; }
  AURORA_DEVICE static std::byte* place(int i, std::byte* tile) {
    return tile + pieceAt(threadIndex() / kPieces, threadIndex() % kPieces) + i * (rows / kRuns) * kStripBytes;
  }
  AURORA_DEVICE void storePiece(int i, std::byte* tile) const { storeBits<kPieceBytes>(place(i, tile), held_[i]); }
  AURORA_DEVICE void loadWhole(int i, int64_t k, std::byte* tile) {
    const T* const p = from_ + k + offset_[i];
    if constexpr (kAsync)
      copyAsync(place(i, tile), p);
    else
      held_[i] = wide ? loadBits<kPieceBytes>(p) : loadPiece(p, kWide<T>);
  }

  const T* from_;
  int64_t offset_[kRuns];
  Bits128 held_[kRuns];
};

/// k from row to row: a thread takes 4 of them and 8 bytes of each, which it turns. Threads go along k first: see pieceAt.
template <class T, int rows, bool wide>
class TileSource<T, false, rows, wide> {
 public:
  AURORA_DEVICE TileSource(const Stored<T>& matrix, int64_t first) : from_(matrix.data + firstK() * matrix.stride), stride_(matrix.stride) {
    const int64_t outer = first + firstOuter();
    if constexpr (wide) {  // rows are whole numbers of spans
      from_ += outer < matrix.outers ? outer : matrix.outers - kSpan;
    } else {
      AURORA_UNROLL
      for (int j = 0; j < kSpan; ++j) offset_[j] = outer + j < matrix.outers ? outer + j : matrix.outers - 1;
    }
  }
  AURORA_DEVICE void load(int64_t k, int64_t end, std::byte*) {
    AURORA_UNROLL
    for (int i = 0; i < kTurned; ++i) {
      if (k + firstK() + i < end)
        loadRow(i, k);
      else
        held_[i] = {};
    }
  }
  AURORA_DEVICE void loadInside(int64_t k, std::byte*) {
    AURORA_UNROLL
    for (int i = 0; i < kTurned; ++i) loadRow(i, k);
  }
  AURORA_DEVICE void store(std::byte* tile) const {
    AURORA_UNROLL
    for (int j = 0; j < kSpan; ++j) {
      std::byte* const to = tile + pieceAt(firstOuter() + j, firstK() / kWide<T>) + firstK() % kWide<T> * static_cast<int>(sizeof(T));
      if constexpr (sizeof(T) == 4) {
        storeBits<16>(to, Bits128{{held_[0].words[j], held_[1].words[j], held_[2].words[j], held_[3].words[j]}});
      } else {
        const auto pair = [&](int i) {  // of k, i and i + 1
          const uint32_t first = held_[i].words[j / 2], second = held_[i + 1].words[j / 2];
          return j % 2 == 0 ? (first & 0xffff) | second << 16 : first >> 16 | (second & 0xffff0000);
        };
        storeBits<8>(to, pair(0) | static_cast<uint64_t>(pair(2)) << 32);
      }
    }
  }

 private:
  static constexpr int kTurned = 4, kSpan = 8 / sizeof(T), kAlongK = kStripDepth<T> / kTurned;
  static_assert(threadsFor(rows) == kAlongK * (rows / kSpan));
  AURORA_DEVICE static int firstK() { return threadIndex() % kAlongK * kTurned; }
  AURORA_DEVICE static int firstOuter() { return threadIndex() / kAlongK * kSpan; }
  AURORA_DEVICE void loadRow(int i, int64_t k) {
    const T* row = from_ + (k + i) * stride_;
    if constexpr (wide) {
      const Bits<8> bits = loadBits<8>(row);
      __builtin_memcpy(&held_[i], &bits, sizeof held_[i]);
    } else {
      AURORA_UNROLL
      for (int j = 0; j < kSpan; ++j) {
        uint32_t& word = held_[i].words[j * sizeof(T) / 4];
        const uint32_t bits = loadBits<sizeof(T)>(row + offset_[j]);
        word = j * sizeof(T) % 4 == 0 ? bits : word | bits << 16;
      }
    }
  }

  const T* from_;
  int64_t stride_;
  int64_t offset_[wide ? 1 : kSpan];
  struct {
    uint32_t words[2];
  } held_[kTurned];
};

}  // namespace aurora::hip
