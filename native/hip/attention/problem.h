// How an attention problem is cut, for all its kernels. Query heads that share a key head are laid side by side: row f of key head g is
// position f / sharing of query head g·sharing + f % sharing, so that multi-query attention is one tall matrix against one set of keys, and a
// tile of them in shared memory serves every head.
#pragma once

#include <cmath>

#include "hip/kernels.h"

namespace aurora::hip::flash {

constexpr float kLog2E = 1.44269504f, kLn2 = 0.693147181f;
constexpr int kBlockWaves = kWave == 64 ? 4 : 8;
constexpr int kThreads = kBlockWaves * kWave;

/// A query head of a key head at a position.
struct Row {
  int position, sharer;
};

/// Consecutive rows, from any one on.
class Rows {
 public:
  AURORA_DEVICE Rows(int64_t first, int sharing)
      : position_(static_cast<int>(first / sharing)),
        sharer_(static_cast<int>(first - static_cast<int64_t>(position_) * sharing)),
        sharing_(sharing),
        inverse_(1.0f / static_cast<float>(sharing)) {}
  AURORA_DEVICE Row operator[](int r) const {
    const int positions = positionsTo(r);
    return {position_ + positions, sharer_ + r - positions * sharing_};
  }
  /// Those from row r on.
  AURORA_DEVICE Rows from(int r) const {
    Rows later = *this;
    later.position_ += positionsTo(r);
    later.sharer_ += r - positionsTo(r) * sharing_;
    return later;
  }
  /// How many positions row r comes after the first row, r < 2²⁰. A division by multiplication: the half keeps it away from whole numbers.
  AURORA_DEVICE int positionsTo(int r) const { return static_cast<int>((static_cast<float>(sharer_ + r) + 0.5f) * inverse_); }

 private:
  int position_, sharer_, sharing_;
  float inverse_;
};

/// Element ((h·N + i)·N + j) of a random sequence decides on the weight of row i of head h for key j, as on the CPU.
struct DropoutMask {
  RandomKey random;
  uint32_t threshold;  // on the 24-bit integers that uniforms are made of: exact for every p
  float kept;

  /// What is left of the weights of `count` consecutive elements: 0 of a dropped one, else 1/(1 − p) times as much.
  template <int count>
  AURORA_DEVICE void apply(float (&weights)[count], uint64_t first) const {
    static_assert(count <= 4);
    const uint32_t offset = first % 4;
    uint32_t bits = keptOf(first / 4);
    if (offset + count > 4) bits |= keptOf(first / 4 + 1) << 4;
    AURORA_UNROLL
    for (int i = 0; i < count; ++i) weights[i] = bits >> (offset + i) & 1 ? weights[i] * kept : 0;
  }
  /// A bit for each of elements 4·block … 4·block + 3: whether it is kept.
  AURORA_DEVICE uint32_t keptOf(uint64_t block) const {
    const auto words = randomBlock(random, block);
    uint32_t bits = 0;
    AURORA_UNROLL
    for (int i = 0; i < 4; ++i) bits |= static_cast<uint32_t>((words[i] >> 8) >= threshold) << i;
    return bits;
  }
};

/// What the kernels of forward and backward pass know of the whole.
template <class T>
struct Problem {
  const T* qkv;
  const int32_t* firstRow;
  int positions;  // N
  int keyHeads, sharing, width;
  int64_t rowWidth;    // of qkv
  int64_t groupWidth;  // from one key head's queries to the next one's
  float scale;         // of scores, to units of log 2
  DropoutMask dropout;
  int64_t firstHead;   // among the layer's heads, for dropout

  Problem(const T* projections, const View& first, const HeadLayout& layout, double scoreScale, double dropoutProbability, const RandomKey& random,
          int64_t firstHead)
      : qkv(projections),
        firstRow(first.as<const int32_t>()),
        positions(static_cast<int>(first.size())),
        keyHeads(static_cast<int>(layout.keyHeads)),
        sharing(static_cast<int>(layout.heads / layout.keyHeads)),
        width(static_cast<int>(layout.width)),
        rowWidth(layout.rowWidth()),
        groupWidth((sharing + 2) * layout.width),
        scale(static_cast<float>(scoreScale * 1.4426950408889634)),
        dropout{random, static_cast<uint32_t>(std::ceil(dropoutProbability * 0x1p24)), static_cast<float>(1 / (1 - dropoutProbability))},
        firstHead(firstHead) {}

  AURORA_DEVICE int64_t rows() const { return static_cast<int64_t>(positions) * sharing; }
  /// The first key that a position sees, given its firstRow.
  AURORA_DEVICE static int firstKey(int position, int first) { return first < 0 ? 0 : first < position ? first : position; }
  AURORA_DEVICE int firstKey(int position) const { return firstKey(position, firstRow[position]); }
  AURORA_DEVICE int head(int keyHead, Row row) const { return keyHead * sharing + row.sharer; }

  /// Where vectors of `width` elements begin in qkv and in y.
  AURORA_DEVICE int64_t queryAt(int keyHead, Row row) const {
    return row.position * rowWidth + keyHead * groupWidth + static_cast<int64_t>(row.sharer) * width;
  }
  AURORA_DEVICE int64_t keyAt(int keyHead, int position) const {
    return position * rowWidth + keyHead * groupWidth + static_cast<int64_t>(sharing) * width;
  }
  AURORA_DEVICE int64_t valueAt(int keyHead, int position) const { return keyAt(keyHead, position) + width; }
  AURORA_DEVICE int64_t resultAt(int keyHead, Row row) const { return rowAt(keyHead, row) * width; }
  /// The row among all positions' heads.
  AURORA_DEVICE int64_t rowAt(int keyHead, Row row) const { return static_cast<int64_t>(row.position) * keyHeads * sharing + head(keyHead, row); }
  AURORA_DEVICE int64_t logSumExpAt(int keyHead, Row row) const { return static_cast<int64_t>(head(keyHead, row)) * positions + row.position; }
  AURORA_DEVICE uint64_t dropoutAt(int keyHead, Row row, int key) const {
    return static_cast<uint64_t>(logSumExpAt(keyHead, row) + firstHead * positions) * static_cast<uint64_t>(positions) + static_cast<uint64_t>(key);
  }
};

/// Head widths that kernels are made for: body(Constant<padded width>).
template <class Body>
void withWidth(int64_t width, Body&& body) {
  if (width <= 64)
    body(Constant<64>{});
  else if (width <= 80)
    body(Constant<80>{});
  else if (width <= 96)
    body(Constant<96>{});
  else if (width <= 128)
    body(Constant<128>{});
  else
    body(Constant<256>{});
}

/// A tensor's memory for kernels that move 16 bytes at a time: where it is not aligned to them, a copy in scratch memory.
template <class T>
T* alignedInput(Context& context, int slot, const View& x) {
  if (aligned<16>(x.data)) return x.as<T>();
  T* copy = context.scratch<T>(slot, x.size());
  runtime::copyOnDevice(context.queue, copy, x.data, x.bytes());
  return copy;
}
/// The same for a result: memory to write to, and `settle` copies it to its place.
template <class T>
struct AlignedOutput {
  Context& context;
  const View& y;
  T* memory;

  AlignedOutput(Context& context, int slot, const View& y)
      : context(context), y(y), memory(aligned<16>(y.data) ? y.as<T>() : context.scratch<T>(slot, y.size())) {}
  void settle() const {
    if (memory != y.data) runtime::copyOnDevice(context.queue, y.data, memory, y.bytes());
  }
};

}  // namespace aurora::hip::flash
