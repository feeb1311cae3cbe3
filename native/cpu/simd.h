// The one portable SIMD layer, on the compilers' vector extensions (GCC, Clang): the same source becomes SSE2, AVX2, AVX-512 or
// NEON by the flags it is compiled with. Arithmetic is written with operators; a·b + c contracts to one fused multiply-add where
// the machine has it (-ffp-contract=fast). AURORA_SIMD_WIDTH (floats) may be set wider than the machine's registers: a test runs the
// 16-wide code that way on machines without AVX-512.
#pragma once

#include <cstdint>
#include <cstring>

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

inline f32v load(const bf16* p) {
  u16v h;
  std::memcpy(&h, p, sizeof h);
  return (f32v)(__builtin_convertvector(h, u32v) << 16);
}
/// Rounds to nearest even; NaN stays NaN.
inline void store(bf16* p, f32v v) {
  const u32v b = (u32v)v;
  u32v rounded = (b + 0x7fff + ((b >> 16) & 1)) >> 16;
  const i32v nan = (i32v)(v != v);
  rounded = ((u32v)~nan & rounded) | ((u32v)nan & ((b >> 16) | 0x40));
  const u16v h = __builtin_convertvector(rounded, u16v);
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

/// Horizontal sums and maxima: a fixed tree, so that the order of additions is the same everywhere for one W.
inline float sum(f32v v) {
  float x[W];
  store(x, v);
  for (int half = W / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) x[i] += x[i + half];
  return x[0];
}
inline float maximum(f32v v) {
  float x[W];
  store(x, v);
  for (int half = W / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) x[i] = x[i] > x[i + half] ? x[i] : x[i + half];
  return x[0];
}

}  // namespace aurora::cpu::AURORA_ISA
