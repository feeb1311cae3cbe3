// Dropout of softmax weights: element ((h·N + i)·N + j) of a random sequence decides on the weight of row i of head h for key j, so that
// forward and backward, and every way of cutting the work, see the same mask.
#pragma once

#include <cstdint>

#include "core/random.h"

namespace aurora::cpu::AURORA_ISA::flash {

struct DropoutMask {
  RandomKey random;
  float probability;
  int64_t positions;  // N

  explicit operator bool() const { return probability > 0; }

  /// factors[j] = 0 for a dropped weight, else 1/(1 − p), for keys from … from + count − 1 of row `position` of `head`.
  [[gnu::flatten]] void factors(int64_t head, int64_t position, int64_t from, int count, float* factors) const {
    const float kept = 1 / (1 - probability);
    const uint64_t first = static_cast<uint64_t>((head * positions + position) * positions + from);
    std::array<uint32_t, 4> words{};
    for (int j = 0; j < count; ++j) {
      const uint64_t element = first + static_cast<uint64_t>(j);
      if (j == 0 || element % 4 == 0) words = randomBlock(random, element / 4);
      factors[j] = uniform(words[element % 4]) >= probability ? kept : 0;
    }
  }
};

}  // namespace aurora::cpu::AURORA_ISA::flash
