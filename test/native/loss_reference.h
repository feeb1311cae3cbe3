// The head's cross-entropy and its gradients in float64, and how near to them is near enough; for the CPU's tests and the GPU's.
#pragma once

#include "numbers.h"

namespace aurora::test {

struct LossProblem {
  int64_t N, D, V;
  DType type;
  bool ignoring;  // some rows have no target
  std::string text() const {
    return std::string("linearCrossEntropy ") + name(type) + " N " + std::to_string(N) + ", D " + std::to_string(D) + ", V " +
           std::to_string(V) + (ignoring ? ", some ignored" : "");
  }
};

struct LossReference {
  std::vector<double> losses, dh, dweight, top;
  std::vector<double> dhMagnitude, dweightMagnitude;  // sums of the terms' absolute values

  LossReference(const LossProblem& p, const Numbers& h, const Numbers& weight, const Numbers& targets, const Numbers& weights)
      : losses(p.N), dh(p.N * p.D), dweight(p.V * p.D), top(p.N, -INFINITY), dhMagnitude(p.N * p.D), dweightMagnitude(p.V * p.D) {
    std::vector<double> z(p.V);
    for (int64_t n = 0; n < p.N; ++n) {
      for (int64_t v = 0; v < p.V; ++v) {
        z[v] = 0;
        for (int64_t d = 0; d < p.D; ++d) z[v] += h[n * p.D + d] * weight[v * p.D + d];
        top[n] = std::max(top[n], z[v]);
      }
      const int64_t target = static_cast<int64_t>(targets[n]);
      if (target < 0) continue;
      double total = 0;
      for (double x : z) total += std::exp(x - top[n]);
      losses[n] = std::log(total) + top[n] - z[target];
      for (int64_t v = 0; v < p.V; ++v) {
        const double dz = weights[n] * (std::exp(z[v] - top[n]) / total - (v == target));
        for (int64_t d = 0; d < p.D; ++d) {
          dh[n * p.D + d] += dz * weight[v * p.D + d];
          dweight[v * p.D + d] += dz * h[n * p.D + d];
          dhMagnitude[n * p.D + d] += std::fabs(dz * weight[v * p.D + d]);
          dweightMagnitude[v * p.D + d] += std::fabs(dz * h[n * p.D + d]);
        }
      }
    }
  }
};

/// Errors of a gradient are measured against the sum of its terms' absolute values; with bf16 each term is rounded.
inline void checkGradient(const Numbers& found, const std::function<double(int64_t)>& expected, const std::vector<double>& magnitude,
                          bool rounded, const std::string& what) {
  for (int64_t i = 0; i < found.size(); ++i) {
    if (near(found, i, expected(i), 2e-6 + (4e-6 + (rounded ? 0x1p-8 : 0)) * magnitude[i])) continue;
    return check(false, what + ": element " + std::to_string(i) + " is " + std::to_string(found[i]) + ", expected " +
                            std::to_string(expected(i)));
  }
}

}  // namespace aurora::test
