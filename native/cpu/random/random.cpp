// Random tensors. This file is compiled without contraction of a·b + c (see CMakeLists.txt) and uses no operation that rounds
// differently on different machines, so that a seed gives the same numbers on every instruction set.
#include "cpu/loops.h"
#include "cpu/math.h"
#include "cpu/random/philox.h"

namespace aurora::cpu::AURORA_ISA {
namespace {

/// Writes y[i] for all i, a step of kRandomStep elements at a time: `two(pairs)` turns a step's words into its two vectors.
template <class T, class Two>
void fillRandom(Context& context, T* y, int64_t n, const RandomKey& random, const Two& two) {
  static_assert(kGrain % kRandomStep == 0);
  forRanges(context, n, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += kRandomStep) {
      const auto [low, high] = two(randomPairs(random, i));
      if (i + kRandomStep <= end) {
        store(y + i, low);
        store(y + i + W, high);
      } else {
        storePart(y + i, low, static_cast<int>(std::min<int64_t>(W, end - i)));
        storePart(y + i + W, high, static_cast<int>(std::max<int64_t>(0, end - i - W)));
      }
    }
  });
}

struct Two {
  f32v low, high;
};
Two inOrder(f32v even, f32v odd) { return {zipLow(even, odd), zipHigh(even, odd)}; }

/// Box–Muller: element 2k is r cos 2πv and 2k + 1 is r sin 2πv, with r = √(−2 ln u), u = uniform(word₂ₖ) + 2⁻²⁴ in (0, 1] and
/// v = uniform(word₂ₖ₊₁). No value lies beyond √(48 ln 2) = 5.77.
Two boxMuller(WordPairs words) {
  const f32v u = uniform(words.even) + 0x1p-24f;
  const f32v r = sqrt(-2.0f * log(u));
  // v = (q + t)/4 turns: quarter q, and t in [−½, ½) quarters, both exact.
  const i32v v = (i32v)(words.odd >> 8);
  const i32v q = (v + (1 << 21)) >> 22;
  const f32v t = __builtin_convertvector(v - (q << 22), f32v) * 0x1p-22f;
  const f32v s = t * t;
  const f32v sine = t * polynomial(s, 1.57079637f, -0.645963490f, 7.96800330e-2f, -4.60166019e-3f);              // sin(πt/2)
  const f32v cosine = polynomial(s, 1.0f, -1.23370051f, 0.253669232f, -2.08601654e-2f, 9.03766544e-4f);  // cos(πt/2)
  const i32v swap = -(q & 1);
  const f32v x = select(swap, sine, cosine), y = select(swap, cosine, sine);
  const i32v negativeX = ((q + 1) & 2) << 30, negativeY = (q & 2) << 30;
  return {r * fromBits(bits(x) ^ negativeX), r * fromBits(bits(y) ^ negativeY)};
}

}  // namespace

void randomNormal(Context& context, const RandomNormal& args) {
  const float mean = static_cast<float>(args.mean), std = static_cast<float>(args.std);
  withFloat(args.y.dtype, [&](auto type) {
    fillRandom(context, args.y.as<decltype(type)>(), args.y.size(), args.random, [&](WordPairs words) {
      const Two normal = boxMuller(words);
      return inOrder(normal.low * std + mean, normal.high * std + mean);
    });
  });
}

void randomUniform(Context& context, const RandomUniform& args) {
  const float low = static_cast<float>(args.low), range = static_cast<float>(args.high - args.low);
  withFloat(args.y.dtype, [&](auto type) {
    fillRandom(context, args.y.as<decltype(type)>(), args.y.size(), args.random,
               [&](WordPairs words) { return inOrder(uniform(words.even) * range + low, uniform(words.odd) * range + low); });
  });
}

}  // namespace aurora::cpu::AURORA_ISA
