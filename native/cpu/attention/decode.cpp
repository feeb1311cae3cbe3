// Attention of one new token against a cache of keys and values, and the writing of that cache. A sequence's cache is cut into
// splits of fixed length, each a task; their softmaxes are then merged in order. Here the keys are the rows of the products and
// the query heads their columns, so that the cache is only converted, never transposed.
#include <string>

#include "core/error.h"
#include "cpu/attention/exp2.h"
#include "cpu/attention/problem.h"
#include "cpu/kernels.h"

namespace aurora::cpu::AURORA_ISA {
namespace {

using namespace flash;

/// Cache positions of one task, and the most query heads: a multiple of strips and panels.
constexpr int64_t kSplit = 4 * kTileKeys;
constexpr int kSplitHeads = kTileKeys;
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
  float scale;
};

/// The memory of one thread's split.
struct Workspace {
  int stride, lanes;     // of a packed row; heads, in whole panels
  float *keys, *values;  // [kTileKeys, stride]
  float* sums;           // [kSplitHeads, stride], Σ weight · value
  float* queries;        // transposed panels
  float* weights;        // [kTileKeys, lanes], and room for a strip that reaches past the last lane
  float maximum[kSplitHeads], total[kSplitHeads];

  static int64_t floats(int stride) { return int64_t{3 * kTileKeys + kSplitHeads} * stride + kTileKeys * kSplitHeads + 16; }
  Workspace(float* memory, int rowStride, int heads)
      : stride(rowStride),
        lanes(roundUp(heads, kPanel)),
        keys(memory),
        values(keys + kTileKeys * stride),
        sums(values + kTileKeys * stride),
        queries(sums + kSplitHeads * stride),
        weights(queries + kSplitHeads * stride) {}
};

template <class T>
void packCacheRow(const T* row, int64_t ahead, int width, float* to, int stride) {
  for (int k = 0; k < width; k += 64 / sizeof(T)) __builtin_prefetch(row + ahead + k);
  packRow(row, width, 1, to, stride);
}

/// Takes in the scores of `count` keys: turns them into weights and rescales the sums.
void updateSoftmax(Workspace& work, int heads, int count) {
  float factors[kSplitHeads];
  for (int h = 0; h < work.lanes; h += W) {
    f32v now = load(work.maximum + h);
    for (int j = 0; j < count; ++j) now = max(now, load(work.weights + j * work.lanes + h));
    const f32v factor = exp2(load(work.maximum + h) - now);
    f32v total = load(work.total + h) * factor;
    for (int j = 0; j < count; ++j) {
      const f32v weight = exp2(load(work.weights + j * work.lanes + h) - now);
      total += weight;
      store(work.weights + j * work.lanes + h, weight);
    }
    store(work.maximum + h, now);
    store(work.total + h, total);
    store(factors + h, factor);
  }
  for (int h = 0; h < heads; ++h)
    for (int k = 0; k < work.stride; k += W)
      store(work.sums + h * work.stride + k, load(work.sums + h * work.stride + k) * factors[h]);
}

template <class T>
void attendSplit(const Split<T>& split, float* memory, float* partials) {
  const int width = split.width, stride = packedStride(width);
  Workspace work(memory, stride, split.heads);
  // The queries are scaled where the sums will be, then transposed.
  for (int h = 0; h < split.heads; ++h) packRow(split.queries + h * width, width, split.scale, work.sums + h * stride, stride);
  for (int h = 0; h < work.lanes; h += kPanel)
    packPanel(work.sums + h * stride, stride, std::clamp(split.heads - h, 0, kPanel), width, work.queries + h * width);
  std::fill_n(work.sums, kSplitHeads * stride, 0.0f);
  std::fill_n(work.maximum, kSplitHeads, -__builtin_inff());
  std::fill_n(work.total, kSplitHeads, 0.0f);

  for (int64_t start = split.range.begin; start < split.range.end; start += kTileKeys) {
    const int count = static_cast<int>(std::min<int64_t>(kTileKeys, split.range.end - start));
    for (int j = 0; j < count; ++j) {
      const int64_t slot = start + j, ahead = std::min(kAhead, split.range.end - 1 - slot) * split.cacheRow;
      packCacheRow(split.keys + slot * split.cacheRow, ahead, width, work.keys + j * stride, stride);
      packCacheRow(split.values + slot * split.cacheRow, ahead, width, work.values + j * stride, stride);
    }
    std::fill(work.keys + count * stride, work.keys + roundUp(count, kStripRows) * stride, 0.0f);
    for (int h = 0; h < work.lanes; h += kPanel)
      for (int j = 0; j < count; j += kStripRows)
        multiplyStrip(work.keys + j * stride, stride, 1, work.queries + h * width, kPanel, width,
                      work.weights + j * work.lanes + h, work.lanes, false);
    updateSoftmax(work, split.heads, count);
    for (int k = 0; k < width; k += kPanel)
      for (int h = 0; h < split.heads; h += kStripRows)
        multiplyStrip(work.weights + h, 1, work.lanes, work.values + k, stride, count, work.sums + h * stride + k, stride, true);
  }
  for (int h = 0; h < split.heads; ++h) {
    float* partial = partials + h * partialFloats(width);
    unpackRow(work.sums + h * stride, roundUp(width, W), 1, partial);
    partial[roundUp(width, W)] = work.maximum[h];
    partial[roundUp(width, W) + W] = work.total[h];
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
  const int width = static_cast<int>(layout.width), stride = packedStride(width);
  const int64_t sharing = layout.heads / layout.keyHeads, headBlocks = (sharing + kSplitHeads - 1) / kSplitHeads;
  const auto length = [&](int64_t b) { return std::clamp<int64_t>(args.lengths.as<const int32_t>()[b], 0, slots); };
  int64_t longest = 0;
  for (int64_t b = 0; b < sequences; ++b) longest = std::max(longest, length(b));
  const int64_t splits = (longest + kSplit - 1) / kSplit;

  // partials [B, splits, H]
  const int64_t partial = partialFloats(width), memoryFloats = Workspace::floats(stride);
  float* partials = ctx.scratch.get<float>(0, sequences * splits * layout.heads * partial);
  float* memory = ctx.scratch.get<float>(1, ctx.pool.threads() * memoryFloats);
  const int64_t groups = layout.keyHeads * headBlocks;
  // The heads of one split follow each other, as they share its pages of memory.
  ctx.pool.parallel(sequences * splits * groups, [&](int64_t task, int thread) {
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

  ctx.pool.parallel(sequences, [&](int64_t b, int thread) {
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
