// What the kernels that pass once over memory share: cutting work into tasks, the choice of an element type, and loops over vectors.
#pragma once

#include <algorithm>
#include <type_traits>

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace aurora::cpu::AURORA_ISA {

/// Elements of a task: large enough to outweigh handing it out, small enough to balance. A multiple of every vector step.
constexpr int64_t kGrain = 16384;

/// Calls body(begin, end) over [0, n), cut every `grain` whatever the number of threads; a single piece does not wake the pool.
template <class Body>
inline void forRanges(Context& context, int64_t n, int64_t grain, Body&& body) {
  // Not inlined, lest every kernel be compiled twice.
  const auto piece = [&](int64_t task, int) __attribute__((noinline)) { body(task * grain, std::min(n, (task + 1) * grain)); };
  const int64_t tasks = (n + grain - 1) / grain;
  if (tasks == 1)
    piece(0, 0);
  else if (tasks > 1)
    context.pool.parallel(tasks, piece);
}

/// Rows of a task when each has `width` elements.
inline int64_t rowGrain(int64_t width) { return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, width)); }

/// Calls body with a value of the C++ type of a float dtype.
template <class Body>
inline void withFloat(DType type, Body&& body) {
  if (type == DType::f32)
    body(float{});
  else
    body(bf16{});
}

/// A whole vector's number of elements, known when compiling; a tail's is an int.
using Whole = std::integral_constant<int, W>;
template <class T>
inline f32v load(const T* p, Whole) {
  return load(p);
}
template <class T>
inline f32v load(const T* p, int count) {
  return loadPart(p, count);
}
template <class T>
inline void store(T* p, f32v v, Whole) {
  store(p, v);
}
template <class T>
inline void store(T* p, f32v v, int count) {
  storePart(p, v, count);
}

/// Calls body(i, count) for i = begin, begin + W, …; count elements from i on, to be given to load and store.
template <class Body>
inline void forVectors(int64_t begin, int64_t end, Body&& body) {
  int64_t i = begin;
  for (; i + W <= end; i += W) body(i, Whole{});
  if (i < end) body(i, static_cast<int>(end - i));
}

/// Σ term(i, count) over all lanes, by four accumulators in a fixed order. In a tail the lanes from count on are left out.
template <class Term>
inline float sumVectors(int64_t n, Term&& term) {
  f32v a{}, b{}, c{}, d{};
  int64_t i = 0;
  for (; i + 4 * W <= n; i += 4 * W) {
    a += term(i, Whole{});
    b += term(i + W, Whole{});
    c += term(i + 2 * W, Whole{});
    d += term(i + 3 * W, Whole{});
  }
  for (; i + W <= n; i += W) a += term(i, Whole{});
  if (i < n) {
    const int count = static_cast<int>(n - i);
    b += select(firstLanes(count), term(i, count), f32v{});
  }
  return sum((a + b) + (c + d));
}

}  // namespace aurora::cpu::AURORA_ISA
