// The forward pass of attention: a block owns rows of queries and walks over the tiles of keys and values that they see.
#include "hip/attention/online_softmax.h"
#include "hip/attention/row_block.h"

namespace aurora::hip {
namespace {

using namespace flash;

/// Keys of a tile: as many as leave room for two blocks on a compute unit of AMD's.
template <class T, int W>
constexpr int kTileKeys = W * sizeof(T) <= 128 ? 64 : W * sizeof(T) <= 256 ? 32 : 16;
template <class T, int W>
using KeyTile = Tile<T, kTileKeys<T, W>, W, true, false>;
template <class T, int W>
using ValueTile = Tile<T, kTileKeys<T, W>, W, false, true>;

/// Blocks on a compute unit at a time: two waves a SIMD on AMD, so that one multiplies while the other one exponentiates. The widest heads take
/// all registers.
template <class T, int W>
constexpr int kResident = kWave == 64 && W <= 128 ? 2 : 1;

template <class T>
struct Outputs {
  T* y;
  float* logSumExp;  // may be null
};

template <class T, int W, bool dropping>
AURORA_KERNEL_RESIDENT(kThreads, (kResident<T, W>)) void attentionKernel(Problem<T> problem, Outputs<T> outputs) {
  constexpr int kKeys = kTileKeys<T, W>;
  using Block = RowBlock<T, rowTiles(false)>;
  T* const shared = sharedMemory<T>();
  const KeyTile<T, W> keys{shared};
  const ValueTile<T, W> values{shared + KeyTile<T, W>::kSize};
  const Block block(problem, sharedMemory<int>());

  OnlineSoftmax<T, W, Block::kTiles> softmax;
  softmax.clear();
  block.load(softmax.queries, [&](Row row) { return problem.qkv + problem.queryAt(block.keyHead, row); });
  if (problem.scale < 0) softmax.negateQueries();
  const float scale = positiveScale(problem.scale);

  block.forKeyTiles(keys, values, [&](int start, bool whole) {
    const auto sees = [&](int t, int r, int key) { return block.sees(t, r, start + key); };
    const auto weigh = [&](int t, int r, int key, auto& run) {
      if constexpr (dropping) problem.dropout.apply(run, problem.dropoutAt(block.keyHead, block.row[t][r], start + key));
    };
    softmax.template add<kKeys / kTile>(keys, values, 0, scale, !whole, sees, weigh);
  });

  softmax.gatherTotals();
  Block::forEach([&](int t, int r) {
    if (outputs.logSumExp && block.stored[t][r])
      outputs.logSumExp[problem.logSumExpAt(block.keyHead, block.row[t][r])] =
          softmax.maximum[t][r] * scale * kLn2 + logf(softmax.total[t][r]);
  });
  softmax.forEachRun([&](int t, int r, int column, const auto& sums) {
    if (block.stored[t][r] && column < problem.width)
      storeScaled(outputs.y + problem.resultAt(block.keyHead, block.row[t][r]) + column, sums, 1 / softmax.total[t][r]);
  });
}

template <class T, int W, bool dropping>
void forward(Context& context, const Problem<T>& problem, const Outputs<T>& outputs) {
  const size_t sharedBytes = (KeyTile<T, W>::kSize + ValueTile<T, W>::kSize) * sizeof(T);
  launch<attentionKernel<T, W, dropping>>(context.queue, RowBlock<T, rowTiles(false)>::grid(problem), kThreads, sharedBytes, problem, outputs);
}

}  // namespace

void attention(Context& context, const Attention& args) {
  if (args.qkv.size() == 0) return;
  withFloat(args.qkv.dtype, [&](auto type) {
    using T = decltype(type);
    const AlignedOutput<T> y(context, 1, args.y);
    const Problem<T> problem(alignedInput<T>(context, 0, args.qkv), args.firstRow, args.layout, args.scale, args.dropout, args.random, args.firstHead);
    withWidth(args.layout.width, [&](auto width) {
      constexpr int W = decltype(width)::value;
      const auto run = args.dropout > 0 ? &forward<T, W, true> : &forward<T, W, false>;
      run(context, problem, {y.memory, args.logSumExp ? args.logSumExp.as<float>() : nullptr});
    });
    y.settle();
  });
}

}  // namespace aurora::hip
