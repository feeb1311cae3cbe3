// The backward pass of attention. With the weights recomputed, P = exp(scores − logSumExp), and M the dropout factors:
//   dV = (M∘P)ᵀ dY    dP = M∘(dY Vᵀ)    dS = P∘(dP − D), D_i = dy_i · y_i    dQ = scale dS K    dK = scale dSᵀ Q
// Each block of rows owns its dQ. dK and dV sum over all rows: the blocks are dealt out in chunks of consecutive blocks and equal work, each chunk
// adds into accumulators of its own, over the keys that it sees, and the chunks' sums are added in order.
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
  KeyRange tiles;         // that its rows attend to
  int64_t firstTileSlot;  // tiles of all chunks before this one
};

std::vector<Chunk> cut(const Problem& problem) {
  const int64_t blocks = problem.blocks();
  const int64_t count = std::min(blocks, std::max<int64_t>(1, kChunks / problem.layout.keyHeads));
  int64_t work = 0;
  for (int64_t i = 0; i < problem.positions; ++i) work += problem.keys(i).end - problem.keys(i).begin;

  std::vector<Chunk> chunks;
  int64_t done = 0, position = 0, slots = 0;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t end = problem.position(std::min((block + 1) * kBlockRows, problem.rows()) - 1) + 1;
    const int64_t start = problem.position(block * kBlockRows);
    if (chunks.empty() || done * count >= work * static_cast<int64_t>(chunks.size())) {
      if (!chunks.empty()) slots += chunks.back().tiles.end - chunks.back().tiles.begin;
      chunks.push_back({block, block, {problem.tiles(), 0}, slots});
    }
    Chunk& chunk = chunks.back();
    chunk.endBlock = block + 1;
    for (int64_t i = start; i < end; ++i) chunk.tiles.begin = std::min(chunk.tiles.begin, problem.keys(i).begin / kTileKeys);
    chunk.tiles.end = (end - 1) / kTileKeys + 1;
    for (; position < end; ++position) done += problem.keys(position).end - problem.keys(position).begin;
  }
  return chunks;
}

/// The memory of one thread's block.
struct Workspace {
  int stride;
  float *queries, *dy, *dqueries;  // packed rows; queries are scaled by scale · log₂ e
  float *weights, *dscores;        // [kBlockRows, kTileKeys]
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

/// One head's keys and values, packed: a tile of them, and the accumulators of their gradients.
struct KeyTile {
  int64_t start;
  const float *keyPanels, *valuePanels, *keyRows;
  float *dkeys, *dvalues;
};

/// From scores and dY·Vᵀ to the (dropped) weights and dS, over whole rows of the tile: both are 0 where a row must not look.
template <class Mask>
void recompute(const BlockRows& block, const Workspace& work, int64_t tileStart, bool dropping, Mask&& mask) {
  for (int r = 0; r < block.strips * kStripRows; ++r) {
    float *weights = work.weights + r * kTileKeys, *dscores = work.dscores + r * kTileKeys;
    const auto own = block.span(r, tileStart);
    const int begin = own.begin < own.end ? own.begin / W * W : 0, end = own.begin < own.end ? roundUp(own.end, W) : 0;
    const float shift = work.shift[r], dot = work.dot[r];
    if (dropping && begin < end) {
      float factors[kTileKeys] = {};
      mask(r, tileStart + own.begin, own.end - own.begin, factors + own.begin);
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

/// out(j, ·) += Σ_r weights(r, j) · rows(r, ·) for the keys j of a tile; of the block's rows those that may look at them.
void addTransposed(const BlockRows& block, int64_t tileStart, const float* weights, const float* rows, int stride, int width, float* out) {
  int begin = kTileKeys, end = 0;
  for (int s = 0; s < block.strips; ++s)
    if (block.spans[s].begin < block.spans[s].end) begin = std::min(begin, block.spans[s].begin), end = std::max(end, block.spans[s].end);
  for (int k = 0; k < width; k += kPanel)
    for (int j = begin / kStripRows * kStripRows, first = 0; j < end; j += kStripRows) {
      while (first < block.rows && block.keys[first].end <= tileStart + j) ++first;  // positions never fall from row to row
      multiplyStrip(weights + first * kTileKeys + j, 1, kTileKeys, rows + first * stride + k, stride, block.rows - first,
                    out + j * stride + k, stride, true);
    }
}

template <class Mask>
void backwardTile(BlockRows& block, const Workspace& work, const KeyTile& tile, int width, bool dropping, Mask&& mask) {
  const int stride = work.stride;
  block.enterTile(tile.start);
  multiplyKeys(block, work.queries, stride, tile.keyPanels, width, work.weights);
  multiplyKeys(block, work.dy, stride, tile.valuePanels, width, work.dscores);
  recompute(block, work, tile.start, dropping, mask);
  addTransposed(block, tile.start, work.weights, work.dy, stride, width, tile.dvalues);
  addTransposed(block, tile.start, work.dscores, work.queries, stride, width, tile.dkeys);
  addWeighted(block, work.dscores, tile.keyRows, stride, width, work.dqueries);
}

float dotProduct(const float* a, const float* b, int count) {
  f32v total = splat(0);
  for (int k = 0; k < count; k += W) total += load(a + k) * load(b + k);
  return sum(total);
}

template <class T>
void backward(Context& ctx, const AttentionBackward& args) {
  const Problem problem(args.layout, args.qkv.shape[0], args.firstRow);
  const HeadLayout& layout = problem.layout;
  const int width = problem.width, stride = problem.stride;
  const T* qkv = args.qkv.as<const T>();
  T* dqkv = args.dqkv.as<T>();
  const float scale = static_cast<float>(args.scale);
  const DropoutMask dropout{args.random, static_cast<float>(args.dropout), problem.positions};

  const std::vector<Chunk> chunks = cut(problem);
  const int64_t chunkCount = static_cast<int64_t>(chunks.size());
  const int64_t panelFloats = problem.packedPanels(), rowFloats = problem.packedRows();
  const int64_t tileFloats = int64_t{kTileKeys} * stride;
  const int64_t slots = chunks.back().firstTileSlot + chunks.back().tiles.end - chunks.back().tiles.begin;
  const int64_t atOnce = headsAtOnce(problem, (2 * panelFloats + rowFloats + 2 * slots * tileFloats) * 4, chunkCount);
  float* keyPanels = ctx.scratch.get<float>(0, atOnce * panelFloats);
  float* valuePanels = ctx.scratch.get<float>(1, atOnce * panelFloats);
  float* keyRows = ctx.scratch.get<float>(2, atOnce * rowFloats);
  float* dkeys = ctx.scratch.get<float>(3, atOnce * slots * tileFloats);
  float* dvalues = ctx.scratch.get<float>(4, atOnce * slots * tileFloats);
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
      const int64_t g = task % heads, keyHead = firstHead + g;
      const Chunk& chunk = chunks[task / heads];
      const int64_t slot = (g * slots + chunk.firstTileSlot) * tileFloats;
      std::fill_n(dkeys + slot, (chunk.tiles.end - chunk.tiles.begin) * tileFloats, 0.0f);
      std::fill_n(dvalues + slot, (chunk.tiles.end - chunk.tiles.begin) * tileFloats, 0.0f);
      Workspace work(memory + thread * Workspace::floats(stride), stride);

      for (int64_t index = chunk.firstBlock; index < chunk.endBlock; ++index) {
        const int64_t firstRow = index * kBlockRows;
        BlockRows block(problem.blockRows(index));
        for (int r = 0; r < block.strips * kStripRows; ++r) {
          const bool real = r < block.rows;  // others fill up the last strip with 0
          const int64_t row = real ? firstRow + r : firstRow, result = problem.resultAt(keyHead, row);
          packRow(qkv + problem.queryAt(keyHead, row), real ? width : 0, scale * kLog2E, work.queries + r * stride, stride);
          packRow(args.dy.as<const T>() + result, real ? width : 0, 1, work.dy + r * stride, stride);
          packRow(args.y.as<const T>() + result, real ? width : 0, 1, work.dqueries + r * stride, stride);
          work.dot[r] = dotProduct(work.dy + r * stride, work.dqueries + r * stride, stride);
          std::fill_n(work.dqueries + r * stride, stride, 0.0f);
          work.shift[r] = -kLog2E * args.logSumExp.as<const float>()[problem.logSumExpAt(keyHead, row)];
          if (real) block.keys[r] = problem.keys(problem.position(row));
        }
        const KeyRange keys = block.allKeys();
        for (int64_t tile = keys.begin / kTileKeys; tile * kTileKeys < keys.end; ++tile) {
          const int64_t gradients = slot + (tile - chunk.tiles.begin) * tileFloats;
          const int64_t panels = g * panelFloats + tile * kTileKeys * width;
          backwardTile(block, work,
                       {tile * kTileKeys, keyPanels + panels, valuePanels + panels, keyRows + g * rowFloats + tile * tileFloats,
                        dkeys + gradients, dvalues + gradients},
                       width, bool(dropout), [&](int r, int64_t key, int count, float* factors) {
                         dropout.factors(problem.head(keyHead, firstRow + r), problem.position(firstRow + r), key, count, factors);
                       });
        }
        for (int r = 0; r < block.rows; ++r)
          unpackRow(work.dqueries + r * stride, width, scale, dqkv + problem.queryAt(keyHead, firstRow + r));
      }
    });

    // The chunks that saw a tile, in order, into the first of them.
    ctx.pool.parallel(heads * problem.tiles(), [&](int64_t task, int) {
      const int64_t g = task / problem.tiles(), tile = task % problem.tiles();
      for (const bool ofKeys : {true, false}) {
        float* total = nullptr;
        for (const Chunk& chunk : chunks) {
          if (tile < chunk.tiles.begin || tile >= chunk.tiles.end) continue;
          float* part = (ofKeys ? dkeys : dvalues) + (g * slots + chunk.firstTileSlot + tile - chunk.tiles.begin) * tileFloats;
          if (!total)
            total = part;
          else
            for (int64_t k = 0; k < tileFloats; k += W) store(total + k, load(total + k) + load(part + k));
        }
        const float unit = ofKeys ? kLn2 : 1;  // the queries were scaled by log₂ e
        T* out = dqkv + (ofKeys ? layout.keyOffset(firstHead + g) : layout.valueOffset(firstHead + g));
        for (int64_t j = tile * kTileKeys; j < std::min((tile + 1) * kTileKeys, problem.positions); ++j)
          unpackRow(total + (j - tile * kTileKeys) * stride, width, unit, out + j * layout.rowWidth());
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
