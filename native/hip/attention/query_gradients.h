// dQ: like the forward pass, a block owns rows and walks over the tiles of keys and values that they see.
#pragma once

#include "hip/attention/gradients.h"
#include "hip/attention/row_block.h"

namespace aurora::hip::flash {

template <class T, int W>
struct QueryGradients {
  static constexpr int kKeys = W * sizeof(T) <= 128 ? 64 : W * sizeof(T) <= 512 && sizeof(T) == 2 ? 32 : 16, kSteps = W / kTile;
  using Block = RowBlock<T, rowTiles(W > 128)>;
  using KeyTile = Tile<T, kKeys, W, true, true>;
  using ValueTile = Tile<T, kKeys, W, true, false>;
  static constexpr size_t kSharedBytes = (KeyTile::kSize + ValueTile::kSize) * sizeof(T);
  /// Two waves a SIMD on AMD, where the registers allow it.
  static constexpr int kResident = kWave == 64 && W * sizeof(T) <= 256 ? 2 : 1;
};

template <class T, int W, bool dropping>
AURORA_KERNEL_RESIDENT(kThreads, (QueryGradients<T, W>::kResident))
void queryGradientsKernel(Problem<T> problem, Gradients<T> gradients) {
  using Shape = QueryGradients<T, W>;
  using Block = typename Shape::Block;
  constexpr int kSteps = Shape::kSteps, kTiles = Block::kTiles, kRun = OperandAccumulator::kRun;
  T* const shared = sharedMemory<T>();
  const typename Shape::KeyTile keys{shared};
  const typename Shape::ValueTile values{shared + Shape::KeyTile::kSize};
  const Block block(problem, sharedMemory<int>());
  const int lane = laneIndex();

  Operand<T> queries[kTiles][kSteps], dy[kTiles][kSteps];
  OperandAccumulator dqueries[kTiles][kSteps];
  RowStatistics statistics[kTiles][Block::kRows];
  block.load(queries, [&](Row row) { return problem.qkv + problem.queryAt(block.keyHead, row); });
  block.load(dy, [&](Row row) { return gradients.dy + problem.resultAt(block.keyHead, row); });
  Block::forEach([&](int t, int r) { statistics[t][r] = gradients.statistics[problem.rowAt(block.keyHead, block.row[t][r])]; });
  AURORA_UNROLL
  for (int t = 0; t < kTiles; ++t)
    AURORA_UNROLL
    for (int k = 0; k < kSteps; ++k) dqueries[t][k].clear();

  block.forKeyTiles(keys, values, [&](int start, bool whole) {
    AURORA_UNROLL_BY(1)
    for (int j = 0; j < Shape::kKeys; j += kTile) {
      OperandAccumulator scores[kTiles], dweights[kTiles];
      AURORA_UNROLL
      for (int t = 0; t < kTiles; ++t) scores[t].clear(), dweights[t].clear();
      AURORA_UNROLL
      for (int k = 0; k < kSteps; ++k) {
        const Operand<T> key = keys.alongRows(j, k * kTile), value = values.alongRows(j, k * kTile);
        AURORA_UNROLL
        for (int t = 0; t < kTiles; ++t) {
          multiplyAdd(scores[t], queries[t][k], key);
          multiplyAdd(dweights[t], dy[t][k], value);
        }
      }
      Operand<T> dscores[kTiles];
      AURORA_UNROLL
      for (int t = 0; t < kTiles; ++t) {
        recomputeWeights(scores[t], problem.scale, !whole, [&](int i) { return statistics[t][OperandAccumulator::rowSlot(i)].shift; },
                         [&](int i) { return block.sees(t, OperandAccumulator::rowSlot(i), start + j + OperandAccumulator::column(lane, i)); });
        AURORA_UNROLL
        for (int i = 0; i < OperandAccumulator::kSize; i += kRun) {
          const int r = OperandAccumulator::rowSlot(i);
          float run[kRun];
          AURORA_UNROLL
          for (int c = 0; c < kRun; ++c) run[c] = dweights[t].values[i + c];
          if constexpr (dropping) {
            const int key = start + j + OperandAccumulator::column(lane, i);
            problem.dropout.apply(run, problem.dropoutAt(block.keyHead, block.row[t][r], key));
          }
          AURORA_UNROLL
          for (int c = 0; c < kRun; ++c) dweights[t].values[i + c] = scores[t].values[i + c] * (run[c] - statistics[t][r].dot);
        }
        dscores[t] = dweights[t].template operand<T>();
      }
      AURORA_UNROLL
      for (int k = 0; k < kSteps; ++k) {
        const Operand<T> key = keys.acrossRows(k * kTile, j);
        AURORA_UNROLL
        for (int t = 0; t < kTiles; ++t) multiplyAdd(dqueries[t][k], dscores[t], key);
      }
    }
  });

  AURORA_UNROLL
  for (int t = 0; t < kTiles; ++t)
    AURORA_UNROLL
    for (int k = 0; k < kSteps; ++k)
      dqueries[t][k].forEachRun([&](int r, int column, const auto& sums) {
        if (block.stored[t][r] && k * kTile + column < problem.width)
          storeScaled(gradients.dqkv + problem.queryAt(block.keyHead, block.row[t][r]) + k * kTile + column, sums, problem.scale * kLn2);
      });
}

}  // namespace aurora::hip::flash
