// Element types in and out: cast, fill, and the conversions of write and read.
#include <algorithm>
#include <type_traits>

#include "hip/elementwise/half.h"
#include "hip/kernels.h"

namespace aurora::hip {
namespace {

constexpr int kThreads = 256;
constexpr int kStep = 4;

template <class T>
constexpr bool kIsFloat = !std::is_integral_v<T>;
template <class T>
constexpr int64_t kLowest = std::is_same_v<T, int32_t> ? INT32_MIN : 0;
template <class T>
constexpr int64_t kHighest = std::is_same_v<T, int32_t> ? INT32_MAX : std::is_same_v<T, uint16_t> ? 65535 : 255;

/// The rules of Cast: to a float, to nearest even; to an integer, truncated and saturated, NaN becomes 0.
template <class To, class From>
AURORA_DEVICE To convertOne(From x) {
  if constexpr (kIsFloat<From> && kIsFloat<To>) {
    return fromFloat<To>(toFloat(x));
  } else if constexpr (kIsFloat<From>) {
    const double value = toFloat(x);
    if (value != value) return 0;
    if (value <= static_cast<double>(kLowest<To>)) return static_cast<To>(kLowest<To>);
    if (value >= static_cast<double>(kHighest<To>)) return static_cast<To>(kHighest<To>);
    return static_cast<To>(static_cast<int64_t>(value));
  } else if constexpr (kIsFloat<To>) {
    int32_t value = x;
    // Beyond 24 bits the lower ones are folded into one sticky bit, lest the value be rounded twice.
    if constexpr (!std::is_same_v<To, float>)
      if (value >= 1 << 24 || value <= -(1 << 24)) value = (value & ~0xff) | (value & 0xff ? 0x80 : 0);
    return fromFloat<To>(static_cast<float>(value));
  } else {
    const int64_t value = x;
    return static_cast<To>(value < kLowest<To> ? kLowest<To> : value > kHighest<To> ? kHighest<To> : value);
  }
}

template <class From, class To>
AURORA_KERNEL(kThreads) void convertKernel(const From* x, To* y, int64_t n) {
  const bool whole = aligned<kStep * sizeof(From)>(x) && aligned<kStep * sizeof(To)>(y);
  forGridRuns<kStep>(n, whole, [&](int64_t i, auto count) {
    const auto from = loadRun<count.value>(x + i);
    Run<count.value, To> to;
    for (int j = 0; j < count.value; ++j) to.values[j] = convertOne<To>(from.values[j]);
    storeRun(y + i, to);
  });
}

template <class T>
AURORA_KERNEL(kThreads) void fillKernel(T* y, T value, int64_t n) {
  constexpr int step = kWide<T>;
  forGridRuns<step>(n, aligned<16>(y), [&](int64_t i, auto count) {
    Run<count.value, T> run;
    for (T& element : run.values) element = value;
    storeRun(y + i, run);
  });
}

/// As convertOne, from a double: an integer may be any that f32 does not hold.
template <class T>
T scalar(double value) {
  if constexpr (kIsFloat<T>) {
    return fromFloat<T>(static_cast<float>(value));
  } else {
    if (value != value) return 0;
    return static_cast<T>(std::min<double>(static_cast<double>(kHighest<T>), std::max<double>(static_cast<double>(kLowest<T>), value)));
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

}  // namespace

void convert(Context& context, const void* x, WireType from, void* y, WireType to, int64_t n) {
  if (from == to) {
    if (x != y && n > 0) runtime::copyOnDevice(context.queue, y, x, static_cast<size_t>(n) * byteSize(from));
    return;
  }
  withWire(from, [&](auto source) {
    withWire(to, [&](auto target) {
      using From = decltype(source);
      using To = decltype(target);
      if constexpr (!std::is_same_v<From, To>)
        launch<convertKernel<From, To>>(context.queue, blocksFor(n, kThreads * kStep), kThreads, 0, static_cast<const From*>(x), static_cast<To*>(y), n);
    });
  });
}

void cast(Context& context, const Cast& args) {
  convert(context, args.x.data, static_cast<WireType>(args.x.dtype), args.y.data, static_cast<WireType>(args.y.dtype), args.y.size());
}

void fill(Context& context, const Fill& args) {
  withWire(static_cast<WireType>(args.y.dtype), [&](auto type) {
    using T = decltype(type);
    if constexpr (!std::is_same_v<T, f16>)
      launch<fillKernel<T>>(context.queue, blocksFor(args.y.size(), kThreads * kWide<T>), kThreads, 0, args.y.as<T>(), scalar<T>(args.value), args.y.size());
  });
}

}  // namespace aurora::hip
