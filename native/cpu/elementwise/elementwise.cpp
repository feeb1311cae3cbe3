// fill, copyColumns, add, dropout: one pass over memory each.
#include <cmath>

#include "cpu/elementwise/convert.h"
#include "cpu/loops.h"
#include "cpu/random/philox.h"

namespace aurora::cpu::AURORA_ISA {

void fill(Context& context, const Fill& args) {
  const size_t size = byteSize(args.y.dtype);
  alignas(64) char pattern[64];  // holds a whole number of elements of every type
  convertScalar(args.value, args.y.dtype, pattern);
  for (size_t i = size; i < sizeof pattern; ++i) pattern[i] = pattern[i - size];
  forRanges(context, static_cast<int64_t>(args.y.bytes()), 4 * kGrain, [&](int64_t begin, int64_t end) {
    char* y = args.y.as<char>();
    int64_t i = begin;
    for (; i + 64 <= end; i += 64) std::memcpy(y + i, pattern, 64);
    std::memcpy(y + i, pattern, static_cast<size_t>(end - i));
  });
}

void copyColumns(Context& context, const CopyColumns& args) {
  const size_t size = byteSize(args.x.dtype);
  const size_t xStride = args.x.shape[1] * size, yStride = args.y.shape[1] * size, bytes = args.width * size;
  const char* x = args.x.as<char>() + args.xOffset * size;
  char* y = args.y.as<char>() + args.yOffset * size;
  forRanges(context, args.x.shape[0], rowGrain(args.width), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) std::memcpy(y + n * yStride, x + n * xStride, bytes);
  });
}

void add(Context& context, const Add& args) {
  const float alpha = static_cast<float>(args.alpha), beta = static_cast<float>(args.beta);
  withFloat(args.y.dtype, [&](auto type) {
    using T = decltype(type);
    const T *a = args.a.as<T>(), *b = args.b.as<T>();
    T* y = args.y.as<T>();
    forRanges(context, args.y.size(), kGrain, [&](int64_t begin, int64_t end) {
      if (b)
        forVectors(begin, end, [&](int64_t i, auto count) { store(y + i, load(a + i, count) * alpha + load(b + i, count) * beta, count); });
      else
        forVectors(begin, end, [&](int64_t i, auto count) { store(y + i, load(a + i, count) * alpha, count); });
    });
  });
}

void dropout(Context& context, const Dropout& args) {
  const float scale = static_cast<float>(1 / (1 - args.p));
  // uniform ≥ p, decided on the 24-bit integers that uniforms are made of: exact for every p.
  const uint32_t threshold = static_cast<uint32_t>(std::ceil(args.p * 0x1p24));
  withFloat(args.y.dtype, [&](auto type) {
    using T = decltype(type);
    const T* x = args.x.as<T>();
    T* y = args.y.as<T>();
    const auto keep = [&](u32v words, f32v value) { return select((i32v)((words >> 8) >= threshold), value * scale, f32v{}); };
    // Steps of random numbers begin before the elements where `first` lies within one.
    const int64_t shift = args.first % kRandomStep;
    forRanges(context, args.y.size() + shift, kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i += kRandomStep) {
        const WordPairs words = randomPairs(args.random, args.first - shift + i);
        u32v halves[2] = {(u32v)zipLow((f32v)words.even, (f32v)words.odd), (u32v)zipHigh((f32v)words.even, (f32v)words.odd)};
        const int64_t skipped = std::max<int64_t>(shift - i, 0), from = i - shift + skipped, to = std::min(end, i + kRandomStep) - shift;
        if (skipped > 0) {
          uint32_t moved[kRandomStep] = {};
          std::memcpy(moved, reinterpret_cast<const uint32_t*>(halves) + skipped, (kRandomStep - skipped) * sizeof(uint32_t));
          std::memcpy(halves, moved, sizeof halves);
        }
        forVectors(from, to, [&](int64_t k, auto count) { store(y + k, keep(halves[(k - from) / W], load(x + k, count)), count); });
      }
    });
  });
}

}  // namespace aurora::cpu::AURORA_ISA
