// Dropout of softmax weights: element ((h·N + i)·N + j) of a random sequence decides on the weight of row i of the layer's head h for key j,
// so that forward and backward, and every way of cutting the work, see the same mask.
#pragma once

#include <cmath>

#include "cpu/attention/problem.h"
#include "cpu/random/philox.h"

namespace aurora::cpu::AURORA_ISA::flash {

class DropoutMask {
 public:
  /// Memory of the factors of one row and tile: whole steps of random numbers.
  using Factors = float[kTileKeys + 2 * kRandomStep];

  /// No dropout.
  DropoutMask() = default;
  DropoutMask(const RandomKey& random, double probability, int64_t positions, int64_t firstHead)
      : random_(random),
        threshold_(static_cast<uint32_t>(std::ceil(probability * 0x1p24))),
        kept_(static_cast<float>(1 / (1 - probability))),
        positions_(positions),
        firstHead_(firstHead) {}

  explicit operator bool() const { return threshold_ > 0; }

  /// The factors of a row's weights for `count` ≤ kTileKeys keys from `firstKey`: 0 for a dropped weight, else 1/(1 − p). They
  /// lie in `memory`.
  const float* factors(Row row, int64_t firstKey, int count, Factors& memory) const {
    const int64_t first = ((firstHead_ + row.head) * positions_ + row.position) * positions_ + firstKey, offset = first % kRandomStep;
    for (int64_t j = 0; j < offset + count; j += kRandomStep) {
      const WordPairs pairs = randomPairs(random_, first - offset + j);
      const f32v even = factor(pairs.even), odd = factor(pairs.odd);
      store(memory + j, zipLow(even, odd));
      store(memory + j + W, zipHigh(even, odd));
    }
    return memory + offset;
  }

 private:
  // uniform ≥ p, decided on the 24-bit integers that uniforms are made of: exact for every p.
  f32v factor(u32v words) const { return select((i32v)((words >> 8) >= threshold_), splat(kept_), splat(0)); }

  RandomKey random_;
  uint32_t threshold_ = 0;
  float kept_ = 1;
  int64_t positions_ = 0, firstHead_ = 0;
};

}  // namespace aurora::cpu::AURORA_ISA::flash
