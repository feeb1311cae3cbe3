// Element types in and out: cast, and the copies between host memory and tensors.
#include <limits>

#include "cpu/elementwise/convert.h"
#include "cpu/elementwise/half.h"
#include "cpu/loops.h"

namespace aurora::cpu::AURORA_ISA {
namespace {

template <class T>
constexpr bool kIsFloat = !std::is_integral_v<T>;

/// Truncates and saturates; NaN becomes 0.
template <class Integer>
Integer toInteger(double x) {
  using Limits = std::numeric_limits<Integer>;
  if (x != x) return 0;
  return static_cast<Integer>(std::min<double>(Limits::max(), std::max<double>(Limits::min(), x)));
}

/// A float that rounds to every narrower float as x does. Beyond 24 bits the lower ones are folded into one sticky bit, lest the
/// value be rounded twice.
template <class To>
float toFloat(int32_t x) {
  if constexpr (!std::is_same_v<To, float>)
    if (x >= 1 << 24 || x <= -(1 << 24)) x = (x & ~0xff) | (x & 0xff ? 0x80 : 0);
  return static_cast<float>(x);
}

/// Elements begin … end − 1. The types are behind untyped pointers so that one loop over tasks serves all pairs.
template <class From, class To>
void convertRange(const void* from, void* to, int64_t begin, int64_t end) {
  const From* x = static_cast<const From*>(from) + begin;
  To* y = static_cast<To*>(to) + begin;
  const int64_t n = end - begin;
  if constexpr (kIsFloat<From> && kIsFloat<To>) {
    forVectors(0, n, [&](int64_t i, auto count) { store(y + i, load(x + i, count), count); });
  } else if constexpr (kIsFloat<From>) {
    forVectors(0, n, [&](int64_t i, auto count) {
      float values[W];
      store(values, load(x + i, count));
      for (int lane = 0; lane < count; ++lane) y[i + lane] = toInteger<To>(values[lane]);
    });
  } else if constexpr (kIsFloat<To>) {
    forVectors(0, n, [&](int64_t i, auto count) {
      float values[W] = {};
      for (int lane = 0; lane < count; ++lane) values[lane] = toFloat<To>(x[i + lane]);
      store(y + i, load(values), count);
    });
  } else {
    using Limits = std::numeric_limits<To>;
    for (int64_t i = 0; i < n; ++i)
      y[i] = static_cast<To>(std::min<int64_t>(Limits::max(), std::max<int64_t>(Limits::min(), x[i])));
  }
}

template <class Body>
void withWire(WireType type, Body&& body) {
  switch (type) {
    case WireType::f32: return body(float{});
    case WireType::bf16: return body(bf16{});
    case WireType::i32: return body(int32_t{});
    case WireType::u16: return body(uint16_t{});
    case WireType::u8: return body(uint8_t{});
    case WireType::f16: return body(f16{});
  }
}

constexpr WireType wire(DType type) { return static_cast<WireType>(type); }

}  // namespace

void convert(Context& context, const void* x, WireType from, void* y, WireType to, int64_t n) {
  if (from == to) {
    if (x == y) return;
    const int64_t bytes = n * static_cast<int64_t>(byteSize(from));
    forRanges(context, bytes, 4 * kGrain, [&](int64_t begin, int64_t end) {
      std::memcpy(static_cast<char*>(y) + begin, static_cast<const char*>(x) + begin, static_cast<size_t>(end - begin));
    });
    return;
  }
  void (*range)(const void*, void*, int64_t, int64_t) = nullptr;
  withWire(from, [&](auto source) {
    withWire(to, [&](auto target) { range = &convertRange<decltype(source), decltype(target)>; });
  });
  forRanges(context, n, kGrain, [&](int64_t begin, int64_t end) { range(x, y, begin, end); });
}

void convertScalar(double value, DType to, void* y) {
  switch (to) {
    case DType::f32: return put(static_cast<float*>(y), static_cast<float>(value));
    case DType::bf16: return put(static_cast<bf16*>(y), static_cast<float>(value));
    case DType::i32: *static_cast<int32_t*>(y) = toInteger<int32_t>(value); return;
    case DType::u16: *static_cast<uint16_t*>(y) = toInteger<uint16_t>(value); return;
    case DType::u8: *static_cast<uint8_t*>(y) = toInteger<uint8_t>(value); return;
  }
}

void cast(Context& context, const Cast& args) {
  convert(context, args.x.data, wire(args.x.dtype), args.y.data, wire(args.y.dtype), args.y.size());
}

void write(Context& context, const View& y, const void* host, WireType type) {
  convert(context, host, type, y.data, wire(y.dtype), y.size());
}

void read(Context& context, const View& x, void* host, WireType type) {
  convert(context, x.data, wire(x.dtype), host, type, x.size());
}

}  // namespace aurora::cpu::AURORA_ISA
