// The scalars of a step of AdamW, worked out in f64 and rounded once, the same for every backend.
#pragma once

#include <cmath>

#include "core/backend.h"

namespace aurora {

/// The scalars of one step, in the form the innermost loop wants them.
struct AdamWRates {
  float gradientScale, beta1, beta2, rest1, rest2, stepSize, correction2, epsilon, decay;

  explicit AdamWRates(const AdamW& args)
      : gradientScale(static_cast<float>(args.gradientScale)),
        beta1(static_cast<float>(args.beta1)),
        beta2(static_cast<float>(args.beta2)),
        rest1(static_cast<float>(1 - args.beta1)),
        rest2(static_cast<float>(1 - args.beta2)),
        stepSize(static_cast<float>(args.lr / (1 - std::pow(args.beta1, static_cast<double>(args.step))))),
        correction2(static_cast<float>(1 / (1 - std::pow(args.beta2, static_cast<double>(args.step))))),
        epsilon(static_cast<float>(args.epsilon)),
        decay(static_cast<float>(args.lr * args.weightDecay)) {}
};

}  // namespace aurora
