// Softmax-weighted sums of values, one tile of keys after another (Milakov & Gimelshein 2018; Dao et al. 2022): each row keeps its largest
// score so far, the sum of exponentials relative to it, and the weighted sum of values; a larger maximum rescales what was gathered. All of it
// is in the registers of one wave; of a row, maximum and sums are in the same lanes, and scores become the next product's operand in place.
#pragma once

#include "hip/attention/tile.h"

namespace aurora::hip::flash {

constexpr float kInfinity = __builtin_inff();

/// Scores are scaled by a positive number: a negative scale is the queries' (negateQueries), and 0 would not keep −∞ hidden.
AURORA_DEVICE inline float positiveScale(float scale) { return fmaxf(fabsf(scale), 0x1p-126f); }

/// By how much sums relative to maximum `from` count when it is raised to `to`; both scaled.
AURORA_DEVICE inline float growth(float from, float to) { return from < to ? fastExp2(from - to) : 1; }

/// 16·kRowTiles rows of queries.
template <class T, int W, int kRowTiles>
struct OnlineSoftmax {
  static constexpr int kSteps = W / kTile, kRows = OperandAccumulator::kRows;
  Operand<T> queries[kRowTiles][kSteps];
  OperandAccumulator sums[kRowTiles][kSteps];  // Σ weight · value
  float maximum[kRowTiles][kRows];             // of the scores before scaling; −∞ before the first
  float total[kRowTiles][kRows];               // Σ 2^(scale·(score − maximum)), this lane's part

  AURORA_DEVICE void clear() {
    AURORA_UNROLL
    for (int t = 0; t < kRowTiles; ++t) {
      AURORA_UNROLL
      for (int k = 0; k < kSteps; ++k) sums[t][k].clear();
      AURORA_UNROLL
      for (int r = 0; r < kRows; ++r) maximum[t][r] = -kInfinity, total[t][r] = 0;
    }
  }

  AURORA_DEVICE void negateQueries() {
    AURORA_UNROLL
    for (int t = 0; t < kRowTiles; ++t)
      AURORA_UNROLL
      for (int k = 0; k < kSteps; ++k)
        AURORA_UNROLL
        for (T& value : queries[t][k].values) value = fromFloat<T>(-toFloat(value));
  }

  /// Takes in keys first … first + 16·kKeyTiles − 1 of a tile; scale > 0.
  /// visible(t, r, key): whether the lane's row r of tile t sees the key, counted from `first`; asked when `masked`.
  /// weigh(t, r, key, run): applies dropout to the weights of neighbouring keys from `key` on.
  template <int kKeyTiles, class Keys, class Values, class Visible, class Weigh>
  AURORA_DEVICE void add(const Keys& keys, const Values& values, int first, float scale, bool masked, Visible&& visible, Weigh&& weigh) {
    OperandAccumulator scores[kRowTiles][kKeyTiles];
    AURORA_UNROLL
    for (int t = 0; t < kRowTiles; ++t)
      AURORA_UNROLL
      for (int j = 0; j < kKeyTiles; ++j) scores[t][j].clear();
    AURORA_UNROLL
    for (int k = 0; k < kSteps; ++k)
      AURORA_UNROLL
      for (int j = 0; j < kKeyTiles; ++j) {
        const Operand<T> key = keys.alongRows(first + j * kTile, k * kTile);
        AURORA_UNROLL
        for (int t = 0; t < kRowTiles; ++t) multiplyAdd(scores[t][j], queries[t][k], key);
      }
    if (masked) hide(scores, visible);
    raiseMaxima(scores, scale);
    Operand<T> weights[kRowTiles][kKeyTiles];
    AURORA_UNROLL
    for (int t = 0; t < kRowTiles; ++t) exponentiate(t, scores[t], weights[t], scale, weigh);
    AURORA_UNROLL
    for (int j = 0; j < kKeyTiles; ++j)
      AURORA_UNROLL
      for (int k = 0; k < kSteps; ++k) {
        const Operand<T> value = values.acrossRows(k * kTile, first + j * kTile);
        AURORA_UNROLL
        for (int t = 0; t < kRowTiles; ++t) multiplyAdd(sums[t][k], weights[t][j], value);
      }
  }

  /// Every lane of a row gets its whole total. A wave operation.
  AURORA_DEVICE void gatherTotals() {
    AURORA_UNROLL
    for (int t = 0; t < kRowTiles; ++t)
      AURORA_UNROLL
      for (int r = 0; r < kRows; ++r) total[t][r] = OperandAccumulator::reduceRow(total[t][r], Sum{});
  }

  /// body(t, r, column, run): a row's sums, a few columns at a time.
  template <class Body>
  AURORA_DEVICE void forEachRun(Body&& body) const {
    AURORA_UNROLL
    for (int t = 0; t < kRowTiles; ++t)
      AURORA_UNROLL
      for (int k = 0; k < kSteps; ++k) sums[t][k].forEachRun([&](int r, int column, const auto& run) { body(t, r, k * kTile + column, run); });
  }

 private:
  template <int kKeyTiles, class Visible>
  AURORA_DEVICE static void hide(OperandAccumulator (&scores)[kRowTiles][kKeyTiles], Visible& visible) {
    const int lane = laneIndex();
    AURORA_UNROLL
    for (int t = 0; t < kRowTiles; ++t)
      AURORA_UNROLL
      for (int j = 0; j < kKeyTiles; ++j)
        AURORA_UNROLL
        for (int i = 0; i < OperandAccumulator::kSize; ++i)
          if (!visible(t, OperandAccumulator::rowSlot(i), j * kTile + OperandAccumulator::column(lane, i))) scores[t][j].values[i] = -kInfinity;
  }

  template <int kKeyTiles>
  AURORA_DEVICE void raiseMaxima(const OperandAccumulator (&scores)[kRowTiles][kKeyTiles], float scale) {
    float before[kRowTiles][kRows];
    bool raised = false;
    AURORA_UNROLL
    for (int t = 0; t < kRowTiles; ++t)
      AURORA_UNROLL
      for (int r = 0; r < kRows; ++r) {
        float most = before[t][r] = maximum[t][r];
        AURORA_UNROLL
        for (int j = 0; j < kKeyTiles; ++j)
          AURORA_UNROLL
          for (int i = 0; i < OperandAccumulator::kSize; ++i)
            if (OperandAccumulator::rowSlot(i) == r) most = fmaxf(most, scores[t][j].values[i]);
        maximum[t][r] = OperandAccumulator::reduceRow(most, [](float a, float b) { return fmaxf(a, b); });
        raised |= maximum[t][r] > before[t][r];
      }
    // After the first tiles this is rare, and what it saves is a multiplication for every sum.
    if (!waveAny(raised)) return;
    AURORA_UNROLL
    for (int t = 0; t < kRowTiles; ++t)
      AURORA_UNROLL
      for (int r = 0; r < kRows; ++r) {
        const float factor = growth(before[t][r] * scale, maximum[t][r] * scale);
        total[t][r] *= factor;
        AURORA_UNROLL
        for (int k = 0; k < kSteps; ++k)
          AURORA_UNROLL
          for (int i = 0; i < OperandAccumulator::kSize; ++i)
            if (OperandAccumulator::rowSlot(i) == r) sums[t][k].values[i] *= factor;
      }
  }

  template <int kKeyTiles, class Weigh>
  AURORA_DEVICE void exponentiate(int t, OperandAccumulator (&scores)[kKeyTiles], Operand<T> (&weights)[kKeyTiles], float scale, Weigh& weigh) {
    constexpr int kRun = OperandAccumulator::kRun;
    const int lane = laneIndex();
    float shift[kRows];
    AURORA_UNROLL
    for (int r = 0; r < kRows; ++r) shift[r] = maximum[t][r] == -kInfinity ? 0 : -maximum[t][r] * scale;
    AURORA_UNROLL
    for (int j = 0; j < kKeyTiles; ++j) {
      AURORA_UNROLL
      for (int i = 0; i < OperandAccumulator::kSize; i += kRun) {
        const int r = OperandAccumulator::rowSlot(i);
        float run[kRun];
        AURORA_UNROLL
        for (int c = 0; c < kRun; ++c) {
          run[c] = fastExp2(fmaf(scores[j].values[i + c], scale, shift[r]));
          total[t][r] += run[c];
        }
        weigh(t, r, j * kTile + OperandAccumulator::column(lane, i), run);
        AURORA_UNROLL
        for (int c = 0; c < kRun; ++c) scores[j].values[i + c] = run[c];
      }
      weights[j] = scores[j].template operand<T>();
    }
  }
};

/// Of dropout: nothing is dropped.
struct WeighAll {
  template <int count>
  AURORA_DEVICE void operator()(int, int, int, float (&)[count]) const {}
};

}  // namespace aurora::hip::flash
