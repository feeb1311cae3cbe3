// The backward pass of attention. With the weights recomputed, P = exp(scores − logSumExp), and M the dropout factors:
//   dV = (M∘P)ᵀ dY    dP = M∘(dY Vᵀ)    dS = P∘(dP − D), D_i = dy_i · y_i    dQ = scale dS K    dK = scale dSᵀ Q
// Each block of rows owns its dQ. dK and dV sum over all rows: the blocks are dealt out in chunks of consecutive blocks and equal
// work, each chunk adds into accumulators of its own, over the keys that it sees, and the chunks' sums are added in order.
#include <utility>
#include <vector>

#include "cpu/attention/dropout_mask.h"
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

/// The memory of one thread's block. Rows that are multiplied with keys are packed across, rows that are summed over down, which for
/// floats is the same.
template <class Packed>
struct Workspace {
  static constexpr bool kTwice = kDepth<Packed> > 1;
  Lengths<Packed> lengths;
  Packed *queries, *dy, *dscores;              // across
  Packed *queriesDown, *dyDown;                // [kBlockRows / kDepth, lengths.down]
  float *scores, *dweights, *dqueries;         // dweights = dY · Vᵀ
  Packed *weightsDown, *dscoresDown;           // [kBlockRows / kDepth, kTileKeys], which take the place of scores and dweights
  float shift[kBlockRows], dot[kBlockRows];    // −log₂ Σ exp(scores), and D

  static int64_t floats(const Lengths<Packed>& lengths) {
    return int64_t{kBlockRows} * (2 * lengths.across + lengths.down + 2 * kTileKeys + kTwice * (lengths.down + kTileKeys));
  }
  Workspace(const Lengths<Packed>& ofHead, float* memory) : lengths(ofHead) {
    const auto take = [&](int64_t count) { return std::exchange(memory, memory + count); };
    const auto packed = [](float* at) { return reinterpret_cast<Packed*>(at); };
    queries = packed(take(kBlockRows * lengths.across));
    dy = packed(take(kBlockRows * lengths.across));
    dqueries = take(kBlockRows * lengths.down);
    scores = take(kBlockRows * kTileKeys);
    dweights = take(kBlockRows * kTileKeys);
    weightsDown = packed(scores);
    dscoresDown = packed(dweights);
    queriesDown = kTwice ? packed(take(kBlockRows / kDepth<Packed> * lengths.down)) : queries;
    dyDown = kTwice ? packed(take(kBlockRows / kDepth<Packed> * lengths.down)) : dy;
    dscores = kTwice ? packed(take(kBlockRows * kTileKeys)) : dscoresDown;
  }
};

/// A tile of one head's keys and values, packed, and the accumulators of their gradients.
template <class Packed>
struct KeyTile {
  int64_t start;
  const Packed *keyPanels, *valuePanels, *keyRows;
  float *dkeys, *dvalues;
};

/// From scores and dY·Vᵀ to the (dropped) weights and dS, over whole rows of the tile: both are 0 where a row must not look.
template <class Packed>
void recompute(const Problem& problem, const BlockRows& block, const Workspace<Packed>& work, int64_t tileStart,
               const DropoutMask& dropout) {
  constexpr int kRows = kDepth<Packed>;
  for (int first = 0; first < block.paddedRows(); first += kRows) {
    const auto [begin, end] = block.spans[first / kStripRows];
    float *scores = work.scores + first * kTileKeys, *dweights = work.dweights + first * kTileKeys;
    Packed *weightsDown = work.weightsDown + first / kRows * kTileKeys, *dscoresDown = work.dscoresDown + first / kRows * kTileKeys;
    for (int i = 0; i < kRows; ++i) block.hide(first + i, tileStart, problem.hidden, scores + i * kTileKeys);
    const auto rows = [&, begin = begin, end = end](auto&& factor) {
      for (int j = begin; j < end; j += W) {
        f32v weights[kRows], dscores[kRows];
        unroll<kRows>([&](auto i) {
          const f32v p = exp2(load(scores + i * kTileKeys + j) * problem.scale + work.shift[first + i]);
          weights[i] = p * factor(i, j);
          dscores[i] = p * (load(dweights + i * kTileKeys + j) * factor(i, j) - work.dot[first + i]);
        });
        putDown(weightsDown, j, weights);
        putDown(dscoresDown, j, dscores);
        if constexpr (kRows > 1) unroll<kRows>([&](auto i) { putAcross(work.dscores + (first + i) * kTileKeys, j, dscores[i]); });
      }
    };
    if (dropout && begin < end) {
      DropoutMask::Factors memory[kRows];
      const float* factors[kRows];
      for (int i = 0; i < kRows; ++i)
        factors[i] = dropout.factors(block.row[std::min(first + i, block.rows - 1)], tileStart + begin, end - begin, memory[i]) - begin;
      rows([&](int i, int j) { return load(factors[i] + j); });
    } else {
      rows([](int, int) { return 1.0f; });
    }
    for (Packed* row : {weightsDown, dscoresDown}) {
      std::fill(row, row + begin, Packed{});
      std::fill(row + end, row + kTileKeys, Packed{});
    }
  }
}

/// out(j, ·) += Σ_r weights(r, j) · rows(r, ·) for the keys j of a tile, where the first and the last rows may have no weight.
template <class Packed>
void addTransposed(const BlockRows& block, const Lengths<Packed>& lengths, int64_t tileStart, const Packed* weightsDown,
                   const Packed* rowsDown, float* out) {
  int begin = kTileKeys, end = 0;
  for (int s = 0; s < block.strips; ++s)
    if (block.spans[s].begin < block.spans[s].end)
      begin = std::min(begin, block.spans[s].begin), end = std::max(end, block.spans[s].end);
  for (int k = 0; k < lengths.width; k += kPanel)
    for (int j = begin / kStripRows * kStripRows, first = 0; j < end; j += kStripRows) {
      int last = block.rows;
      while (first < last && block.keys[first].end <= tileStart + j) ++first;  // `end` never falls from row to row
      while (first < last && block.keys[last - 1].begin >= tileStart + j + kStripRows) --last;
      const int firstStep = first / kDepth<Packed>, endStep = (last + kDepth<Packed> - 1) / kDepth<Packed>;
      if (first < last)
        multiplyStrip(weightsDown + firstStep * kTileKeys + j, 1, kTileKeys, rowsDown + firstStep * lengths.down + k, lengths.down,
                      endStep - firstStep, out + j * lengths.down + k, lengths.down, true);
    }
}

template <class Packed>
void backwardTile(const Problem& problem, BlockRows& block, const Workspace<Packed>& work, const KeyTile<Packed>& tile,
                  const DropoutMask& dropout) {
  const Lengths<Packed>& lengths = work.lengths;
  block.enterTile(tile.start);
  multiplyKeys(block, lengths, work.queries, tile.keyPanels, work.scores);
  multiplyKeys(block, lengths, work.dy, tile.valuePanels, work.dweights);
  recompute(problem, block, work, tile.start, dropout);
  addTransposed(block, lengths, tile.start, work.weightsDown, work.dyDown, tile.dvalues);
  addTransposed(block, lengths, tile.start, work.dscoresDown, work.queriesDown, tile.dkeys);
  addWeighted(block, lengths, work.dscores, tile.keyRows, work.dqueries);
}

template <class T>
float dotProduct(const T* a, const T* b, int count) {
  f32v total = splat(0);
  int k = 0;
  for (; k + W <= count; k += W) total += load(a + k) * load(b + k);
  if (k < count) total += loadPart(a + k, count - k) * loadPart(b + k, count - k);
  return sum(total);
}

/// Packs a block's queries and dY. Rows that only fill up the last strip become 0, their weights too.
template <class T>
void packBlock(const Problem& problem, const BlockRows& block, const AttentionBackward& args, Workspace<Factor<T>>& work) {
  constexpr int kRows = kDepth<Factor<T>>;
  const Lengths<Factor<T>>& lengths = work.lengths;
  const auto query = [&](int r) { return r < block.rows ? args.qkv.as<const T>() + problem.queryAt(block.row[r]) : nullptr; };
  const auto dy = [&](int r) { return r < block.rows ? args.dy.as<const T>() + problem.resultAt(block.row[r]) : nullptr; };
  for (int r = 0; r < block.paddedRows(); ++r) {
    packAcross(query(r), lengths.width, work.queries + r * lengths.across);
    packAcross(dy(r), lengths.width, work.dy + r * lengths.across);
    work.dot[r] = 0;
    work.shift[r] = -__builtin_inff();
    if (r >= block.rows) continue;
    work.dot[r] = dotProduct(dy(r), args.y.as<const T>() + problem.resultAt(block.row[r]), lengths.width);
    work.shift[r] = -kLog2E * args.logSumExp.as<const float>()[problem.logSumExpAt(block.row[r])];
  }
  if constexpr (kRows > 1)
    for (int r = 0; r < block.paddedRows(); r += kRows) {
      packDown(query(r), query(r + 1), lengths.width, work.queriesDown + r / kRows * lengths.down);
      packDown(dy(r), dy(r + 1), lengths.width, work.dyDown + r / kRows * lengths.down);
    }
  std::fill_n(work.dqueries, block.paddedRows() * lengths.down, 0.0f);
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
  using Packed = Factor<T>;
  const Problem problem(args.layout, args.qkv.shape[0], args.firstRow, args.scale);
  const Lengths<Packed> lengths(problem.width);
  const HeadLayout& layout = problem.layout;
  const T* qkv = args.qkv.as<const T>();
  T* dqkv = args.dqkv.as<T>();
  const float scale = static_cast<float>(args.scale);
  const DropoutMask dropout(args.random, args.dropout, problem.positions, args.firstHead);

  const std::vector<Chunk> chunks = cut(problem);
  const int64_t chunkCount = static_cast<int64_t>(chunks.size());
  const int64_t panelSize = lengths.panelsAt(problem.paddedKeys()), rowSize = lengths.rowsAt(problem.paddedKeys());
  const int64_t gradientSize = (chunks.back().firstKey + chunks.back().room()) * lengths.down;
  const int64_t memorySize = Workspace<Packed>::floats(lengths);
  const int64_t atOnce = headsAtOnce(problem, (2 * panelSize + rowSize + 2 * gradientSize) * 4, chunkCount);
  Packed* keyPanels = ctx.scratch.get<Packed>(0, atOnce * panelSize);
  Packed* valuePanels = ctx.scratch.get<Packed>(1, atOnce * panelSize);
  Packed* keyRows = ctx.scratch.get<Packed>(2, atOnce * rowSize);
  float* dkeys = ctx.scratch.get<float>(3, atOnce * gradientSize);
  float* dvalues = ctx.scratch.get<float>(4, atOnce * gradientSize);
  float* memory = ctx.scratch.get<float>(5, ctx.pool.threads() * memorySize);

  for (int64_t firstHead = 0; firstHead < layout.keyHeads; firstHead += atOnce) {
    const int64_t heads = std::min(atOnce, layout.keyHeads - firstHead);

    ctx.pool.parallel(heads * problem.tiles(), [&](int64_t task, int) {
      const int64_t g = task / problem.tiles(), tile = task % problem.tiles();
      const T* keys = qkv + layout.keyOffset(firstHead + g);
      packTilePanels(problem, lengths, keys, tile, keyPanels + g * panelSize);
      packTilePanels(problem, lengths, qkv + layout.valueOffset(firstHead + g), tile, valuePanels + g * panelSize);
      packTileRows(problem, lengths, keys, tile, keyRows + g * rowSize);
    });

    ctx.pool.parallel(heads * chunkCount, [&](int64_t task, int thread) {
      const int64_t g = task % heads;
      const Chunk& chunk = chunks[task / heads];
      float* chunkKeys = dkeys + g * gradientSize + chunk.firstKey * lengths.down;
      float* chunkValues = dvalues + g * gradientSize + chunk.firstKey * lengths.down;
      std::fill_n(chunkKeys, chunk.room() * lengths.down, 0.0f);
      std::fill_n(chunkValues, chunk.room() * lengths.down, 0.0f);
      Workspace<Packed> work(lengths, memory + thread * memorySize);

      for (int64_t index = chunk.firstBlock; index < chunk.endBlock; ++index) {
        BlockRows block(problem, firstHead + g, index);
        packBlock<T>(problem, block, args, work);
        const KeyRange keys = block.allKeys();
        for (int64_t start = keys.begin; start < keys.end; start += kTileKeys) {
          const int64_t panels = g * panelSize + lengths.panelsAt(start), gradients = (start - chunk.keys.begin) * lengths.down;
          backwardTile(problem, block, work,
                       {start, keyPanels + panels, valuePanels + panels, keyRows + g * rowSize + lengths.rowsAt(start),
                        chunkKeys + gradients, chunkValues + gradients},
                       dropout);
        }
        for (int r = 0; r < block.rows; ++r)
          unpackRow(work.dqueries + r * lengths.down, lengths.width, scale, dqkv + problem.queryAt(block.row[r]));
      }
    });

    // Each key's gradients: those of the chunks that saw it, in order, gathered in the last of them.
    ctx.pool.parallel(heads * problem.tiles(), [&](int64_t task, int) {
      const int64_t g = task / problem.tiles(), firstKey = task % problem.tiles() * kTileKeys;
      for (int64_t j = firstKey; j < std::min(firstKey + kTileKeys, problem.positions); ++j)
        for (const bool ofKeys : {true, false}) {
          const float* total = sumOverChunks(chunks, j, lengths.down, (ofKeys ? dkeys : dvalues) + g * gradientSize);
          T* out = dqkv + j * layout.rowWidth() + (ofKeys ? layout.keyOffset(firstHead + g) : layout.valueOffset(firstHead + g));
          unpackRow(total, lengths.width, ofKeys ? scale : 1, out);
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
