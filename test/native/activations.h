// Activations and their derivatives in float64.
#pragma once

#include <cmath>

#include "core/backend.h"

namespace aurora::test {

constexpr Activation kActivations[] = {Activation::none, Activation::gelu, Activation::geluTanh};

inline double activate(double z, Activation activation) {
  if (activation == Activation::gelu) return z / 2 * std::erfc(-z / std::sqrt(2.0));
  if (activation == Activation::geluTanh) return z / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (z + 0.044715 * z * z * z)));
  return z;
}
inline double activationDerivative(double z, Activation activation) {
  const double step = 1e-5;
  return activation == Activation::none ? 1 : (activate(z + step, activation) - activate(z - step, activation)) / (2 * step);
}

}  // namespace aurora::test
