// How an attention problem is cut. Query heads that share a key head are laid side by side: row f of key head g is position
// f / sharing of query head g·sharing + f % sharing, so that multi-query attention is one tall matrix against one set of keys.
// A block is kBlockRows such rows; it walks over its keys in tiles that start at any panel. All cuts depend on the problem alone.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/backend.h"
#include "cpu/attention/tile.h"

namespace aurora::cpu::AURORA_ISA::flash {

constexpr int kBlockRows = 22 * kStripRows;
/// Memory for packed heads above which key heads are worked on group after group.
constexpr int64_t kPackedBytes = int64_t{256} << 20;

/// Keys begin … end − 1.
struct KeyRange {
  int64_t begin, end;
};

/// A query head at a position.
struct Row {
  int64_t position, head;
};

struct Problem {
  HeadLayout layout;
  int64_t positions;        // N
  const int32_t* firstRow;  // [N]
  int sharing;              // query heads for each key head
  int width, stride;        // of a head: K, and the packed row's length

  Problem(const HeadLayout& heads, int64_t n, const View& first)
      : layout(heads),
        positions(n),
        firstRow(first.as<const int32_t>()),
        sharing(static_cast<int>(heads.heads / heads.keyHeads)),
        width(static_cast<int>(heads.width)),
        stride(packedStride(heads.width)) {}

  int64_t rows() const { return positions * sharing; }
  int64_t blocks() const { return (rows() + kBlockRows - 1) / kBlockRows; }
  int64_t tiles() const { return (positions + kTileKeys - 1) / kTileKeys; }
  KeyRange keys(int64_t position) const { return {std::clamp<int64_t>(firstRow[position], 0, position), position + 1}; }

  /// Where the query of a row begins in qkv [N, W], and the row's result in y [N, H·K].
  int64_t queryAt(Row row) const { return row.position * layout.rowWidth() + layout.queryOffset(row.head); }
  int64_t resultAt(Row row) const { return (row.position * layout.heads + row.head) * width; }
  int64_t logSumExpAt(Row row) const { return row.head * positions + row.position; }

  /// Floats of one head's packed rows, and of its transposed panels: of all tiles.
  int64_t packedRows() const { return tiles() * kTileKeys * stride; }
  int64_t packedPanels() const { return tiles() * kTileKeys * width; }
};

/// How many key heads to pack and work on at a time: all that fit kPackedBytes, but enough to give many threads work.
inline int64_t headsAtOnce(const Problem& problem, int64_t bytesPerHead, int64_t tasksPerHead) {
  constexpr int64_t kTasks = 16;
  const int64_t fitting = kPackedBytes / bytesPerHead, needed = (kTasks + tasksPerHead - 1) / tasksPerHead;
  return std::min(std::max(fitting, needed), problem.layout.keyHeads);
}

/// Packs the rows of tile `tile` of one head: its keys or values, `from` being the head's part of row 0 of
/// qkv. Rows past N are 0.
template <class T>
void packTileRows(const Problem& problem, const T* from, int64_t tile, float* rows) {
  for (int64_t j = tile * kTileKeys; j < (tile + 1) * kTileKeys; ++j) {
    const bool inside = j < problem.positions;
    packRow(inside ? from + j * problem.layout.rowWidth() : from, inside ? problem.width : 0, 1, rows + j * problem.stride,
            problem.stride);
  }
}
/// The same as transposed panels.
template <class T>
void packTilePanels(const Problem& problem, const T* from, int64_t tile, float* panels) {
  for (int64_t j = tile * kTileKeys; j < (tile + 1) * kTileKeys; j += kPanel)
    packPanel(from + j * problem.layout.rowWidth(), problem.layout.rowWidth(),
              static_cast<int>(std::clamp<int64_t>(problem.positions - j, 0, kPanel)), problem.width, panels + j * problem.width);
}

/// Rows of a block: what each may attend to, and the strips' share of the tile at hand. Rows that only fill up the last strip see
/// no keys.
struct BlockRows {
  struct Span {
    int begin, end;  // keys, relative to the tile
  };
  int rows, strips;
  Row row[kBlockRows];  // of a Problem
  KeyRange keys[kBlockRows];
  Span spans[kBlockRows / kStripRows];

  /// Block `block` of a key head.
  BlockRows(const Problem& problem, int64_t keyHead, int64_t block)
      : BlockRows(static_cast<int>(std::min<int64_t>(kBlockRows, problem.rows() - block * kBlockRows))) {
    int64_t position = block * kBlockRows / problem.sharing, sharer = block * kBlockRows % problem.sharing;
    for (int r = 0; r < rows; ++r) {
      row[r] = {position, keyHead * problem.sharing + sharer};
      keys[r] = problem.keys(position);
      if (++sharer == problem.sharing) ++position, sharer = 0;
    }
  }
  /// Rows that all see the same keys.
  BlockRows(int count, KeyRange range) : BlockRows(count) { std::fill(keys, keys + rows, range); }

  /// All keys that any of the rows needs, from the start of a panel.
  KeyRange allKeys() const {
    KeyRange all = keys[0];
    for (int r = 1; r < rows; ++r) all = {std::min(all.begin, keys[r].begin), std::max(all.end, keys[r].end)};
    return {all.begin / kPanel * kPanel, all.end};
  }
  Span span(int row, int64_t tileStart) const {
    return {static_cast<int>(std::clamp<int64_t>(keys[row].begin - tileStart, 0, kTileKeys)),
            static_cast<int>(std::clamp<int64_t>(keys[row].end - tileStart, 0, kTileKeys))};
  }
  /// Sets every strip's span, rounded to whole vectors; an empty one has begin = end.
  void enterTile(int64_t tileStart) {
    for (int s = 0; s < strips; ++s) {
      Span all{kTileKeys, 0};
      for (int r = s * kStripRows; r < (s + 1) * kStripRows; ++r) {
        const Span one = span(r, tileStart);
        if (one.begin < one.end) all = {std::min(all.begin, one.begin), std::max(all.end, one.end)};
      }
      spans[s] = all.begin < all.end ? Span{all.begin / W * W, roundUp(all.end, W)} : Span{0, 0};
    }
  }

 private:
  explicit BlockRows(int count) : rows(count), strips((count + kStripRows - 1) / kStripRows) {
    std::fill(keys + rows, keys + strips * kStripRows, KeyRange{0, 0});
  }
};

/// scores(r, j) = row r · key j of a tile: rows packed, keys in transposed panels. Only what the strips' spans ask for is
/// written, in whole panels.
inline void multiplyKeys(const BlockRows& block, const float* rows, int stride, const float* panels, int width, float* scores) {
  for (int j = 0; j < kTileKeys; j += kPanel)
    for (int s = 0; s < block.strips; ++s)
      if (block.spans[s].begin < j + kPanel && block.spans[s].end > j)
        multiplyStrip(rows + s * kStripRows * stride, stride, 1, panels + j * width, kPanel, width,
                      scores + s * kStripRows * kTileKeys + j, kTileKeys, false);
}

/// out(r, ·) += Σ_j weights(r, j) · values(j, ·) over the strips' spans: values and out packed rows.
inline void addWeighted(const BlockRows& block, const float* weights, const float* values, int stride, int width, float* out) {
  for (int k = 0; k < width; k += kPanel)
    for (int s = 0; s < block.strips; ++s) {
      const auto [begin, end] = block.spans[s];
      if (begin < end)
        multiplyStrip(weights + s * kStripRows * kTileKeys + begin, kTileKeys, 1, values + begin * stride + k, stride,
                      end - begin, out + s * kStripRows * stride + k, stride, true);
    }
}

}  // namespace aurora::cpu::AURORA_ISA::flash
