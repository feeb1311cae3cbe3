// The optimizer's two passes over flat buffers: the global gradient norm and AdamW.
#include <cmath>

#include "cpu/loops.h"

namespace aurora::cpu::AURORA_ISA {
namespace {

/// The scalars of one step, in the form the inner loop wants them.
struct Rates {
  float gradientScale, beta1, beta2, rest1, rest2, stepSize, correction2, epsilon, decay;

  explicit Rates(const AdamW& args)
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

/// `master` and `parameter` are the same memory when the parameter is f32.
template <class T>
void update(const Rates& rates, const AdamW& args, float* master, T* parameter, int64_t begin, int64_t end) {
  const float* gradient = args.gradient.as<float>();
  float *m = args.m.as<float>(), *v = args.v.as<float>();
  forVectors(begin, end, [&](int64_t i, auto count) {
    const f32v g = load(gradient + i, count) * rates.gradientScale;
    const f32v m1 = load(m + i, count) * rates.beta1 + g * rates.rest1;
    const f32v v1 = load(v + i, count) * rates.beta2 + g * g * rates.rest2;
    f32v w = load(master + i, count);
    w -= m1 * rates.stepSize / (sqrt(v1 * rates.correction2) + rates.epsilon) + w * rates.decay;
    store(m + i, m1, count);
    store(v + i, v1, count);
    store(master + i, w, count);
    if constexpr (!std::is_same_v<T, float>) store(parameter + i, w, count);
  });
}

}  // namespace

void adamw(Context& context, const AdamW& args) {
  const Rates rates(args);
  withFloat(args.parameter.dtype, [&](auto type) {
    using T = decltype(type);
    T* parameter = args.parameter.as<T>();
    float* master = std::is_same_v<T, float> ? args.parameter.as<float>() : args.master.as<float>();
    forRanges(context, args.parameter.size(), kGrain,
              [&](int64_t begin, int64_t end) { update(rates, args, master, parameter, begin, end); });
  });
}

void l2Norm(Context& context, const L2Norm& args) {
  const float* x = args.x.as<float>();
  const int64_t n = args.x.size(), blocks = (n + kGrain - 1) / kGrain;
  double* sums = context.scratch.get<double>(0, blocks);
  forRanges(context, n, kGrain, [&](int64_t begin, int64_t end) {
    constexpr int kLanes = 16;  // the same for all instruction sets, and so is the result, but for the rounding of a·b + c
    double lanes[kLanes] = {};
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes)
      for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += static_cast<double>(x[i + lane]) * x[i + lane];
    for (; i < end; ++i) lanes[0] += static_cast<double>(x[i]) * x[i];
    double total = 0;
    for (double lane : lanes) total += lane;
    sums[begin / kGrain] = total;
  });
  double total = 0;
  for (int64_t block = 0; block < blocks; ++block) total += sums[block];
  *args.out.as<float>() = static_cast<float>(std::sqrt(total));
}

}  // namespace aurora::cpu::AURORA_ISA
