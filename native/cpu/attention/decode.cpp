// Attention of one new token against a cache of keys and values, and the writing of that cache. A sequence's cache is cut into
// splits of fixed length, each a task; their softmaxes are then merged in order. Here the keys are the rows of the products and
// the query heads their columns, so that the cache is never transposed.
#include <string>

#include "core/error.h"
#include "cpu/attention/problem.h"
#include "cpu/gemm/gemm.h"
#include "cpu/kernels.h"

namespace aurora::cpu::AURORA_ISA {
namespace {

using namespace flash;

/// Cache positions of one task, and the most query heads: a multiple of strips and panels.
constexpr int64_t kSplit = 4 * kTileKeys;
constexpr int kSplitHeads = kTileKeys;
/// Heads come in strips of either height, whichever leaves fewer rows empty.
constexpr int kLowStripRows = kStripRows * 2 / 3;
/// Rows of a cache that are fetched ahead: those of one head lie far apart when there are several.
constexpr int64_t kAhead = 16;

/// What a split leaves for each query head: Σ 2^(score − maximum)·value [K], then the maximum and Σ 2^(score − maximum).
int64_t partialFloats(int64_t width) { return roundUp(width, W) + 2 * W; }

/// One split of one sequence, for `heads` query heads that share a key head.
template <class T>
struct Split {
  const T *queries, *keys, *values;  // of the first query head; of cache slot 0
  int64_t cacheRow;
  KeyRange range;
  int heads, width;
  float scale;  // to units of log 2
};

/// The memory of one thread's split.
template <class Packed>
struct Workspace {
  Lengths<Packed> lengths;
  int lanes;                   // heads, in whole vectors
  Packed *keys, *values;       // [kTileKeys, …]: across; down
  Packed* queries;             // transposed panels
  float* sums;                 // [kSplitHeads, lengths.down], Σ weight · value
  float* scores;               // [kTileKeys, lanes], and room for a strip that reaches past the last lane
  float maximum[kSplitHeads], total[kSplitHeads];

  static int64_t floats(const Lengths<Packed>& lengths) {
    return int64_t{kTileKeys} * (lengths.across + lengths.down) + lengths.panelsAt(kSplitHeads) + kSplitHeads * lengths.down +
           kTileKeys * kSplitHeads + 64;
  }
  Workspace(const Lengths<Packed>& ofHead, float* memory, int heads) : lengths(ofHead), lanes(roundUp(heads, W)) {
    keys = reinterpret_cast<Packed*>(memory);
    values = keys + kTileKeys * lengths.across;
    queries = values + kTileKeys * lengths.down;
    sums = reinterpret_cast<float*>(queries + lengths.panelsAt(kSplitHeads));
    scores = sums + kSplitHeads * lengths.down;
    std::fill_n(sums, (heads + kStripRows) * lengths.down, 0.0f);
    std::fill_n(maximum, lanes, -__builtin_inff());
    std::fill_n(total, lanes, 0.0f);
  }
};

template <class T>
void prefetchRow(const T* row, int width) {
  for (int k = 0; k < width; k += 64 / sizeof(T)) __builtin_prefetch(row + k);
}

/// scores(j, h) for `count` keys from `slot`: strips of keys, as they lie in the cache where its elements are what products are made of.
template <class T, class Packed>
void multiplyQueries(const Split<T>& split, const Workspace<Packed>& work, int64_t slot, int count) {
  constexpr bool kInPlace = sizeof(Packed) == kDepth<Packed> * sizeof(T);
  const Lengths<Packed>& lengths = work.lengths;
  for (int j = 0; j < count; j += kStripRows) {
    const T* rows = split.keys + (slot + j) * split.cacheRow;
    const Packed* strip = reinterpret_cast<const Packed*>(rows);
    int64_t stripRow = split.cacheRow / kDepth<Packed>;
    for (int64_t r = kStripRows; r < 2 * kStripRows; ++r)
      if (slot + j + r < split.range.end) prefetchRow(rows + r * split.cacheRow, split.width);
    if (!kInPlace || j + kStripRows > count) {
      for (int r = 0; r < kStripRows; ++r)
        packAcross(j + r < count ? rows + r * split.cacheRow : nullptr, lengths.width, work.keys + r * lengths.across);
      strip = work.keys;
      stripRow = lengths.across;
    }
    for (int h = 0, lanes; h < work.lanes; h += lanes) {
      // A row of scores ends with its last vector, be the panel wider or not.
      const bool whole = work.lanes - h >= kPanel;
      lanes = whole ? kPanel : W;
      const auto multiply = whole ? &multiplyStrip<kStripRows, kTileVectors, Packed> : &multiplyStrip<kStripRows, 1, Packed>;
      multiply(strip, stripRow, 1, work.queries + lengths.panelsAt(h) + h % kPanel, kPanel, lengths.steps,
               work.scores + j * work.lanes + h, work.lanes, false);
    }
  }
}

/// Turns the scores of `count` keys into weights, packed down in their place, and rescales the sums.
template <class Packed>
void updateSoftmax(Workspace<Packed>& work, int heads, int count, float scale) {
  constexpr int kRows = kDepth<Packed>;
  float factors[kSplitHeads];
  for (int h = 0; h < work.lanes; h += W) {
    const auto score = [&](int j) { return load(work.scores + j * work.lanes + h) * scale; };
    f32v now = load(work.maximum + h);
    for (int j = 0; j < count; ++j) now = max(now, score(j));
    const f32v factor = exp2(load(work.maximum + h) - now);
    f32v total = load(work.total + h) * factor;
    for (int j = 0; j < count; j += kRows) {
      f32v weights[kRows];
      unroll<kRows>([&](auto i) {
        weights[i] = j + i < count ? exp2(score(j + i) - now) : f32v{};
        total += weights[i];
      });
      putDown(reinterpret_cast<Packed*>(work.scores) + j / kRows * work.lanes, h, weights);
    }
    store(work.maximum + h, now);
    store(work.total + h, total);
    store(factors + h, factor);
  }
  for (int h = 0; h < heads; ++h) {
    float* sums = work.sums + h * work.lengths.down;
    if (factors[h] != 1)
      for (int k = 0; k < work.lengths.width; k += W) store(sums + k, load(sums + k) * factors[h]);
  }
}

/// Adds `count` weighted values from `slot` to the sums.
template <class T, class Packed>
void addValues(const Split<T>& split, const Workspace<Packed>& work, int64_t slot, int count) {
  constexpr int kRows = kDepth<Packed>;
  const Lengths<Packed>& lengths = work.lengths;
  for (int j = 0; j < count; j += kRows) {
    const T* row = split.values + (slot + j) * split.cacheRow;
    for (int64_t ahead = kAhead; ahead < kAhead + kRows; ++ahead)
      if (slot + j + ahead < split.range.end) prefetchRow(row + ahead * split.cacheRow, split.width);
    packDown(row, j + 1 < count ? row + split.cacheRow : nullptr, lengths.width, work.values + lengths.rowsAt(j));
  }
  const auto strips = [&]<int Rows>(std::integral_constant<int, Rows>) {
    for (int k = 0; k < lengths.width; k += kPanel)
      for (int h = 0; h < split.heads; h += Rows)
        multiplyStrip<Rows>(reinterpret_cast<const Packed*>(work.scores) + h, 1, work.lanes, work.values + k, lengths.down,
                            (count + kRows - 1) / kRows, work.sums + h * lengths.down + k, lengths.down, true);
  };
  if (roundUp(split.heads, kLowStripRows) < roundUp(split.heads, kStripRows))
    strips(std::integral_constant<int, kLowStripRows>{});
  else
    strips(std::integral_constant<int, kStripRows>{});
}

template <class T>
void attendSplit(const Split<T>& split, float* memory, float* partials) {
  using Packed = Factor<T>;
  Workspace<Packed> work(Lengths<Packed>(split.width), memory, split.heads);
  packAlong<kPanel, Packed>(split.queries, split.width, split.heads, split.width, work.queries);
  for (int64_t slot = split.range.begin; slot < split.range.end; slot += kTileKeys) {
    const int count = static_cast<int>(std::min<int64_t>(kTileKeys, split.range.end - slot));
    multiplyQueries(split, work, slot, count);
    updateSoftmax(work, split.heads, count, split.scale);
    addValues(split, work, slot, count);
  }
  for (int h = 0; h < split.heads; ++h) {
    float* partial = partials + h * partialFloats(split.width);
    unpackRow(work.sums + h * work.lengths.down, roundUp(split.width, W), 1, partial);
    partial[roundUp(split.width, W)] = work.maximum[h];
    partial[roundUp(split.width, W) + W] = work.total[h];
  }
}

/// y = the softmax over all splits: `count` partials of one head, `step` floats apart. No splits: 0.
template <class T>
void merge(const float* partials, int64_t step, int64_t count, int width, float* sums, T* y) {
  const int columns = roundUp(width, W);
  float maximum = -__builtin_inff(), total = 0;
  for (int64_t s = 0; s < count; ++s) maximum = std::max(maximum, partials[s * step + columns]);
  std::fill_n(sums, columns, 0.0f);
  for (int64_t s = 0; s < count; ++s) {
    const float* partial = partials + s * step;
    const float factor = exp2(splat(partial[columns] - maximum))[0];
    total += factor * partial[columns + W];
    for (int k = 0; k < columns; k += W) store(sums + k, load(sums + k) + factor * load(partial + k));
  }
  unpackRow(sums, width, count ? 1 / total : 0.0f, y);
}

template <class T>
void decode(Context& ctx, const AttentionDecode& args) {
  const HeadLayout& layout = args.layout;
  const int64_t sequences = args.qkv.shape[0], slots = args.keys.shape[1], cacheRow = layout.keyHeads * layout.width;
  const int width = static_cast<int>(layout.width);
  const int64_t sharing = layout.heads / layout.keyHeads, headBlocks = (sharing + kSplitHeads - 1) / kSplitHeads;
  const auto length = [&](int64_t b) { return std::clamp<int64_t>(args.lengths.as<const int32_t>()[b], 0, slots); };
  int64_t longest = 0, keys = 0;
  for (int64_t b = 0; b < sequences; ++b) longest = std::max(longest, length(b)), keys += length(b);
  const int64_t splits = (longest + kSplit - 1) / kSplit;

  // partials [B, splits, H]
  const int64_t partial = partialFloats(width), memoryFloats = Workspace<Factor<T>>::floats(Lengths<Factor<T>>(width));
  float* partials = ctx.scratch.get<float>(0, sequences * splits * layout.heads * partial);
  float* memory = ctx.scratch.get<float>(1, ctx.pool.threads() * memoryFloats);
  const int64_t groups = layout.keyHeads * headBlocks;
  // The heads of one split follow each other, as they share its pages of memory.
  forTasks(ctx, sequences * splits * groups, 2 * keys * layout.heads * width, [&](int64_t task, int thread) {
    const int64_t group = task % groups, split = task / groups % splits, b = task / groups / splits;
    const int64_t keyHead = group / headBlocks, firstHead = keyHead * sharing + group % headBlocks * kSplitHeads;
    if (split * kSplit >= length(b)) return;
    const int64_t cache = b * slots * cacheRow + keyHead * width;
    attendSplit<T>({args.qkv.as<const T>() + b * layout.rowWidth() + layout.queryOffset(firstHead),
                    args.keys.as<const T>() + cache,
                    args.values.as<const T>() + cache,
                    cacheRow,
                    {split * kSplit, std::min((split + 1) * kSplit, length(b))},
                    static_cast<int>(std::min<int64_t>(kSplitHeads, (keyHead + 1) * sharing - firstHead)),
                    width,
                    static_cast<float>(args.scale * kLog2E)},
                   memory + thread * memoryFloats, partials + ((b * splits + split) * layout.heads + firstHead) * partial);
  });

  forTasks(ctx, sequences, keys / kSplit * layout.heads * width, [&](int64_t b, int thread) {
    for (int64_t h = 0; h < layout.heads; ++h)
      merge(partials + (b * splits * layout.heads + h) * partial, layout.heads * partial, (length(b) + kSplit - 1) / kSplit,
            width, memory + thread * memoryFloats, args.y.as<T>() + (b * layout.heads + h) * width);
  });
}

template <class T>
void writeCache(Context& ctx, const CacheWrite& args) {
  const HeadLayout& layout = args.layout;
  const int64_t rows = args.qkv.shape[0], slots = args.keys.shape[0] * args.keys.shape[1],
                cacheRow = layout.keyHeads * layout.width;
  for (int64_t n = 0; n < rows; ++n) {
    const int64_t slot = args.slots.as<const int32_t>()[n];
    if (slot >= slots) {
      ctx.fail(code::kIndex, "slots below " + std::to_string(slots), std::to_string(slot) + " in row " + std::to_string(n));
      return;
    }
    if (slot < 0) continue;
    for (int64_t g = 0; g < layout.keyHeads; ++g) {
      const T* row = args.qkv.as<const T>() + n * layout.rowWidth();
      std::copy_n(row + layout.keyOffset(g), layout.width, args.keys.as<T>() + slot * cacheRow + g * layout.width);
      std::copy_n(row + layout.valueOffset(g), layout.width, args.values.as<T>() + slot * cacheRow + g * layout.width);
    }
  }
}

}  // namespace

void cacheWrite(Context& ctx, const CacheWrite& args) {
  if (args.qkv.dtype == DType::bf16)
    writeCache<bf16>(ctx, args);
  else
    writeCache<float>(ctx, args);
}

void attentionDecode(Context& ctx, const AttentionDecode& args) {
  if (args.qkv.size() == 0) return;
  if (args.qkv.dtype == DType::bf16)
    decode<bf16>(ctx, args);
  else
    decode<float>(ctx, args);
}

}  // namespace aurora::cpu::AURORA_ISA
