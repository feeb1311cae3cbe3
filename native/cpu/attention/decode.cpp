// Attention of one new token against a cache of keys and values, and the writing of that cache. A sequence's cache is cut into splits of fixed
// length, each a task; their softmaxes are then merged in order.
#include <string>

#include "core/error.h"
#include "cpu/attention/online_softmax.h"
#include "cpu/kernels.h"

namespace aurora::cpu::AURORA_ISA {
namespace {

using namespace flash;

/// Cache positions of one task.
constexpr int64_t kSplit = 4 * kTileKeys;

/// What a split leaves for each query head: Σ 2^(score − maximum)·value [K], then the maximum and Σ 2^(score − maximum).
int64_t partialFloats(int64_t width) { return roundUp(width, W) + 2 * W; }

/// One split of one sequence and key head, and the query heads blockStart … blockStart + rows − 1 of those that share the key head.
template <class T>
struct Split {
  const T *queries, *keys, *values;  // of the first query head; of cache slot 0
  int64_t cacheRow;
  KeyRange range;
  int rows, width;
  float scale;
};

/// Rows of one head lie far apart when there are several: the hardware would not fetch them ahead.
template <class T>
void prefetchRows(const T* from, int64_t fromRow, int rows, int width) {
  constexpr int kLine = 64 / sizeof(T);
  for (int j = 0; j < rows; ++j)
    for (int k = 0; k < width; k += kLine) __builtin_prefetch(from + j * fromRow + k);
}

template <class T>
void attendSplit(const Split<T>& split, float* memory, float* partials) {
  const int width = split.width, stride = packedStride(width);
  float* keyPanels = memory + OnlineSoftmax::floats(stride);
  float* values = keyPanels + int64_t{kTileKeys} * width;
  BlockRows block(split.rows, split.range);
  OnlineSoftmax softmax(memory, stride);
  softmax.clear(block);
  for (int r = 0; r < split.rows; ++r) packRow(split.queries + r * width, width, split.scale, softmax.queries + r * stride, stride);
  for (int64_t start = split.range.begin; start < split.range.end; start += kTileKeys) {
    for (int64_t j = start; j < std::min(start + kTileKeys, split.range.end); j += kPanel) {
      const int count = static_cast<int>(std::min<int64_t>(kPanel, split.range.end - j));
      const int next = static_cast<int>(std::clamp<int64_t>(split.range.end - j - kPanel, 0, kPanel));
      const T *keys = split.keys + j * split.cacheRow, *cachedValues = split.values + j * split.cacheRow;
      prefetchRows(keys + kPanel * split.cacheRow, split.cacheRow, next, width);
      prefetchRows(cachedValues + kPanel * split.cacheRow, split.cacheRow, next, width);
      packPanel(keys, split.cacheRow, count, width, keyPanels + (j - start) * width);
      for (int i = 0; i < kPanel; ++i)
        packRow(i < count ? cachedValues + i * split.cacheRow : cachedValues, i < count ? width : 0, 1, values + (j - start + i) * stride, stride);
    }
    softmax.add(block, start, keyPanels, values, width, DropoutMask());
  }
  for (int r = 0; r < split.rows; ++r) {
    float* partial = partials + r * partialFloats(width);
    unpackRow(softmax.sums + r * stride, roundUp(width, W), 1, partial);
    partial[roundUp(width, W)] = softmax.maximum[r];
    partial[roundUp(width, W) + W] = sum(load(softmax.total[r]));
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
  const int64_t sharing = layout.heads / layout.keyHeads, headBlocks = (sharing + kBlockRows - 1) / kBlockRows;
  const auto length = [&](int64_t b) { return std::clamp<int64_t>(args.lengths.as<const int32_t>()[b], 0, slots); };
  int64_t longest = 0;
  for (int64_t b = 0; b < sequences; ++b) longest = std::max(longest, length(b));
  const int64_t splits = (longest + kSplit - 1) / kSplit;

  // partials [B, splits, H]
  const int64_t partial = partialFloats(width), memoryFloats = OnlineSoftmax::floats(stride) + int64_t{kTileKeys} * (width + stride);
  float* partials = ctx.scratch.get<float>(0, sequences * splits * layout.heads * partial);
  float* memory = ctx.scratch.get<float>(1, ctx.pool.threads() * memoryFloats);
  ctx.pool.parallel(sequences * splits * layout.keyHeads * headBlocks, [&](int64_t task, int thread) {
    const int64_t b = task % sequences, split = task / sequences % splits, group = task / sequences / splits;
    const int64_t keyHead = group / headBlocks, firstHead = keyHead * sharing + group % headBlocks * kBlockRows;
    if (split * kSplit >= length(b)) return;
    const int64_t cache = b * slots * cacheRow + keyHead * width;
    attendSplit<T>({args.qkv.as<const T>() + b * layout.rowWidth() + layout.queryOffset(firstHead), args.keys.as<const T>() + cache,
                    args.values.as<const T>() + cache, cacheRow, {split * kSplit, std::min((split + 1) * kSplit, length(b))},
                    static_cast<int>(std::min<int64_t>(kBlockRows, (keyHead + 1) * sharing - firstHead)), width,
                    static_cast<float>(args.scale * kLog2E)},
                   memory + thread * memoryFloats, partials + ((b * splits + split) * layout.heads + firstHead) * partial);
  });

  ctx.pool.parallel(sequences, [&](int64_t b, int thread) {
    for (int64_t h = 0; h < layout.heads; ++h)
      merge(partials + (b * splits * layout.heads + h) * partial, layout.heads * partial, (length(b) + kSplit - 1) / kSplit, width,
            memory + thread * memoryFloats, args.y.as<T>() + (b * layout.heads + h) * width);
  });
}

template <class T>
void writeCache(Context& ctx, const CacheWrite& args) {
  const HeadLayout& layout = args.layout;
  const int64_t rows = args.qkv.shape[0], slots = args.keys.shape[0] * args.keys.shape[1], cacheRow = layout.keyHeads * layout.width;
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
