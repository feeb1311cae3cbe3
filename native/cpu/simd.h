// The one portable SIMD layer, on the compilers' vector extensions (GCC, Clang): the same source becomes SSE2, AVX2, AVX-512 or
// NEON by the flags it is compiled with. Arithmetic is written with operators; a·b + c contracts to one fused multiply-add where
// the machine has it (-ffp-contract=fast). AURORA_SIMD_WIDTH (floats) may be set wider than the machine's registers: a test runs the
// 16-wide code that way on machines without AVX-512.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "core/dtype.h"

#ifndef AURORA_SIMD_WIDTH
#if defined(__AVX512F__)
#define AURORA_SIMD_WIDTH 16
#elif defined(__AVX__)
#define AURORA_SIMD_WIDTH 8
#else
#define AURORA_SIMD_WIDTH 4
#endif
#endif

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace aurora::cpu::AURORA_ISA {

constexpr int W = AURORA_SIMD_WIDTH;

typedef float f32v __attribute__((vector_size(W * 4)));
typedef int32_t i32v __attribute__((vector_size(W * 4)));
typedef uint32_t u32v __attribute__((vector_size(W * 4)));
typedef uint64_t u64v __attribute__((vector_size(W * 4)));
typedef uint16_t u16v __attribute__((vector_size(W * 2)));

inline f32v splat(float x) { return x - f32v{}; }  // unlike x + 0, x − 0 is x for −0 too, so that it compiles to a bare broadcast
inline i32v bits(f32v x) { return (i32v)x; }
inline f32v fromBits(i32v x) { return (f32v)x; }

inline f32v load(const float* p) {
  f32v v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void store(float* p, f32v v) { std::memcpy(p, &v, sizeof v); }

/// The first W values of h become the upper halves of the lanes. Which zeros fill the lower halves is chosen for the fewest instructions.
template <class V, int... I>
inline f32v widen(V h, std::integer_sequence<int, I...>) {
  return (f32v)__builtin_shufflevector(V{}, h, (I % 2 ? static_cast<int>(sizeof(V) / 2) + I / 2 : W == 4 ? I / 2 : 0)...);
}
inline f32v load(const bf16* p) {
  constexpr std::make_integer_sequence<int, 2 * W> halves;
  if constexpr (W == 4) {  // GCC keeps 8-byte vectors in general registers
    uint64_t h;
    std::memcpy(&h, p, sizeof h);
    typedef uint16_t Halves __attribute__((vector_size(W * 4)));
    return widen((Halves)u64v{h}, halves);
  }
  u16v h;
  std::memcpy(&h, p, sizeof h);
  return widen(h, halves);
}
/// Rounds to nearest even; NaN stays NaN. AVX512_BF16's instruction takes subnormal numbers (below 1.2e-38) for 0.
inline void store(bf16* p, f32v v) {
#if defined(__AVX512BF16__) && AURORA_SIMD_WIDTH == 16
  const __m256bh h = _mm512_cvtneps_pbh((__m512)v);
#else
  const u32v b = (u32v)v;
  const u32v rounded = v == v ? b + 0x7fff + ((b >> 16) & 1) : b | 0x400000;
  const u32v upper = rounded >> 16;
#if defined(__AVX2__) && defined(__GNUC__) && !defined(__clang__) && AURORA_SIMD_WIDTH == 8
  // GCC's conversion masks what is zero already, and crosses the halves.
  typedef int Half __attribute__((vector_size(16)));
  Half halves[2];
  std::memcpy(halves, &upper, sizeof upper);
  const u16v h = (u16v)__builtin_ia32_packusdw128(halves[0], halves[1]);
#else
  const u16v h = __builtin_convertvector(upper, u16v);
#endif
#endif
  std::memcpy(p, &h, sizeof h);
}

inline float toFloat(float x) { return x; }
inline float toFloat(bf16 x) {
  const uint32_t b = uint32_t{x.bits} << 16;
  float f;
  std::memcpy(&f, &b, 4);
  return f;
}
inline void put(float* p, float x) { *p = x; }
inline void put(bf16* p, float x) {
  uint32_t b;
  std::memcpy(&b, &x, 4);
  p->bits = x != x ? static_cast<uint16_t>((b >> 16) | 0x40) : static_cast<uint16_t>((b + 0x7fff + ((b >> 16) & 1)) >> 16);
}

/// The first n < W elements; the rest read as 0 and are not written.
template <class T>
inline f32v loadPart(const T* p, int n) {
  T part[W] = {};
  std::memcpy(part, p, n * sizeof(T));
  return load(part);
}
template <class T>
inline void storePart(T* p, f32v v, int n) {
  T part[W];
  store(part, v);
  std::memcpy(p, part, n * sizeof(T));
}

inline f32v select(i32v mask, f32v yes, f32v no) { return (f32v)(((i32v)yes & mask) | ((i32v)no & ~mask)); }
inline f32v max(f32v a, f32v b) { return a > b ? a : b; }  // one instruction on x86; b when either is NaN
inline f32v min(f32v a, f32v b) { return a < b ? a : b; }

/// f(0) … f(N − 1) with constant arguments: arrays of vectors indexed by them live in registers.
template <int N, class F>
__attribute__((always_inline)) inline void unroll(F&& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
    (f(std::integral_constant<int, I>{}), ...);
  }(std::make_integer_sequence<int, N>{});
}

/// Lane i of the result is lane Index::at(i) of a (counted from 0) and b (counted from W).
template <class Index>
inline f32v shuffle(f32v a, f32v b) {
  return [&]<int... I>(std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(a, b, Index::at(I)...);
  }(std::make_integer_sequence<int, W>{});
}

/// Horizontal sums and maxima: a fixed tree, so that the order of additions is the same everywhere for one W.
template <int Half>
struct UpperHalf {
  static constexpr int at(int lane) { return (lane + Half) % W; }
};
template <int Half = W / 2>
inline float sum(f32v v) {
  v += shuffle<UpperHalf<Half>>(v, v);
  if constexpr (Half == 1)
    return v[0];
  else
    return sum<Half / 2>(v);
}
template <int Half = W / 2>
inline float maximum(f32v v) {
  v = max(v, shuffle<UpperHalf<Half>>(v, v));
  if constexpr (Half == 1)
    return v[0];
  else
    return maximum<Half / 2>(v);
}

/// r[i][j] ↔ r[j][i]: 4×4 blocks inside the 128-bit lanes, then the blocks.
template <int Stride, int Part>  // alternates runs of Stride elements from a and b, of the lower (Part 0) or upper half of each lane
struct Interleave {
  static constexpr int at(int i) { return i / 4 * 4 + 2 * Part + (Stride == 1 ? i % 4 / 2 : i % 2) + (i / Stride % 2 ? W : 0); }
};
template <int Size, int Part>  // block Part of each pair of blocks of a, then of b
struct Blocks {
  static constexpr int at(int i) { return (i & ~Size) + Part * Size + (i & Size ? W : 0); }
};
template <int Size = 4>
inline void transposeBlocks(f32v (&r)[W]) {
  if constexpr (Size < W) {
    unroll<W>([&](auto i) {
      if constexpr ((i & Size) == 0) {
        const f32v a = r[i], b = r[i + Size];
        r[i] = shuffle<Blocks<Size, 0>>(a, b);
        r[i + Size] = shuffle<Blocks<Size, 1>>(a, b);
      }
    });
    transposeBlocks<2 * Size>(r);
  }
}
inline void transpose(f32v (&r)[W]) {
  unroll<W / 4>([&](auto block) {
    f32v* q = r + 4 * block;
    const f32v a = shuffle<Interleave<1, 0>>(q[0], q[1]), b = shuffle<Interleave<1, 0>>(q[2], q[3]);
    const f32v c = shuffle<Interleave<1, 1>>(q[0], q[1]), d = shuffle<Interleave<1, 1>>(q[2], q[3]);
    q[0] = shuffle<Interleave<2, 0>>(a, b);
    q[1] = shuffle<Interleave<2, 1>>(a, b);
    q[2] = shuffle<Interleave<2, 0>>(c, d);
    q[3] = shuffle<Interleave<2, 1>>(c, d);
  });
  transposeBlocks(r);
}

/// Two neighbouring bf16 values, the first in the lower half: what the bf16 dot product instruction multiplies.
struct bf16Pair {
  uint32_t bits;
};
inline u32v load(const bf16Pair* p) {
  u32v v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline u32v splat(bf16Pair x) { return x.bits - u32v{}; }
/// sum + a₁b₁ + a₀b₀ over pairs, added in this order.
inline f32v dotPairs(u32v a, u32v b, f32v sum) {
#if defined(__AVX512BF16__) && AURORA_SIMD_WIDTH == 16
  return (f32v)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#else
  sum += (f32v)(a & 0xffff0000u) * (f32v)(b & 0xffff0000u);
  return sum + (f32v)(a << 16) * (f32v)(b << 16);
#endif
}
/// Whether matrix products of bf16 use pairs. Set for a test build without the instruction, whose logic it then runs.
#if defined(__AVX512BF16__) || defined(AURORA_BF16_PAIRS)
constexpr bool kBf16Pairs = true;
#else
constexpr bool kBf16Pairs = false;
#endif

inline f32v sqrt(f32v x) {
  f32v y;
  for (int i = 0; i < W; ++i) y[i] = __builtin_sqrtf(x[i]);
  return y;
}

/// All bits set in lanes 0 … n − 1.
inline i32v firstLanes(int n) {
  i32v lane;
  for (int i = 0; i < W; ++i) lane[i] = i;
  return (i32v)(lane < n);
}

/// a₀ b₀ a₁ b₁ …: the lower and the upper halves of a and b, interleaved.
template <int Upper>
struct Zip {
  static constexpr int at(int i) { return Upper * W / 2 + i / 2 + (i % 2 ? W : 0); }
};
inline f32v zipLow(f32v a, f32v b) { return shuffle<Zip<0>>(a, b); }
inline f32v zipHigh(f32v a, f32v b) { return shuffle<Zip<1>>(a, b); }

/// 64-bit products of the lower 32 bits of each lane.
inline u64v multiplyLowHalves(u64v a, u64v b) {
#if defined(__SSE2__) && defined(__GNUC__) && !defined(__clang__)
  // GCC makes full 64-bit products of the plain expression. Its builtins spare the slow <immintrin.h>.
#if defined(__AVX512F__)
  typedef int Half __attribute__((vector_size(64)));
  typedef long long Wide __attribute__((vector_size(64)));
  const auto multiply = [](Half x, Half y) { return __builtin_ia32_pmuludq512_mask(x, y, Wide{}, 0xff); };
#elif defined(__AVX2__)
  typedef int Half __attribute__((vector_size(32)));
  const auto multiply = [](Half x, Half y) { return __builtin_ia32_pmuludq256(x, y); };
#else
  typedef int Half __attribute__((vector_size(16)));
  const auto multiply = [](Half x, Half y) { return __builtin_ia32_pmuludq128(x, y); };
#endif
  constexpr int kParts = sizeof(u64v) / sizeof(Half);
  Half x[kParts], y[kParts];
  std::memcpy(x, &a, sizeof a);
  std::memcpy(y, &b, sizeof b);
  for (int i = 0; i < kParts; ++i) x[i] = (Half)multiply(x[i], y[i]);
  std::memcpy(&a, x, sizeof a);
  return a;
#else
  return (a & 0xffffffff) * (b & 0xffffffff);
#endif
}

}  // namespace aurora::cpu::AURORA_ISA
