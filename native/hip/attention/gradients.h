// What the backward pass's kernels share. With the weights recomputed, P = exp(scores − logSumExp), and M the dropout factors:
//   dV = (M∘P)ᵀ dY    dP = M∘(dY Vᵀ)    dS = P∘(dP − D), D_i = dy_i · y_i    dQ = scale dS K    dK = scale dSᵀ Q
#pragma once

#include "hip/attention/problem.h"
#include "hip/attention/tile.h"

namespace aurora::hip::flash {

/// Of a row: −log₂ Σ exp(scores), and D.
struct RowStatistics {
  float shift, dot;
};

template <class T>
struct Gradients {
  const T* dy;
  const RowStatistics* statistics;  // by Problem::rowAt
  T* dqkv;
};

/// Turns a lane's scores into weights: shift(i) is of element i's row; when `masked`, those that sees(i) denies are 0.
template <class Shift, class Sees>
AURORA_DEVICE inline void recomputeWeights(OperandAccumulator& scores, float scale, bool masked, Shift&& shift, Sees&& sees) {
  AURORA_UNROLL
  for (int i = 0; i < OperandAccumulator::kSize; ++i) scores.values[i] = fastExp2(fmaf(scores.values[i], scale, shift(i)));
  if (!masked) return;
  AURORA_UNROLL
  for (int i = 0; i < OperandAccumulator::kSize; ++i) scores.values[i] = sees(i) ? scores.values[i] : 0;
}

/// Positions of which lowestFirst keeps the minimum.
constexpr int kStretch = kWave;

/// statistics from dy, y and logSumExp: 16 lanes a row.
template <class T>
AURORA_KERNEL(kThreads)
void rowStatisticsKernel(const T* dy, const T* y, const float* logSumExp, RowStatistics* statistics, int64_t positions, int heads, int width) {
  constexpr int kLanes = 16, kRun = kWide<T>;
  const int64_t rows = positions * heads, step = static_cast<int64_t>(gridX()) * (kThreads / kLanes);
  const int64_t rounds = (rows + step - 1) / step;
  for (int64_t round = 0; round < rounds; ++round) {
    const int64_t row = round * step + (static_cast<int64_t>(blockX()) * kThreads + threadIndex()) / kLanes;
    const int lane = threadIndex() % kLanes;
    float dot = 0;
    for (int k = lane * kRun; row < rows && k < width; k += kLanes * kRun) {
      const auto a = loadRun<kRun>(dy + row * width + k), b = loadRun<kRun>(y + row * width + k);
      AURORA_UNROLL
      for (int c = 0; c < kRun; ++c) dot += toFloat(a.values[c]) * toFloat(b.values[c]);
    }
    dot = waveSum<kLanes>(dot);
    const int64_t position = row / heads, head = row - position * heads;
    if (row < rows && lane == 0) statistics[row] = {-kLog2E * logSumExp[head * positions + position], dot};
  }
}

/// The lowest first key among each kStretch positions; a wave for each.
template <class T>
AURORA_KERNEL(kThreads) void lowestFirstKernel(Problem<T> problem, int* lowestFirst) {
  const int64_t position = static_cast<int64_t>(blockX()) * kThreads + threadIndex();
  const int lowest = waveReduce(position < problem.positions ? problem.firstKey(static_cast<int>(position)) : problem.positions, Min{});
  if (laneIndex() == 0 && position < problem.positions) lowestFirst[position / kStretch] = lowest;
}

}  // namespace aurora::hip::flash
