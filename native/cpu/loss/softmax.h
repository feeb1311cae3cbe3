// A row of logits and its softmax.
#pragma once

#include <cmath>

#include "cpu/loops.h"
#include "cpu/math.h"

namespace aurora::cpu::AURORA_ISA {

constexpr int64_t kSumBlock = 1024;  // elements summed in f32, before the sum goes on in double

struct Peak {
  float value;
  int64_t index;  // the lowest, on ties
};

inline Peak peak(const float* z, int64_t V, bool wantIndex) {
  f32v top = splat(-INFINITY);
  int64_t j = 0;
  for (; j + W <= V; j += W) top = max(load(z + j), top);
  float value = maximum(top);
  for (; j < V; ++j) value = z[j] > value ? z[j] : value;
  int64_t index = 0;
  if (wantIndex)
    while (index < V - 1 && z[index] != value) ++index;
  return {value, index};
}

/// z ← e^(z − top); returns the sum.
inline double exponentiate(float* z, int64_t V, float top) {
  double total = 0;
  for (int64_t start = 0; start < V; start += kSumBlock) {
    const int64_t end = start + kSumBlock < V ? start + kSumBlock : V;
    f32v partial{};
    forVectors(start, end, [&](int64_t j, auto count) {
      store(z + j, exp(load(z + j, count) - top), count);
      partial += load(z + j, count);
    });
    total += sum(partial);
  }
  return total;
}

/// The gradient weight·(softmax − one-hot), in T, over the front of the row that held the exponentials. A negative target lies elsewhere.
template <class T>
inline void gradient(float* exponentials, int64_t V, float scale, float weight, int64_t target) {
  T* out = reinterpret_cast<T*>(exponentials);
  const float atTarget = target < 0 ? 0 : exponentials[target] * scale - weight;
  forVectors(0, V, [&](int64_t j, auto count) { store(out + j, load(exponentials + j, count) * scale, count); });
  if (target >= 0) put(out + target, atTarget);
}

}  // namespace aurora::cpu::AURORA_ISA
