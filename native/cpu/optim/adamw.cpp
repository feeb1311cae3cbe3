// The optimizer's two passes over flat buffers: the global gradient norm and AdamW.
#include <cmath>

#include "core/adamw.h"
#include "cpu/loops.h"
#include "cpu/random/philox.h"

namespace aurora::cpu::AURORA_ISA {
namespace {

/// core/random.h's roundStochastic.
void storeStochastic(bf16* p, f32v v, const uint32_t* words, int count) {
  u32v word{};
  std::memcpy(&word, words, static_cast<size_t>(count) * sizeof *words);
  const u32v b = (u32v)v;
  const u32v special = b | ((b & 0x007fffff) != 0 ? u32v{} + 0x00400000 : u32v{});
  const u32v rounded = (b & 0x7f800000) == 0x7f800000 ? special : b + (word >> 16);
  const u16v h = __builtin_convertvector(rounded >> 16, u16v);
  std::memcpy(p, &h, static_cast<size_t>(count) * sizeof *p);
}

/// Elements begin … end − 1. `master` is null when the parameter is its own. `words`: random numbers from element begin on, for stochastic rounding.
template <class T>
void update(const AdamWRates& rates, const AdamW& args, int64_t begin, int64_t end, const uint32_t* words = nullptr) {
  T* parameter = args.parameter.as<T>();
  float* master = args.master.as<float>();
  const float* gradient = args.gradient.as<float>();
  float *m = args.m.as<float>(), *v = args.v.as<float>();
  forVectors(begin, end, [&](int64_t i, auto count) {
    const f32v g = load(gradient + i, count) * rates.gradientScale;
    const f32v m1 = load(m + i, count) * rates.beta1 + g * rates.rest1;
    const f32v v1 = load(v + i, count) * rates.beta2 + g * g * rates.rest2;
    f32v w = master ? load(master + i, count) : load(parameter + i, count);
    w -= m1 * rates.stepSize / (sqrt(v1 * rates.correction2) + rates.epsilon) + w * rates.decay;
    store(m + i, m1, count);
    store(v + i, v1, count);
    if (master) store(master + i, w, count);
    if constexpr (std::is_same_v<T, bf16>)
      if (words) return storeStochastic(parameter + i, w, words + (i - begin), count);
    store(parameter + i, w, count);
  });
}

}  // namespace

void adamw(Context& context, const AdamW& args) {
  const AdamWRates rates(args);
  withFloat(args.parameter.dtype, [&](auto type) {
    using T = decltype(type);
    forRanges(context, args.parameter.size(), kGrain, [&](int64_t begin, int64_t end) {
      if (!args.stochastic) return update<T>(rates, args, begin, end);
      constexpr int64_t kPart = 512;
      Words<kPart> memory;
      for (int64_t i = begin; i < end; i += kPart) {
        const int64_t next = std::min(end, i + kPart);
        update<T>(rates, args, i, next, randomWords(args.random, args.first + i, next - i, memory));
      }
    });
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
