#include "comm/gloo/reduce.h"

#include <algorithm>
#include <cstring>

namespace aurora::comm {
namespace {

constexpr size_t kBlock = 512;  // of sums, which stay in the L1 cache

float toFloat(bf16 x) {
  const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
  float y;
  std::memcpy(&y, &bits, sizeof y);
  return y;
}

/// Rounded to nearest even; a NaN stays one.
bf16 toBf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  return {static_cast<uint16_t>(x == x ? rounded : (bits >> 16) | 0x40)};
}

template <class T>
struct Element {  // f32 and i32; integers are summed unsigned, where overflow is defined
  using Sum = T;
  static Sum load(T x) { return x; }
  static T store(Sum x) { return x; }
};
template <>
struct Element<bf16> {
  using Sum = float;
  static Sum load(bf16 x) { return toFloat(x); }
  static bf16 store(Sum x) { return toBf16(x); }
};

struct Sum {
  template <class T>
  static T apply(T a, T b) {
    return a + b;
  }
};
struct Maximum {
  static float apply(float a, float b) { return b > a || b != b ? b : a; }
  static uint32_t apply(uint32_t a, uint32_t b) { return static_cast<int32_t>(b) > static_cast<int32_t>(a) ? b : a; }
};

template <class T, class Reducer>
void run(const void* const* parts, int size, void* y, size_t count) {
  using E = Element<T>;
  typename E::Sum sums[kBlock];
  for (size_t start = 0; start < count; start += kBlock) {
    const size_t n = std::min(kBlock, count - start);
    const T* first = static_cast<const T*>(parts[0]) + start;
    for (size_t i = 0; i < n; ++i) sums[i] = E::load(first[i]);
    for (int part = 1; part < size; ++part) {
      const T* next = static_cast<const T*>(parts[part]) + start;
      for (size_t i = 0; i < n; ++i) sums[i] = Reducer::apply(sums[i], E::load(next[i]));
    }
    T* out = static_cast<T*>(y) + start;
    for (size_t i = 0; i < n; ++i) out[i] = E::store(sums[i]);
  }
}

template <class Reducer>
void run(DType dtype, const void* const* parts, int size, void* y, size_t count) {
  if (dtype == DType::f32) return run<float, Reducer>(parts, size, y, count);
  if (dtype == DType::bf16) return run<bf16, Reducer>(parts, size, y, count);
  run<uint32_t, Reducer>(parts, size, y, count);
}

}  // namespace

// With the widest vectors that the machine has: rounding to bf16 is much arithmetic for two bytes.
#if defined(__x86_64__) && defined(__GLIBC__)
__attribute__((flatten, target_clones("avx512f", "avx2", "default")))
#endif
void reduce(DType dtype, Reduction reduction, const void* const* parts, int size, void* y, size_t count) {
  if (reduction == Reduction::sum)
    run<Sum>(dtype, parts, size, y, count);
  else
    run<Maximum>(dtype, parts, size, y, count);
}

}  // namespace aurora::comm
