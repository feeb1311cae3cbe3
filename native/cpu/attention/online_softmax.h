// Softmax-weighted sums of values, one tile of keys after another (Milakov & Gimelshein 2018; Dao et al. 2022): each row keeps
// its largest score so far, the sum of exponentials relative to it, and the weighted sum of values; a larger maximum rescales
// what was gathered. Maxima are in units of log 2: scores are scaled by log₂ e.
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>

#include "cpu/attention/dropout_mask.h"

namespace aurora::cpu::AURORA_ISA::flash {

/// The memory of one thread's block.
template <class Packed>
struct OnlineSoftmax {
  const Problem& problem;
  Lengths<Packed> lengths;
  Packed* queries;  // across
  float* sums;      // Σ weight · value
  float* scores;    // [kBlockRows, kTileKeys]; a row's weights, packed across, take the place of its scores
  float maximum[kBlockRows];
  float total[kBlockRows][W];  // Σ 2^(score − maximum), in lanes

  static int64_t floats(const Lengths<Packed>& lengths) {
    return int64_t{kBlockRows} * (lengths.across + lengths.down + kTileKeys);
  }

  OnlineSoftmax(const Problem& whole, const Lengths<Packed>& ofHead, float* memory)
      : problem(whole),
        lengths(ofHead),
        queries(reinterpret_cast<Packed*>(memory)),
        sums(memory + kBlockRows * lengths.across),
        scores(sums + kBlockRows * lengths.down) {}

  /// Before the first tile; queries of rows that only fill up the last strip become 0.
  template <class T>
  void begin(const BlockRows& block, const T* qkv) {
    const int padded = block.paddedRows();
    for (int r = 0; r < padded; ++r)
      packAcross(r < block.rows ? qkv + problem.queryAt(block.row[r]) : nullptr, lengths.width, queries + r * lengths.across);
    std::fill(sums, sums + padded * lengths.down, 0.0f);
    std::fill(maximum, maximum + padded, -__builtin_inff());
    std::fill(&total[0][0], &total[padded - 1][0] + W, 0.0f);
  }

  /// Takes in the keys and values of one tile.
  void add(BlockRows& block, int64_t tileStart, const Packed* keyPanels, const Packed* values, const DropoutMask& dropout) {
    block.enterTile(tileStart);
    multiplyKeys(block, lengths, queries, keyPanels, scores);
    for (int s = 0; s < block.strips; ++s) {
      const auto span = block.spans[s];
      if (span.begin == span.end) continue;
      const int first = s * kStripRows;
      // The rows' maxima take a while to come out of their vectors: all of a strip on their way at once.
      float maxima[kStripRows];
      for (int r = 0; r < kStripRows; ++r) {
        float* row = scores + (first + r) * kTileKeys;
        block.hide(first + r, tileStart, problem.hidden, row);
        maxima[r] = largest(row, span);
      }
      for (int r = first; r < first + kStripRows; ++r) {
        float* row = scores + r * kTileKeys;
        if (maxima[r - first] == -__builtin_inff()) {  // the row sees none of these keys
          std::fill(row, row + kTileKeys, 0.0f);
          continue;
        }
        raiseMaximum(r, maxima[r - first]);
        if (dropout) {
          DropoutMask::Factors memory;
          const float* factors = dropout.factors(block.row[r], tileStart + span.begin, span.end - span.begin, memory) - span.begin;
          weigh(r, span, row, [&](int j, f32v weight) { return weight * load(factors + j); });
        } else {
          weigh(r, span, row, [](int, f32v weight) { return weight; });
        }
      }
    }
    addWeighted(block, lengths, reinterpret_cast<const Packed*>(scores), values, sums);
  }

  /// The natural logarithm of a row's sum of exponentials, and what scales its sums to the result.
  float logSumExp(int row) const { return maximum[row] * kLn2 + std::log(sum(load(total[row]))); }
  float normaliser(int row) const { return 1 / sum(load(total[row])); }

 private:
  float largest(const float* row, BlockRows::Span span) const {
    f32v top = load(row + span.begin) * problem.scale;
    for (int j = span.begin + W; j < span.end; j += W) top = max(top, load(row + j) * problem.scale);
    return AURORA_ISA::maximum(top);
  }
  /// A row's maximum rises to `now` if that is more; what was gathered follows.
  void raiseMaximum(int r, float now) {
    const float before = std::exchange(maximum[r], std::max(maximum[r], now));
    if (now <= before || before == -__builtin_inff()) return;
    const float factor = exp2(splat(before - now))[0];
    store(total[r], load(total[r]) * factor);
    float* gathered = sums + r * lengths.down;
    for (int k = 0; k < lengths.width; k += W) store(gathered + k, load(gathered + k) * factor);
  }
  /// Turns a row's scores into weights.
  template <class Drop>
  void weigh(int r, BlockRows::Span span, float* row, Drop&& drop) {
    const float now = maximum[r], scale = problem.scale;
    f32v exponentialSum = load(total[r]);
    for (int j = span.begin; j < span.end; j += W) {
      const f32v e = exp2(load(row + j) * scale - now);
      exponentialSum += e;
      putAcross(reinterpret_cast<Packed*>(row), j, drop(j, e));
    }
    store(total[r], exponentialSum);
  }
};

}  // namespace aurora::cpu::AURORA_ISA::flash
