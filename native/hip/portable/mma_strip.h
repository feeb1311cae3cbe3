// Strips: operands of many products at once, as they lie in memory with k contiguous. A strip is 16 rows of 64 bytes, 32 bf16 or 16 floats, in
// pieces of 16 bytes, which lanes load whole, by one instruction each.
//
//   Strip<bf16> a, b;                                        // or float
//   RowAccumulator c; c.clear();
//   a.loadShared(tile, 0);                                    // rows 0 … 15 of a tile that was written at pieceAt(row, piece)
//   b.load([&](int outer, int piece) { return weight + outer * stride + piece * kWide<bf16>; });  // or from anywhere
//   multiplyAdd(c, a, b);                                     // c[r][j] += Σₖ a[r][k]·b[j][k], 64 bytes of k
//   c.forEachRun([&](int row, int column, float* values) { … RowAccumulator::kRun neighbours along the row … });
//
// k is permuted among a strip's products, in a as in b, so that a lane's pieces are what its lane of the matrix unit wants.
#pragma once

#include "hip/portable/mma.h"

namespace aurora::hip {

constexpr int kStripBytes = 64;  // along k
constexpr int kPieceBytes = 16;
constexpr int kPieces = kStripBytes / kPieceBytes;
/// Elements along k.
template <class T>
constexpr int kStripDepth = kStripBytes / sizeof(T);

/// Where a piece of a tile's row lies in shared memory, in bytes. Two rows share the 128 bytes that all banks give at once, and their eight pieces
/// change places from pair to pair of rows, so that no two of these meet in a bank:
/// - eight lanes that move 16 bytes each: of neighbouring pieces of two rows, of one piece of eight rows, of one piece of four rows and the next of
///   the following four (the order in which AMD serves a wave's 16 bytes);
/// - sixteen lanes that move 8 bytes: the eight halves of a row, of rows four apart.
/// Rows 16 apart lie 16 · kStripBytes apart.
AURORA_DEVICE constexpr int pieceAt(int row, int piece) {
  const int pair = row / 2, turn = (pair & 3) | ((pair ^ pair >> 1) & 1) << 2;
  return pair * 2 * kStripBytes + (((row & 1) << 2 | piece) ^ turn) * kPieceBytes;
}

/// A piece of which only the first `left` elements are read; zeros after them. p need not be aligned.
template <class T>
AURORA_DEVICE inline Bits128 loadPiece(const T* p, int64_t left) {
  constexpr int inWord = 4 / sizeof(T);
  Bits128 piece;
  AURORA_UNROLL
  for (int i = 0; i < kWide<T>; ++i) {
    uint32_t bits = 0;
    if (i < left) bits = loadBits<sizeof(T)>(p + i);
    uint32_t& word = piece.words[i / inWord];
    word = i % inWord == 0 ? bits : word | bits << 16;
  }
  return piece;
}

/// A lane's share of a strip.
template <class T>
struct Strip {
  static constexpr int kProducts = kStripDepth<T> / kTile;
  static constexpr int kRows = kWave == 64 ? 1 : 2;  // of which a lane holds a piece, 8 apart
  Operand<T> operands[kProducts];

  AURORA_DEVICE static int outer(int lane) { return kWave == 64 ? lane % 16 : lane / 4; }
  AURORA_DEVICE static int piece(int lane) { return kWave == 64 ? lane / 16 : lane % 4; }

  /// The piece of the lane's first or second row, word by word: two bf16 at a time never come apart.
  AURORA_DEVICE void set(int row, const Bits128& bits) {
    constexpr int words = kPieceBytes / 4 / kProducts;  // of an operand
    AURORA_UNROLL
    for (int i = 0; i < kPieceBytes / 4; ++i) {
      const int word = i % words, half = words / 2;
      const int at = kWave == 64 ? word : word / half * 2 * half + row * half + word % half;
      __builtin_memcpy(reinterpret_cast<std::byte*>(operands[i / words].values) + 4 * at, &bits.words[i], 4);
    }
  }
  /// at(outer, piece): where that piece is, aligned to 16 bytes.
  template <class At>
  AURORA_DEVICE void load(At&& at) {
    const int lane = laneIndex();
    AURORA_UNROLL
    for (int row = 0; row < kRows; ++row) set(row, loadBits<kPieceBytes>(at(outer(lane) + 8 * row, piece(lane))));
  }
  /// The same with zeros for what is not among the first `left` elements along k, which is not read.
  template <class At>
  AURORA_DEVICE void loadFirst(At&& at, int64_t left) {
    const int lane = laneIndex();
    left -= piece(lane) * kWide<T>;
    AURORA_UNROLL
    for (int row = 0; row < kRows; ++row) set(row, loadPiece(at(outer(lane) + 8 * row, piece(lane)), left));
  }
  /// From a tile in shared memory: rows firstRow … + 15, a multiple of 16.
  AURORA_DEVICE void loadShared(const std::byte* tile, int firstRow) {
    const int lane = laneIndex(), mine = pieceAt(outer(lane), piece(lane));
    AURORA_UNROLL
    for (int row = 0; row < kRows; ++row)  // rows 8 apart have the same turn
      set(row, loadBits<kPieceBytes>(tile + mine + (firstRow + 8 * row) * kStripBytes));
  }
};

/// A 16 × 16 result of which a lane holds neighbours along the rows: what is stored row by row moves in runs.
struct RowAccumulator {
  static constexpr bool kTransposed = kWave == 64;  // MFMA's lanes hold neighbours along columns: it multiplies b·aᵀ
  static constexpr int kRun = kWave == 64 ? 4 : 2;
  Accumulator held;

  AURORA_DEVICE void clear() { held.clear(); }
  /// f(row, first column, float* values) for each of the lane's runs.
  template <class F>
  AURORA_DEVICE void forEachRun(F&& f) {
    const int lane = laneIndex();
    AURORA_UNROLL
    for (int i = 0; i < Accumulator::kSize; i += kRun) {
      const int row = Accumulator::row(lane, i), column = Accumulator::column(lane, i);
      f(kTransposed ? column : row, kTransposed ? row : column, held.values + i);
    }
  }
};

/// A wave operation.
template <class T>
AURORA_DEVICE inline void multiplyAdd(RowAccumulator& c, const Strip<T>& a, const Strip<T>& b, Site site = Site::current()) {
  AURORA_UNROLL
  for (int i = 0; i < Strip<T>::kProducts; ++i) {
    if constexpr (RowAccumulator::kTransposed)
      multiplyAdd(c.held, b.operands[i], a.operands[i], site);
    else
      multiplyAdd(c.held, a.operands[i], b.operands[i], site);
  }
}

}  // namespace aurora::hip
