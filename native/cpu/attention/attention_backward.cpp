// The backward pass of attention. With the weights recomputed, P = exp(scores − logSumExp), and M the dropout factors:
//   dV = (M∘P)ᵀ dY    dP = M∘(dY Vᵀ)    dS = P∘(dP − D), D_i = dy_i · y_i    dQ = scale dS K    dK = scale dSᵀ Q
// Each block of rows owns its dQ. dK and dV sum over all rows: the blocks are dealt out in chunks of consecutive blocks and equal
// work, each chunk adds into accumulators of its own, over the keys that it sees, and the chunks' sums are added in order.
#include <vector>

#include "cpu/attention/dropout_mask.h"
#include "cpu/attention/exp2.h"
#include "cpu/attention/problem.h"
#include "cpu/kernels.h"

namespace aurora::cpu::AURORA_ISA {
namespace {

using namespace flash;

/// Chunks of one attention, over all its key heads: enough to keep threads evenly busy.
constexpr int64_t kChunks = 16;

struct Chunk {
  int64_t firstBlock, endBlock;
  KeyRange keys;     // that its rows attend to
  int64_t firstKey;  // where its accumulators begin, counted in keys, among those of all chunks

  /// Keys that the chunk's accumulators have room for: a strip may reach past the last one.
  int64_t room() const { return keys.end - keys.begin + kStripRows; }
};

std::vector<Chunk> cut(const Problem& problem) {
  const int64_t blocks = problem.blocks();
  const int64_t count = std::min(blocks, std::max<int64_t>(1, kChunks / problem.layout.keyHeads));
  int64_t work = 0;
  for (int64_t i = 0; i < problem.positions; ++i) work += problem.keys(i).end - problem.keys(i).begin;

  std::vector<Chunk> chunks;
  int64_t done = 0, counted = 0;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t lastRow = std::min((block + 1) * kBlockRows, problem.rows()) - 1;
    const KeyRange positions{block * kBlockRows / problem.sharing, lastRow / problem.sharing + 1};
    if (chunks.empty() || done * count >= work * static_cast<int64_t>(chunks.size()))
      chunks.push_back({block, block, {positions.begin, 0}, chunks.empty() ? 0 : chunks.back().firstKey + chunks.back().room()});
    Chunk& chunk = chunks.back();
    chunk.endBlock = block + 1;
    chunk.keys.end = positions.end;
    for (int64_t i = positions.begin; i < positions.end; ++i)
      chunk.keys.begin = std::min(chunk.keys.begin, problem.keys(i).begin / kPanel * kPanel);
    for (; counted < positions.end; ++counted) done += problem.keys(counted).end - problem.keys(counted).begin;
  }
  return chunks;
}

/// The memory of one thread's block.
struct Workspace {
  int stride;
  float *queries, *dy, *dqueries;            // packed rows; queries are scaled by scale · log₂ e
  float *weights, *dscores;                  // [kBlockRows, kTileKeys]
  float shift[kBlockRows], dot[kBlockRows];  // −log₂ Σ exp(scores), and D

  static int64_t floats(int stride) { return int64_t{kBlockRows} * (3 * stride + 2 * kTileKeys); }
  Workspace(float* memory, int rowStride)
      : stride(rowStride),
        queries(memory),
        dy(queries + kBlockRows * stride),
        dqueries(dy + kBlockRows * stride),
        weights(dqueries + kBlockRows * stride),
        dscores(weights + kBlockRows * kTileKeys) {}
};

/// A tile of one head's keys and values, packed, and the accumulators of their gradients.
struct KeyTile {
  int64_t start;
  const float *keyPanels, *valuePanels, *keyRows;
  float *dkeys, *dvalues;
};

/// From scores and dY·Vᵀ to the (dropped) weights and dS, over whole rows of the tile: both are 0 where a row must not look.
void recompute(const BlockRows& block, const Workspace& work, int64_t tileStart, const DropoutMask& dropout) {
  for (int r = 0; r < block.strips * kStripRows; ++r) {
    float *weights = work.weights + r * kTileKeys, *dscores = work.dscores + r * kTileKeys;
    const auto own = block.span(r, tileStart);
    const int begin = own.begin < own.end ? own.begin / W * W : 0, end = own.begin < own.end ? roundUp(own.end, W) : 0;
    const float shift = work.shift[r], dot = work.dot[r];
    if (dropout && begin < end) {
      DropoutMask::Factors memory;
      const float* factors = dropout.factors(block.row[r], tileStart + begin, end - begin, memory) - begin;
      for (int j = begin; j < end; j += W) {
        const f32v p = exp2(load(weights + j) + shift), factor = load(factors + j);
        store(dscores + j, p * (load(dscores + j) * factor - dot));
        store(weights + j, p * factor);
      }
    } else {
      for (int j = begin; j < end; j += W) {
        const f32v p = exp2(load(weights + j) + shift);
        store(dscores + j, p * (load(dscores + j) - dot));
        store(weights + j, p);
      }
    }
    for (float* row : {weights, dscores}) {
      std::fill(row, row + std::min(own.begin, own.end), 0.0f);
      std::fill(row + own.end, row + kTileKeys, 0.0f);
    }
  }
}

/// out(j, ·) += Σ_r weights(r, j) · rows(r, ·) for the keys j of a tile, where the first and the last rows may have no weight.
void addTransposed(const BlockRows& block, int64_t tileStart, const float* weights, const float* rows, int stride, int width,
                   float* out) {
  int begin = kTileKeys, end = 0;
  for (int s = 0; s < block.strips; ++s)
    if (block.spans[s].begin < block.spans[s].end)
      begin = std::min(begin, block.spans[s].begin), end = std::max(end, block.spans[s].end);
  for (int k = 0; k < width; k += kPanel)
    for (int j = begin / kStripRows * kStripRows, first = 0; j < end; j += kStripRows) {
      int last = block.rows;
      while (first < last && block.keys[first].end <= tileStart + j) ++first;  // `end` never falls from row to row
      while (first < last && block.keys[last - 1].begin >= tileStart + j + kStripRows) --last;
      if (first < last)
        multiplyStrip(weights + first * kTileKeys + j, 1, kTileKeys, rows + first * stride + k, stride, last - first,
                      out + j * stride + k, stride, true);
    }
}

void backwardTile(BlockRows& block, const Workspace& work, const KeyTile& tile, int width, const DropoutMask& dropout) {
  const int stride = work.stride;
  block.enterTile(tile.start);
  multiplyKeys(block, work.queries, stride, tile.keyPanels, width, work.weights);
  multiplyKeys(block, work.dy, stride, tile.valuePanels, width, work.dscores);
  recompute(block, work, tile.start, dropout);
  addTransposed(block, tile.start, work.weights, work.dy, stride, width, tile.dvalues);
  addTransposed(block, tile.start, work.dscores, work.queries, stride, width, tile.dkeys);
  addWeighted(block, work.dscores, tile.keyRows, stride, width, work.dqueries);
}

template <class T>
float dotProduct(const T* a, const T* b, int count) {
  f32v total = splat(0);
  int k = 0;
  for (; k + W <= count; k += W) total += load(a + k) * load(b + k);
  if (k < count) total += loadPart(a + k, count - k) * loadPart(b + k, count - k);
  return sum(total);
}

/// The sum of key j's packed rows among all chunks' accumulators, in order; it replaces the last one.
const float* sumOverChunks(const std::vector<Chunk>& chunks, int64_t j, int stride, float* accumulators) {
  const float* total = nullptr;
  for (const Chunk& chunk : chunks) {
    if (j < chunk.keys.begin || j >= chunk.keys.end) continue;
    float* part = accumulators + (chunk.firstKey + j - chunk.keys.begin) * stride;
    if (total)
      for (int k = 0; k < stride; k += W) store(part + k, load(total + k) + load(part + k));
    total = part;
  }
  return total;
}

template <class T>
void backward(Context& ctx, const AttentionBackward& args) {
  const Problem problem(args.layout, args.qkv.shape[0], args.firstRow);
  const HeadLayout& layout = problem.layout;
  const int width = problem.width, stride = problem.stride;
  const T* qkv = args.qkv.as<const T>();
  T* dqkv = args.dqkv.as<T>();
  const float scale = static_cast<float>(args.scale);
  const DropoutMask dropout(args.random, args.dropout, problem.positions);

  const std::vector<Chunk> chunks = cut(problem);
  const int64_t chunkCount = static_cast<int64_t>(chunks.size());
  const int64_t panelFloats = problem.packedPanels(), rowFloats = problem.packedRows();
  const int64_t gradientFloats = (chunks.back().firstKey + chunks.back().room()) * stride;
  const int64_t atOnce = headsAtOnce(problem, (2 * panelFloats + rowFloats + 2 * gradientFloats) * 4, chunkCount);
  float* keyPanels = ctx.scratch.get<float>(0, atOnce * panelFloats);
  float* valuePanels = ctx.scratch.get<float>(1, atOnce * panelFloats);
  float* keyRows = ctx.scratch.get<float>(2, atOnce * rowFloats);
  float* dkeys = ctx.scratch.get<float>(3, atOnce * gradientFloats);
  float* dvalues = ctx.scratch.get<float>(4, atOnce * gradientFloats);
  float* memory = ctx.scratch.get<float>(5, ctx.pool.threads() * Workspace::floats(stride));

  for (int64_t firstHead = 0; firstHead < layout.keyHeads; firstHead += atOnce) {
    const int64_t heads = std::min(atOnce, layout.keyHeads - firstHead);

    ctx.pool.parallel(heads * problem.tiles(), [&](int64_t task, int) {
      const int64_t g = task / problem.tiles(), tile = task % problem.tiles();
      const T* keys = qkv + layout.keyOffset(firstHead + g);
      packTilePanels(problem, keys, tile, keyPanels + g * panelFloats);
      packTilePanels(problem, qkv + layout.valueOffset(firstHead + g), tile, valuePanels + g * panelFloats);
      packTileRows(problem, keys, tile, keyRows + g * rowFloats);
    });

    ctx.pool.parallel(heads * chunkCount, [&](int64_t task, int thread) {
      const int64_t g = task % heads;
      const Chunk& chunk = chunks[task / heads];
      float* chunkKeys = dkeys + g * gradientFloats + chunk.firstKey * stride;
      float* chunkValues = dvalues + g * gradientFloats + chunk.firstKey * stride;
      std::fill_n(chunkKeys, chunk.room() * stride, 0.0f);
      std::fill_n(chunkValues, chunk.room() * stride, 0.0f);
      Workspace work(memory + thread * Workspace::floats(stride), stride);

      for (int64_t index = chunk.firstBlock; index < chunk.endBlock; ++index) {
        BlockRows block(problem, firstHead + g, index);
        for (int r = 0; r < block.strips * kStripRows; ++r) {
          const bool filling = r >= block.rows;  // up the last strip, with 0
          const Row row = block.row[filling ? 0 : r];
          const T *dy = args.dy.as<const T>() + problem.resultAt(row), *y = args.y.as<const T>() + problem.resultAt(row);
          packRow(qkv + problem.queryAt(row), filling ? 0 : width, scale * kLog2E, work.queries + r * stride, stride);
          packRow(dy, filling ? 0 : width, 1, work.dy + r * stride, stride);
          work.dot[r] = dotProduct(dy, y, width);
          work.shift[r] = -kLog2E * args.logSumExp.as<const float>()[problem.logSumExpAt(row)];
          std::fill_n(work.dqueries + r * stride, stride, 0.0f);
        }
        const KeyRange keys = block.allKeys();
        for (int64_t start = keys.begin; start < keys.end; start += kTileKeys) {
          const int64_t panels = g * panelFloats + start * width, gradients = (start - chunk.keys.begin) * stride;
          backwardTile(block, work,
                       {start, keyPanels + panels, valuePanels + panels, keyRows + g * rowFloats + start * stride,
                        chunkKeys + gradients, chunkValues + gradients},
                       width, dropout);
        }
        for (int r = 0; r < block.rows; ++r)
          unpackRow(work.dqueries + r * stride, width, scale, dqkv + problem.queryAt(block.row[r]));
      }
    });

    // Each key's gradients: those of the chunks that saw it, in order, gathered in the last of them.
    ctx.pool.parallel(heads * problem.tiles(), [&](int64_t task, int) {
      const int64_t g = task / problem.tiles(), firstKey = task % problem.tiles() * kTileKeys;
      for (int64_t j = firstKey; j < std::min(firstKey + kTileKeys, problem.positions); ++j)
        for (const bool ofKeys : {true, false}) {
          const float* total = sumOverChunks(chunks, j, stride, (ofKeys ? dkeys : dvalues) + g * gradientFloats);
          T* out = dqkv + j * layout.rowWidth() + (ofKeys ? layout.keyOffset(firstHead + g) : layout.valueOffset(firstHead + g));
          unpackRow(total, width, ofKeys ? kLn2 : 1, out);  // the queries were scaled by log₂ e
        }
    });
  }
}

}  // namespace

void attentionBackward(Context& ctx, const AttentionBackward& args) {
  if (args.qkv.size() == 0) return;
  if (args.qkv.dtype == DType::bf16)
    backward<bf16>(ctx, args);
  else
    backward<float>(ctx, args);
}

}  // namespace aurora::cpu::AURORA_ISA
