// Tensors for kernel tests: filled with fresh random numbers, read by references as float64; and one way to run an operation with every
// kernel set and two sizes of thread pool.
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "check.h"
#include "kernel_sets.h"

namespace aurora::test {

inline std::mt19937_64 engine = randomEngine();

/// A random integer in [low, high].
inline int64_t between(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(engine); }

/// A tensor with memory of its own, in any dtype.
struct Numbers {
  DType dtype;
  Shape shape;
  std::vector<uint8_t> bytes;

  /// Filled with bytes that are NaN as floats, so that an element never written shows.
  Numbers(DType type, Shape sizes) : dtype(type), shape(sizes), bytes(sizes.size() * byteSize(type), 0xff) {}

  static Numbers normal(DType type, Shape sizes, double mean = 0, double std = 1) {
    std::normal_distribution<double> distribution(mean, std);
    return make(type, sizes, [&](int64_t) { return distribution(engine); });
  }
  static Numbers filled(DType type, Shape sizes, double value) {
    return make(type, sizes, [&](int64_t) { return value; });
  }
  /// Random i32 in [0, n).
  static Numbers indices(Shape sizes, int64_t n) {
    return make(DType::i32, sizes, [&](int64_t) { return static_cast<double>(between(0, n - 1)); });
  }
  static Numbers make(DType type, Shape sizes, const std::function<double(int64_t)>& value) {
    Numbers numbers(type, sizes);
    for (int64_t i = 0; i < sizes.size(); ++i) numbers.set(i, value(i));
    return numbers;
  }

  View view() { return {bytes.data(), dtype, shape}; }
  int64_t size() const { return shape.size(); }
  bool operator==(const Numbers& other) const { return bytes == other.bytes; }

  double operator[](int64_t i) const {
    const auto bits = [&](auto zero) {
      std::memcpy(&zero, bytes.data() + i * sizeof zero, sizeof zero);
      return zero;
    };
    switch (dtype) {
      case DType::f32: return bits(0.0f);
      case DType::bf16: {
        const uint32_t upper = uint32_t{bits(uint16_t{})} << 16;
        float value;
        std::memcpy(&value, &upper, 4);
        return value;
      }
      case DType::i32: return bits(int32_t{});
      case DType::u16: return bits(uint16_t{});
      case DType::u8: return bits(uint8_t{});
    }
    return 0;
  }
  void set(int64_t i, double x) {
    const auto put = [&](auto value) { std::memcpy(bytes.data() + i * sizeof value, &value, sizeof value); };
    switch (dtype) {
      case DType::f32: return put(static_cast<float>(x));
      case DType::bf16: {
        const float value = static_cast<float>(x);
        uint32_t bits;
        std::memcpy(&bits, &value, 4);
        return put(static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16));
      }
      case DType::i32: return put(static_cast<int32_t>(x));
      case DType::u16: return put(static_cast<uint16_t>(x));
      case DType::u8: return put(static_cast<uint8_t>(x));
    }
  }
};

inline RandomKey randomKey() {
  const auto word = [] { return static_cast<uint32_t>(engine()); };
  return {{word(), word()}, {word(), word()}};
}

/// |found − expected| ≤ tolerance · scale, plus the half unit in the last place that rounding to bf16 costs.
inline bool near(const Numbers& found, int64_t i, double expected, double tolerance, double scale = 1) {
  const double rounding = found.dtype == DType::bf16 ? std::fabs(expected) * 0x1p-8 : 0;
  return std::fabs(found[i] - expected) <= tolerance * scale + rounding;
}

/// Checks every element of `found` against expected(i).
inline void checkAll(const Numbers& found, const std::function<double(int64_t)>& expected, double tolerance, const std::string& what) {
  for (int64_t i = 0; i < found.size(); ++i) {
    if (near(found, i, expected(i), tolerance)) continue;
    return check(false, what + ": element " + std::to_string(i) + " of " + found.shape.text() + " is " + std::to_string(found[i]) +
                            ", expected " + std::to_string(expected(i)));
  }
}

/// Runs an operation with every kernel set, with one thread and with two. `run` makes fresh outputs, calls the kernel and returns them; the two
/// must be equal bit for bit. `verify` then sees them once for each set.
using Outputs = std::vector<Numbers>;
inline void onEverySet(const std::string& what, const std::function<Outputs(const cpu::KernelTable&, cpu::Context&)>& run,
                       const std::function<void(const Outputs&, const std::string& what)>& verify) {
  static Workbench one(1), two(2);
  for (const cpu::KernelTable* kernels : kernelSets()) {
    const std::string name = what + ", " + kernels->instructionSet;
    cpu::Context first = one.context(what.c_str()), second = two.context(what.c_str());
    const Outputs outputs = run(*kernels, first);
    check(outputs == run(*kernels, second), name + ": one thread and two give equal results");
    for (Workbench* bench : {&one, &two}) {
      const auto error = bench->stream.takeError();
      check(!error, name + ": no failure" + (error ? ", found " + error->found : ""));
    }
    verify(outputs, name);
  }
}

constexpr DType kFloats[] = {DType::f32, DType::bf16};

}  // namespace aurora::test
