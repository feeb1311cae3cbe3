// AdamW: one pass over its flat buffers, eight elements a thread at a time where the parameter is bf16, four where it is f32.
#include <type_traits>

#include "core/adamw.h"
#include "hip/kernels.h"

namespace aurora::hip {
namespace {

constexpr int kThreads = 256;

/// How a bf16 parameter is rounded: to nearest, or by element `first` + i of `random`; `first` is a multiple of 4, the elements of a Philox block.
struct Rounding {
  bool stochastic;
  RandomKey random;
  uint64_t first;
};

/// `count` floats in pieces of 16 bytes at most.
template <int count>
struct Floats {
  static constexpr int kPiece = count < 4 ? count : 4;
  float values[count];

  AURORA_DEVICE void load(const float* p) {
    AURORA_UNROLL
    for (int i = 0; i < count; i += kPiece) __builtin_memcpy(values + i, loadRun<kPiece>(p + i).values, kPiece * sizeof(float));
  }
  AURORA_DEVICE void store(float* p) const {
    AURORA_UNROLL
    for (int i = 0; i < count; i += kPiece) {
      Run<kPiece, float> run;
      __builtin_memcpy(run.values, values + i, sizeof run);
      storeRun(p + i, run);
    }
  }
};

/// words[i]; an array indexed like that would not stay in registers.
AURORA_DEVICE inline uint32_t wordOf(const std::array<uint32_t, 4>& words, uint64_t i) {
  return i < 2 ? (i == 0 ? words[0] : words[1]) : i == 2 ? words[2] : words[3];
}

/// Without `master` the parameter's own values are updated.
template <class T>
AURORA_KERNEL(kThreads)
void adamwKernel(AdamWRates rates, Rounding rounding, T* parameter, float* master, const float* gradient, float* m, float* v, int64_t n) {
  forGridRuns<kWide<T>>(n, aligned<16>(parameter, master, gradient, m, v), [&](int64_t i, auto run) {
    constexpr int count = run.value;
    Floats<count> g, m1, v1, w;
    g.load(gradient + i);
    m1.load(m + i);
    v1.load(v + i);
    Run<count, T> rounded;
    if (master) {
      w.load(master + i);
    } else {
      rounded = loadRun<count>(parameter + i);
      AURORA_UNROLL
      for (int j = 0; j < count; ++j) w.values[j] = toFloat(rounded.values[j]);
    }
    AURORA_UNROLL
    for (int j = 0; j < count; ++j) {
      const float scaled = g.values[j] * rates.gradientScale;
      m1.values[j] = m1.values[j] * rates.beta1 + scaled * rates.rest1;
      v1.values[j] = v1.values[j] * rates.beta2 + scaled * scaled * rates.rest2;
      w.values[j] -= m1.values[j] * rates.stepSize / (sqrtf(v1.values[j] * rates.correction2) + rates.epsilon) + w.values[j] * rates.decay;
    }
    m1.store(m + i);
    v1.store(v + i);
    if (master) w.store(master + i);
    if constexpr (std::is_same_v<T, bf16>) {
      if (rounding.stochastic) {
        const uint64_t element = rounding.first + static_cast<uint64_t>(i);
        if constexpr (count == 1) {
          rounded.values[0] = roundStochastic(w.values[0], wordOf(randomBlock(rounding.random, element / 4), element % 4));
        } else {
          AURORA_UNROLL
          for (int j = 0; j < count; j += 4) {
            const auto words = randomBlock(rounding.random, element / 4 + j / 4);
            AURORA_UNROLL
            for (int k = 0; k < 4; ++k) rounded.values[j + k] = roundStochastic(w.values[j + k], words[k]);
          }
        }
        storeRun(parameter + i, rounded);
        return;
      }
    }
    AURORA_UNROLL
    for (int j = 0; j < count; ++j) put(&rounded.values[j], w.values[j]);
    storeRun(parameter + i, rounded);
  });
}

}  // namespace

void adamw(Context& context, const AdamW& args) {
  const int64_t n = args.parameter.size();
  const Rounding rounding{args.stochastic, args.random, static_cast<uint64_t>(args.first)};
  withFloat(args.parameter.dtype, [&](auto type) {
    using T = decltype(type);
    launch<adamwKernel<T>>(context.queue, blocksFor(n, kThreads * kWide<T>), kThreads, 0, AdamWRates(args), rounding, args.parameter.as<T>(),
                           args.master.as<float>(), args.gradient.as<float>(), args.m.as<float>(), args.v.as<float>(), n);
  });
}

}  // namespace aurora::hip
