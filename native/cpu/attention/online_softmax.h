// Softmax-weighted sums of values, one tile of keys after another (Milakov & Gimelshein 2018; Dao et al. 2022): each row keeps
// its largest score so far, the sum of exponentials relative to it, and the weighted sum of values; a larger maximum rescales
// what was gathered. Scores are in units of log 2: the queries come scaled by log₂ e.
#pragma once

#include <algorithm>
#include <cmath>

#include "cpu/attention/dropout_mask.h"
#include "cpu/attention/exp2.h"

namespace aurora::cpu::AURORA_ISA::flash {

/// The memory of one thread's block. Rows are packed rows of `stride` floats.
struct OnlineSoftmax {
  int stride;
  float* queries;  // scaled by scale · log₂ e
  float* sums;     // Σ weight · value
  float* scores;   // [kBlockRows, kTileKeys]
  float maximum[kBlockRows];
  float total[kBlockRows][W];  // Σ 2^(score − maximum), in lanes

  static int64_t floats(int stride) { return int64_t{kBlockRows} * (2 * stride + kTileKeys); }

  OnlineSoftmax(float* memory, int rowStride)
      : stride(rowStride), queries(memory), sums(queries + kBlockRows * stride), scores(sums + kBlockRows * stride) {}

  /// Before the first tile; queries of rows that only fill up the last strip become 0.
  void clear(const BlockRows& block) {
    const int padded = block.strips * kStripRows;
    std::fill(queries + block.rows * stride, queries + padded * stride, 0.0f);
    std::fill(sums, sums + padded * stride, 0.0f);
    std::fill(maximum, maximum + padded, -__builtin_inff());
    std::fill(&total[0][0], &total[padded - 1][0] + W, 0.0f);
  }

  /// Takes in the keys and values of one tile.
  void add(BlockRows& block, int64_t tileStart, const float* keyPanels, const float* values, int width,
           const DropoutMask& dropout) {
    block.enterTile(tileStart);
    multiplyKeys(block, queries, stride, keyPanels, width, scores);
    for (int s = 0; s < block.strips; ++s) {
      const auto strip = block.spans[s];
      if (strip.begin == strip.end) continue;
      for (int r = s * kStripRows; r < (s + 1) * kStripRows; ++r) {
        float* row = scores + r * kTileKeys;
        const auto own = block.span(r, tileStart);
        if (own.begin >= own.end) {
          std::fill(row + strip.begin, row + strip.end, 0.0f);
          continue;
        }
        std::fill(row + strip.begin, row + own.begin, -__builtin_inff());
        std::fill(row + own.end, row + strip.end, -__builtin_inff());
        exponentials(r, row + strip.begin, strip.end - strip.begin);
        if (dropout) {
          DropoutMask::Factors memory;
          const float* factors = dropout.factors(block.row[r], tileStart + own.begin, own.end - own.begin, memory);
          for (int j = own.begin; j < own.end; ++j) row[j] *= factors[j - own.begin];
        }
      }
    }
    addWeighted(block, scores, values, stride, width, sums);
  }

  /// The natural logarithm of a row's sum of exponentials, and what scales its sums to the result.
  float logSumExp(int row) const { return maximum[row] * kLn2 + std::log(sum(load(total[row]))); }
  float normaliser(int row) const { return 1 / sum(load(total[row])); }

 private:
  void exponentials(int r, float* row, int count) {
    f32v top = load(row);
    for (int j = W; j < count; j += W) top = max(top, load(row + j));
    const float before = maximum[r], now = std::max(before, AURORA_ISA::maximum(top));
    f32v exponentialSum = load(total[r]);
    if (now != before && before != -__builtin_inff()) {
      const float factor = exp2(splat(before - now))[0];
      exponentialSum *= factor;
      float* gathered = sums + r * stride;
      for (int k = 0; k < stride; k += W) store(gathered + k, load(gathered + k) * factor);
    }
    maximum[r] = now;
    for (int j = 0; j < count; j += W) {
      const f32v e = exp2(load(row + j) - now);
      exponentialSum += e;
      store(row + j, e);
    }
    store(total[r], exponentialSum);
  }
};

}  // namespace aurora::cpu::AURORA_ISA::flash
