// Attention of one new token against a cache of keys and values, and the writing of that cache. The positions of a sequence are dealt out to
// several blocks, and within a block to its waves; all query heads that share a key head are rows of one product, so that keys and values are
// read once. The waves' softmaxes are merged in order, then the blocks'.
#include "hip/attention/online_softmax.h"
#include "hip/attention/problem.h"

namespace aurora::hip {
namespace {

using namespace flash;

/// qkv and caches as rows of pieces.
struct CacheShape {
  int64_t keyHeads, width, rowWidth, groupWidth, keyOffset;
};

template <class Piece>
AURORA_KERNEL(256) void cacheWriteKernel(const Piece* qkv, Indices slots, CacheShape shape, Piece* keys, Piece* values, int64_t rows) {
  const int64_t width = shape.width, cacheRow = shape.keyHeads * width;
  forGrid(rows * 2 * cacheRow, [&](int64_t i) {
    const int64_t n = i / (2 * cacheRow), place = i - n * 2 * cacheRow, keyHead = place / (2 * width), column = place - keyHead * 2 * width;
    const int64_t slot = slots[n];
    if (slot < 0) return;
    const bool ofValue = column >= width;
    (ofValue ? values : keys)[slot * cacheRow + keyHead * width + column - (ofValue ? width : 0)] =
        qkv[n * shape.rowWidth + keyHead * shape.groupWidth + shape.keyOffset + column];
  });
}

template <class T>
struct Decoding {
  const T *qkv, *keys, *values;
  const int32_t* lengths;
  T* y;
  int slots, keyHeads, sharing, width;  // slots: of a sequence's cache
  int64_t rowWidth, groupWidth;
  float scale;  // to units of log 2
  int headBlocks, splits;

  AURORA_DEVICE int length(int64_t sequence) const {
    const int length = lengths[sequence];
    return length < 0 ? 0 : length < slots ? length : slots;
  }
  AURORA_DEVICE int64_t cacheRow() const { return static_cast<int64_t>(keyHeads) * width; }
};

/// What a split leaves of a head: maximum of the scaled scores and Σ 2^(score − maximum); and Σ 2^(score − maximum)·value [K].
struct SplitStatistics {
  float maximum, total;
};
struct Partials {
  SplitStatistics* statistics;  // [B, splits, H]
  float* sums;                  // [B, splits, H, K]
};

/// Positions of each split of a sequence: whole tiles, as evenly as they can be.
template <class T>
AURORA_DEVICE inline int splitLength(const Decoding<T>& decoding, int length, int tile) {
  const int tiles = (length + tile - 1) / tile;
  return (tiles + decoding.splits - 1) / decoding.splits * tile;
}

template <class T, int W>
struct DecodeShape {
  /// Each wave has a tile of 16 keys.
  static constexpr int kWaves = W * sizeof(T) <= 256 ? 4 : W * sizeof(T) <= 512 ? 2 : 1, kDecodeThreads = kWaves * kWave, kKeys = kWaves * kTile;
  static constexpr int kMostRowTiles = kWave == 64 && W * sizeof(T) <= 256 ? 3 : 1;  // that registers hold
  using KeyTile = Tile<T, kKeys, W, true, false>;
  using ValueTile = Tile<T, kKeys, W, false, true>;
  static constexpr size_t sharedBytes(int rowTiles) {
    const size_t tiles = (KeyTile::kSize + ValueTile::kSize) * sizeof(T), merging = mergingFloats(rowTiles) * sizeof(float);
    return tiles < merging ? merging : tiles;
  }
  /// Of the waves: maxima and totals; and sums.
  static constexpr size_t mergingFloats(int rowTiles) { return static_cast<size_t>(rowTiles * kTile * (2 * kWaves + W)); }
};

template <class T, int W, int kRowTiles>
AURORA_KERNEL((DecodeShape<T, W>::kDecodeThreads)) void decodeKernel(Decoding<T> decoding, Partials partials) {
  using Shape = DecodeShape<T, W>;
  constexpr int kHeads = kRowTiles * kTile, kRows = OperandAccumulator::kRows, kRun = OperandAccumulator::kRun;
  const int split = blockX() % decoding.splits, headBlock = blockX() / decoding.splits % decoding.headBlocks;
  const int group = blockX() / decoding.splits / decoding.headBlocks, keyHead = group % decoding.keyHeads, sequence = group / decoding.keyHeads;
  const int length = decoding.length(sequence), each = splitLength(decoding, length, Shape::kKeys);
  const int64_t begin64 = static_cast<int64_t>(split) * each;
  if (split > 0 && begin64 >= length) return;
  const int begin = static_cast<int>(begin64), end = length - begin < each ? length : begin + each;
  const int lane = laneIndex(), firstSharer = headBlock * kHeads;
  const int heads = decoding.sharing - firstSharer < kHeads ? decoding.sharing - firstSharer : kHeads;  // of this block

  OnlineSoftmax<T, W, kRowTiles> softmax;
  softmax.clear();
  const T* queries =
      decoding.qkv + sequence * decoding.rowWidth + keyHead * decoding.groupWidth + static_cast<int64_t>(firstSharer) * decoding.width;
  AURORA_UNROLL
  for (int t = 0; t < kRowTiles; ++t) {
    const T* rows[kRows];
    AURORA_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const int head = t * kTile + OperandAccumulator::rowOfSlot(lane, r);
      rows[r] = head < heads ? queries + static_cast<int64_t>(head) * decoding.width : nullptr;
    }
    AURORA_UNROLL
    for (int k = 0; k < W / kTile; ++k) softmax.queries[t][k] = operandOf(rows, k * kTile, decoding.width);
  }
  if (decoding.scale < 0) softmax.negateQueries();
  const float scale = positiveScale(decoding.scale);

  T* const shared = sharedMemory<T>();
  const typename Shape::KeyTile keys{shared};
  const typename Shape::ValueTile values{shared + Shape::KeyTile::kSize};
  const int64_t cache = sequence * static_cast<int64_t>(decoding.slots) * decoding.cacheRow() + static_cast<int64_t>(keyHead) * decoding.width;
  const int first = waveUniform(waveIndex() * kTile);
  const KeyVectors<T> vectors{decoding.keys + cache, decoding.values + cache, decoding.cacheRow(), end, decoding.width};
  walkTiles<Shape::kDecodeThreads>(keys, values, vectors, begin, end, [&](int start) {
    const auto sees = [&](int, int, int key) { return start + first + key < end; };
    if (start + first < end) softmax.template add<1>(keys, values, first, scale, start + first + kTile > end, sees, WeighAll{});
  });
  softmax.gatherTotals();

  // Merging: the rows' maxima of all waves, then the waves' sums, one wave after another.
  float* const maxima = sharedMemory<float>();  // [kWaves, kHeads]
  float* const totals = maxima + Shape::kWaves * kHeads;
  float* const sums = totals + Shape::kWaves * kHeads;  // [kHeads, W]
  blockSync();
  AURORA_UNROLL
  for (int t = 0; t < kRowTiles; ++t)
    AURORA_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const int at = waveIndex() * kHeads + t * kTile + OperandAccumulator::rowOfSlot(lane, r);
      maxima[at] = softmax.maximum[t][r] * scale;
      totals[at] = softmax.total[t][r];
    }
  blockSync();
  const auto merged = [&](int head) {
    SplitStatistics all{maxima[head], 0};
    for (int wave = 1; wave < Shape::kWaves; ++wave) all.maximum = fmaxf(all.maximum, maxima[wave * kHeads + head]);
    for (int wave = 0; wave < Shape::kWaves; ++wave)
      all.total += totals[wave * kHeads + head] * growth(maxima[wave * kHeads + head], all.maximum);
    return all;
  };
  for (int wave = 0; wave < Shape::kWaves; ++wave) {
    if (waveIndex() == wave)
      softmax.forEachRun([&](int t, int r, int column, const auto& run) {
        const int head = t * kTile + OperandAccumulator::rowOfSlot(lane, r);
        const float factor = growth(softmax.maximum[t][r] * scale, merged(head).maximum);
        AURORA_UNROLL
        for (int c = 0; c < kRun; ++c) {
          float& sum = sums[head * W + column + c];
          sum = (wave > 0 ? sum : 0) + factor * run.values[c];
        }
      });
    blockSync();
  }

  const int64_t allHeads = static_cast<int64_t>(decoding.keyHeads) * decoding.sharing;
  const int64_t firstHead = static_cast<int64_t>(keyHead) * decoding.sharing + firstSharer;
  const int64_t target = (static_cast<int64_t>(sequence) * decoding.splits + split) * allHeads + firstHead;
  forBlock(static_cast<int64_t>(heads) * decoding.width, [&](int64_t i) {
    const int head = static_cast<int>(i) / decoding.width, column = static_cast<int>(i) - head * decoding.width;
    const float sum = sums[head * W + column];
    if (decoding.splits > 1) {
      partials.sums[target * decoding.width + i] = sum;
      if (column == 0) partials.statistics[target + head] = merged(head);
    } else {
      put(decoding.y + target * decoding.width + i, length > 0 ? sum / merged(head).total : 0);
    }
  });
}

/// y = the softmax over all splits, in order.
template <class T>
AURORA_KERNEL(256) void mergeSplitsKernel(Decoding<T> decoding, Partials partials, int tile, int64_t sequences) {
  const int64_t heads = static_cast<int64_t>(decoding.keyHeads) * decoding.sharing;
  forGrid(sequences * heads * decoding.width, [&](int64_t i) {
    const int64_t row = i / decoding.width, column = i - row * decoding.width, sequence = row / heads, head = row - sequence * heads;
    const int length = decoding.length(sequence), each = splitLength(decoding, length, tile);
    const int splits = each > 0 ? (length + each - 1) / each : 0;
    const auto at = [&](int split) { return (sequence * decoding.splits + split) * heads + head; };
    float maximum = -kInfinity, total = 0, sum = 0;
    for (int split = 0; split < splits; ++split) maximum = fmaxf(maximum, partials.statistics[at(split)].maximum);
    for (int split = 0; split < splits; ++split) {
      const SplitStatistics part = partials.statistics[at(split)];
      const float factor = growth(part.maximum, maximum);
      total += factor * part.total;
      sum += factor * partials.sums[at(split) * decoding.width + column];
    }
    put(decoding.y + i, splits > 0 ? sum / total : 0);
  });
}

template <class T, int W, int kRowTiles>
void decodeSplits(Context& context, Decoding<T> decoding, int64_t sequences) {
  using Shape = DecodeShape<T, W>;
  constexpr int64_t kEnoughBlocks = 512, kLeastTiles = 2;
  const int64_t groups = sequences * decoding.keyHeads * decoding.headBlocks, tiles = (decoding.slots + Shape::kKeys - 1) / Shape::kKeys;
  decoding.splits = static_cast<int>(std::max<int64_t>(1, std::min((kEnoughBlocks + groups - 1) / groups, tiles / kLeastTiles)));
  const int64_t rows = sequences * decoding.splits * decoding.keyHeads * decoding.sharing;
  Partials partials{};
  if (decoding.splits > 1) partials = {context.scratch<SplitStatistics>(4, rows), context.scratch<float>(5, rows * decoding.width)};
  launch<decodeKernel<T, W, kRowTiles>>(context.queue, groups * decoding.splits, Shape::kDecodeThreads, Shape::sharedBytes(kRowTiles), decoding,
                                        partials);
  if (decoding.splits > 1) {
    const int64_t outputs = sequences * decoding.keyHeads * decoding.sharing * decoding.width;
    launch<mergeSplitsKernel<T>>(context.queue, blocksFor(outputs, 256), 256, 0, decoding, partials, Shape::kKeys, sequences);
  }
}

template <class T, int W>
void decode(Context& context, Decoding<T> decoding, int64_t sequences) {
  const int tiles = (decoding.sharing + kTile - 1) / kTile;
  decoding.headBlocks = (tiles + DecodeShape<T, W>::kMostRowTiles - 1) / DecodeShape<T, W>::kMostRowTiles;
  const int rowTiles = (tiles + decoding.headBlocks - 1) / decoding.headBlocks;
  if constexpr (DecodeShape<T, W>::kMostRowTiles > 1) {
    if (rowTiles == 3) return decodeSplits<T, W, 3>(context, decoding, sequences);
    if (rowTiles == 2) return decodeSplits<T, W, 2>(context, decoding, sequences);
  }
  decodeSplits<T, W, 1>(context, decoding, sequences);
}

}  // namespace

void cacheWrite(Context& context, const CacheWrite& args) {
  const HeadLayout& layout = args.layout;
  const int64_t rows = args.qkv.shape[0], slots = args.keys.shape[0] * args.keys.shape[1];
  if (rows == 0) return;
  const Indices indices = context.indices("slots below " + std::to_string(slots), args.slots, slots, true, "in row");
  const auto write = [&](auto piece) {
    using Piece = decltype(piece);
    const int64_t each = static_cast<int64_t>(sizeof(Piece) / byteSize(args.qkv.dtype)), width = layout.width / each;
    const int64_t sharing = layout.heads / layout.keyHeads;
    const CacheShape shape{layout.keyHeads, width, layout.rowWidth() / each, (sharing + 2) * width, sharing * width};
    launch<cacheWriteKernel<Piece>>(context.queue, blocksFor(rows * 2 * layout.keyHeads * width, 256), 256, 0, args.qkv.as<Piece>(), indices, shape,
                                    args.keys.as<Piece>(), args.values.as<Piece>(), rows);
  };
  if (aligned<16>(args.qkv.data, args.keys.data, args.values.data))
    write(Bits128{});
  else
    withFloat(args.qkv.dtype, write);
}

void attentionDecode(Context& context, const AttentionDecode& args) {
  if (args.qkv.size() == 0) return;
  withFloat(args.qkv.dtype, [&](auto type) {
    using T = decltype(type);
    const HeadLayout& layout = args.layout;
    const int sharing = static_cast<int>(layout.heads / layout.keyHeads);
    const Decoding<T> decoding{alignedInput<T>(context, 0, args.qkv),
                               alignedInput<T>(context, 1, args.keys),
                               alignedInput<T>(context, 2, args.values),
                               args.lengths.as<const int32_t>(),
                               args.y.as<T>(),
                               static_cast<int>(args.keys.shape[1]),
                               static_cast<int>(layout.keyHeads),
                               sharing,
                               static_cast<int>(layout.width),
                               layout.rowWidth(),
                               (sharing + 2) * layout.width,
                               static_cast<float>(args.scale * 1.4426950408889634),
                               1,
                               1};
    withWidth(layout.width, [&](auto width) { decode<T, decltype(width)::value>(context, decoding, args.qkv.shape[0]); });
  });
}

}  // namespace aurora::hip
