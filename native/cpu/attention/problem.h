// How an attention problem is cut. Query heads that share a key head are laid side by side: row f of key head g is position
// f / sharing of query head g·sharing + f % sharing, so that multi-query attention is one tall matrix against one set of keys.
// A block is kBlockRows such rows; it walks over its keys in tiles that start at any panel. All cuts depend on the problem alone.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/backend.h"
#include "cpu/attention/exp2.h"
#include "cpu/attention/tile.h"

namespace aurora::cpu::AURORA_ISA::flash {

constexpr int kBlockRows = 132 / kStripRows * kStripRows;
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
  int width;                // of a head: K
  float scale;              // of scores, to units of log 2; never 0, so that
  float hidden;             // is a score that it turns into −∞

  Problem(const HeadLayout& heads, int64_t n, const View& first, double scoreScale)
      : layout(heads),
        positions(n),
        firstRow(first.as<const int32_t>()),
        sharing(static_cast<int>(heads.heads / heads.keyHeads)),
        width(static_cast<int>(heads.width)),
        scale(static_cast<float>(scoreScale * kLog2E)) {
    if (scale == 0) scale = 0x1p-126f;
    hidden = scale > 0 ? -__builtin_inff() : __builtin_inff();
  }

  int64_t rows() const { return positions * sharing; }
  int64_t blocks() const { return (rows() + kBlockRows - 1) / kBlockRows; }
  int64_t tiles() const { return (positions + kTileKeys - 1) / kTileKeys; }
  int64_t paddedKeys() const { return tiles() * kTileKeys; }
  KeyRange keys(int64_t position) const { return {std::clamp<int64_t>(firstRow[position], 0, position), position + 1}; }

  /// Where the query of a row begins in qkv [N, W], and the row's result in y [N, H·K].
  int64_t queryAt(Row row) const { return row.position * layout.rowWidth() + layout.queryOffset(row.head); }
  int64_t resultAt(Row row) const { return (row.position * layout.heads + row.head) * width; }
  int64_t logSumExpAt(Row row) const { return row.head * positions + row.position; }

};

/// How many key heads to pack and work on at a time: all that fit kPackedBytes, but enough to give many threads work.
inline int64_t headsAtOnce(const Problem& problem, int64_t bytesPerHead, int64_t tasksPerHead) {
  constexpr int64_t kTasks = 16;
  const int64_t fitting = kPackedBytes / bytesPerHead, needed = (kTasks + tasksPerHead - 1) / tasksPerHead;
  return std::min(std::max(fitting, needed), problem.layout.keyHeads);
}

/// The lengths of a head's rows, packed.
template <class Packed>
struct Lengths {
  int width, steps;  // K, and its packed elements
  int across, down;  // a row packed across, and one step of rows packed down: the length of unpacked sums, too

  explicit Lengths(int64_t headWidth)
      : width(static_cast<int>(headWidth)), steps(width / kDepth<Packed>), across(packedStride(steps)), down(packedStride(width)) {}
  /// Where key j begins in rows packed down, and (at the start of a panel) in transposed panels.
  int64_t rowsAt(int64_t j) const { return j / kDepth<Packed> * down; }
  int64_t panelsAt(int64_t j) const { return j / kPanel * panelStride<kPanel>(steps); }
};

/// Packs a tile of the keys or values of one head down into rows. `from` is the head's part of row 0 of qkv; rows past N are 0.
template <class Packed, class T>
void packTileRows(const Problem& problem, const Lengths<Packed>& lengths, const T* from, int64_t tile, Packed* rows) {
  const auto row = [&](int64_t j) { return j < problem.positions ? from + j * problem.layout.rowWidth() : nullptr; };
  for (int64_t j = tile * kTileKeys; j < (tile + 1) * kTileKeys; j += kDepth<Packed>)
    packDown(row(j), row(j + 1), lengths.width, rows + lengths.rowsAt(j));
}
/// The same transposed, in panels. Panels past N stay as they are.
template <class Packed, class T>
void packTilePanels(const Problem& problem, const Lengths<Packed>& lengths, const T* from, int64_t tile, Packed* panels) {
  const int64_t begin = tile * kTileKeys, end = std::min(begin + kTileKeys, problem.positions), row = problem.layout.rowWidth();
  packAlong<kPanel, Packed>(from + begin * row, row, end - begin, lengths.width, panels + lengths.panelsAt(begin));
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
  KeyRange common;                           // keys that all rows of all strips see
  KeyRange needed[kBlockRows / kStripRows];  // all that a strip's rows see
  Span spans[kBlockRows / kStripRows];       // of the tile, in whole vectors; nothing: begin = end
  bool whole;                                // all see the whole tile

  /// Block `block` of a key head.
  BlockRows(const Problem& problem, int64_t keyHead, int64_t block)
      : rows(static_cast<int>(std::min<int64_t>(kBlockRows, problem.rows() - block * kBlockRows))),
        strips((rows + kStripRows - 1) / kStripRows),
        common{0, problem.positions} {
    int64_t position = block * kBlockRows / problem.sharing, sharer = block * kBlockRows % problem.sharing;
    for (int r = 0; r < rows; ++r) {
      row[r] = {position, keyHead * problem.sharing + sharer};
      keys[r] = problem.keys(position);
      if (++sharer == problem.sharing) ++position, sharer = 0;
    }
    std::fill(keys + rows, keys + paddedRows(), KeyRange{0, 0});
    for (int r = 0; r < paddedRows(); ++r) {
      common = {std::max(common.begin, keys[r].begin), std::min(common.end, keys[r].end)};
      KeyRange& strip = needed[r / kStripRows];
      strip = r % kStripRows == 0 ? keys[r] : r < rows ? unite(strip, keys[r]) : strip;
    }
  }

  int paddedRows() const { return strips * kStripRows; }
  /// All keys that any of the rows needs, from the start of a panel.
  KeyRange allKeys() const {
    KeyRange all = needed[0];
    for (int s = 1; s < strips; ++s) all = unite(all, needed[s]);
    return {all.begin / kPanel * kPanel, all.end};
  }

  void enterTile(int64_t tileStart) {
    whole = common.begin <= tileStart && common.end >= tileStart + kTileKeys;
    for (int s = 0; s < strips; ++s) {
      const Span exact = inTile(needed[s], tileStart);
      spans[s] = exact.begin < exact.end ? Span{exact.begin / W * W, roundUp(exact.end, W)} : Span{0, 0};
    }
  }
  bool sees(int row, int64_t tileStart) const { return keys[row].begin < tileStart + kTileKeys && keys[row].end > tileStart; }
  /// Hides those of a row's scores in the strip's span that the row must not see.
  void hide(int row, int64_t tileStart, float hidden, float* scores) const {
    if (whole) return;
    const Span own = inTile(keys[row], tileStart), strip = spans[row / kStripRows];
    std::fill(scores + strip.begin, scores + std::clamp(own.begin, strip.begin, strip.end), hidden);
    std::fill(scores + std::clamp(own.end, strip.begin, strip.end), scores + strip.end, hidden);
  }

 private:
  static KeyRange unite(KeyRange a, KeyRange b) { return {std::min(a.begin, b.begin), std::max(a.end, b.end)}; }
  static Span inTile(KeyRange keys, int64_t tileStart) {
    return {static_cast<int>(std::clamp<int64_t>(keys.begin - tileStart, 0, kTileKeys)),
            static_cast<int>(std::clamp<int64_t>(keys.end - tileStart, 0, kTileKeys))};
  }
};

/// scores(r, j) = row r · key j of a tile: rows packed across, keys in transposed panels. Only what the strips' spans ask for is
/// written, in whole panels.
template <class Packed>
void multiplyKeys(const BlockRows& block, const Lengths<Packed>& lengths, const Packed* rows, const Packed* panels, float* scores) {
  for (int j = 0; j < kTileKeys; j += kPanel)
    for (int s = 0; s < block.strips; ++s)
      if (block.spans[s].begin < j + kPanel && block.spans[s].end > j)
        multiplyStrip(rows + s * kStripRows * lengths.across, lengths.across, 1, panels + lengths.panelsAt(j), kPanel, lengths.steps,
                      scores + s * kStripRows * kTileKeys + j, kTileKeys, false);
}

/// out(r, ·) += Σ_j weights(r, j) · values(j, ·) over the strips' spans: weights [kBlockRows, kTileKeys] packed across, values down.
template <class Packed>
void addWeighted(const BlockRows& block, const Lengths<Packed>& lengths, const Packed* weights, const Packed* values, float* out) {
  for (int k = 0; k < lengths.width; k += kPanel)
    for (int s = 0; s < block.strips; ++s) {
      const auto [begin, end] = block.spans[s];
      if (begin < end)
        multiplyStrip(weights + s * kStripRows * kTileKeys + begin / kDepth<Packed>, kTileKeys, 1, values + lengths.rowsAt(begin) + k,
                      lengths.down, (end - begin) / kDepth<Packed>, out + s * kStripRows * lengths.down + k, lengths.down, true);
    }
}

}  // namespace aurora::cpu::AURORA_ISA::flash
