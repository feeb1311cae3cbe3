// dropout and random tensors. Each thread takes one Philox block, four elements; floats are computed as cpu/random/random.cpp does, operation by
// operation, so that a seed gives the same bits on every device.
#include <algorithm>
#include <cmath>

#include "hip/kernels.h"

namespace aurora::hip {
namespace {

constexpr int kThreads = 256;
constexpr int kBlock = 4;  // elements of a Philox block

/// y[i] = element(x[i], word 4·firstBlock + i) for all i, x optional. `four` turns a block's words and values into four results.
template <class T, class Four>
AURORA_DEVICE void forBlocks(const T* x, T* y, int64_t n, const RandomKey& random, int64_t firstBlock, Four&& four) {
  const bool whole = aligned<kBlock * sizeof(T)>(x, y);
  forGrid((n + kBlock - 1) / kBlock, [&](int64_t block) {
    const auto words = randomBlock(random, static_cast<uint64_t>(firstBlock + block));
    const int64_t first = block * kBlock;
    const bool full = whole && first + kBlock <= n;
    Run<kBlock, T> run{};
    if (x && full)
      run = loadRun<kBlock>(x + first);
    else if (x)
      for (int i = 0; i < kBlock && first + i < n; ++i) run.values[i] = x[first + i];
    four(words, run.values);
    if (full)
      storeRun(y + first, run);
    else
      for (int i = 0; i < kBlock && first + i < n; ++i) y[first + i] = run.values[i];
  });
}

template <class T>
AURORA_KERNEL(kThreads) void dropoutKernel(const T* x, uint32_t threshold, float scale, RandomKey random, int64_t firstBlock, T* y, int64_t n) {
  forBlocks(x, y, n, random, firstBlock, [&](const std::array<uint32_t, 4>& words, T* values) {
    AURORA_UNROLL
    for (int i = 0; i < kBlock; ++i) put(values + i, words[i] >> 8 >= threshold ? get(values + i) * scale : 0.0f);
  });
}

template <class T>
AURORA_KERNEL(kThreads) void uniformKernel(T* y, float low, float range, RandomKey random, int64_t n) {
  forBlocks<T>(nullptr, y, n, random, 0, [&](const std::array<uint32_t, 4>& words, T* values) {
    AURORA_UNROLL
    for (int i = 0; i < kBlock; ++i) put(values + i, (Unfused(uniform(words[i])) * range + low).value);
  });
}

/// c₀ + c₁ x + c₂ x² + … by Horner's rule.
AURORA_DEVICE inline Unfused polynomial(Unfused, float c0) { return c0; }
template <class... Rest>
AURORA_DEVICE inline Unfused polynomial(Unfused x, float c0, Rest... rest) {
  return polynomial(x, rest...) * x + c0;
}

/// ln x for normal x in (0, 1]: cpu/math.h's.
AURORA_DEVICE inline Unfused logarithm(float x) {
  const auto bits = static_cast<int32_t>(asBits(x)), e = (bits - 0x3f3504f3) >> 23;
  const Unfused r = Unfused(asFloat(static_cast<uint32_t>(bits - e * (1 << 23)))) - 1.0f, exponent = static_cast<float>(e);
  const Unfused p = polynomial(r, 3.33333135e-1f, -2.50008196e-1f, 2.00012267e-1f, -1.66233569e-1f, 1.42017573e-1f, -1.31601825e-1f, 1.27615765e-1f,
                               -7.63449669e-2f);
  const Unfused r2 = r * r;
  return exponent * 0.693145752f + (r + ((r2 * r * p + exponent * 1.42860677e-6f) - Unfused(0.5f) * r2));
}

/// Box–Muller on two neighbouring words: cpu/random/random.cpp has the formulas.
AURORA_DEVICE inline void boxMuller(uint32_t even, uint32_t odd, float& first, float& second) {
  const Unfused r = sqrtf((Unfused(-2.0f) * logarithm((Unfused(uniform(even)) + 0x1p-24f).value)).value);
  const int32_t v = static_cast<int32_t>(odd >> 8), q = (v + (1 << 21)) >> 22;
  const Unfused t = Unfused(static_cast<float>(v - q * (1 << 22))) * 0x1p-22f, s = t * t;
  const Unfused sine = t * polynomial(s, 1.57079637f, -0.645963490f, 7.96800330e-2f, -4.60166019e-3f);
  const Unfused cosine = polynomial(s, 1.0f, -1.23370051f, 0.253669232f, -2.08601654e-2f, 9.03766544e-4f);
  const float x = q & 1 ? sine.value : cosine.value, y = q & 1 ? cosine.value : sine.value;
  first = (r * ((q + 1) & 2 ? -x : x)).value;
  second = (r * (q & 2 ? -y : y)).value;
}

template <class T>
AURORA_KERNEL(kThreads) void normalKernel(T* y, float mean, float std, RandomKey random, int64_t n) {
  forBlocks<T>(nullptr, y, n, random, 0, [&](const std::array<uint32_t, 4>& words, T* values) {
    AURORA_UNROLL
    for (int i = 0; i < kBlock; i += 2) {
      float first, second;
      boxMuller(words[i], words[i + 1], first, second);
      put(values + i, (Unfused(first) * std + mean).value);
      put(values + i + 1, (Unfused(second) * std + mean).value);
    }
  });
}

Grid gridFor(int64_t n) { return blocksFor(n, kThreads * kBlock); }

}  // namespace

void dropout(Context& context, const Dropout& args) {
  // uniform ≥ p, decided on the 24-bit integers that uniforms are made of: exact for every p.
  const uint32_t threshold = static_cast<uint32_t>(std::ceil(args.p * 0x1p24));
  const float scale = static_cast<float>(1 / (1 - args.p));
  const int64_t n = args.y.size();
  withFloat(args.y.dtype, [&](auto type) {
    using T = decltype(type);
    launch<dropoutKernel<T>>(context.queue, gridFor(n), kThreads, 0, args.x.as<T>(), threshold, scale, args.random, args.first / kBlock, args.y.as<T>(), n);
  });
}

void randomUniform(Context& context, const RandomUniform& args) {
  const float low = static_cast<float>(args.low), range = static_cast<float>(args.high - args.low);
  const int64_t n = args.y.size();
  withFloat(args.y.dtype, [&](auto type) {
    using T = decltype(type);
    launch<uniformKernel<T>>(context.queue, gridFor(n), kThreads, 0, args.y.as<T>(), low, range, args.random, n);
  });
}

void randomNormal(Context& context, const RandomNormal& args) {
  const float mean = static_cast<float>(args.mean), std = static_cast<float>(args.std);
  const int64_t n = args.y.size();
  withFloat(args.y.dtype, [&](auto type) {
    using T = decltype(type);
    launch<normalKernel<T>>(context.queue, gridFor(n), kThreads, 0, args.y.as<T>(), mean, std, args.random, n);
  });
}

}  // namespace aurora::hip
