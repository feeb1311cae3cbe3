// The words in which native/core/ops.cpp states what an operation expects.
#pragma once

#include <cmath>
#include <cstdio>
#include <limits>
#include <string>
#include <utility>

#include "core/backend.h"
#include "core/error.h"

namespace aurora {

inline constexpr int64_t kMostRows = std::numeric_limits<int32_t>::max();  // row numbers are i32
inline constexpr int64_t kMostHeads = 65536;
inline constexpr int64_t kWidest = 256, kWidthStep = 8;

/// `shape("bias", a.bias, {f}, "[F]")` reads "bias has shape [F] = [f]". A view that is not given passes.
class Rules {
 public:
  explicit Rules(const char* operation) : operation_(operation) {}

  [[noreturn]] void fail(const char* code, std::string expected, std::string found, std::string hint = "") const {
    throw Error(code, operation_, std::move(expected), std::move(found), std::move(hint));
  }

  void rank(const char* name, const View& x, int rank, const char* letters) const {
    if (x && x.shape.rank != rank) fail(code::kShape, std::string(name) + " of shape " + letters, x.shape.text());
  }
  void shape(const char* name, const View& x, const Shape& expected, const char* letters) const {
    if (x && !(x.shape == expected))
      fail(code::kShape, std::string(name) + " of shape " + letters + " = " + expected.text(), x.shape.text());
  }
  void size(const char* name, const View& x, int64_t expected, const char* as) const {
    if (x && x.size() != expected)
      fail(code::kShape, std::string(name) + " with as many elements as " + as + ", " + std::to_string(expected), x.shape.text());
  }
  void notEmpty(const char* letter, int64_t size) const {
    if (size < 1) fail(code::kShape, std::string(letter) + " of at least 1", std::to_string(size));
  }
  void rows(const char* letter, int64_t size) const {
    if (size > kMostRows) fail(code::kShape, std::string(letter) + " below 2^31", std::to_string(size));
  }

  void dtype(const char* name, const View& x, DType expected) const {
    if (x && x.dtype != expected) fail(code::kDType, std::string(name) + " of dtype " + aurora::name(expected), aurora::name(x.dtype));
  }
  void floating(const char* name, const View& x) const {
    if (x && !isFloat(x.dtype)) fail(code::kDType, std::string(name) + " of dtype f32 or bf16", aurora::name(x.dtype));
  }
  void like(const char* name, const View& x, const char* otherName, const View& other) const {
    if (x && x.dtype != other.dtype)
      fail(code::kDType, std::string(name) + " of " + otherName + "'s dtype, " + aurora::name(other.dtype), aurora::name(x.dtype));
  }

  /// Finite, and small enough to be computed with in f32.
  void number(const char* name, double x) const {
    if (!(std::fabs(x) <= std::numeric_limits<float>::max())) fail(code::kInvalidArgument, std::string("a finite ") + name, text(x));
  }
  void between(const char* name, double x, double low, double high) const {
    number(name, x);
    if (x < low || x > high)
      fail(code::kInvalidArgument, std::string(name) + " from " + text(low) + (high < kHuge ? " to " + text(high) : " up"), text(x));
  }
  /// [0, 1)
  void fraction(const char* name, double x) const {
    number(name, x);
    // In f32, too: 1 − 1e-9 would round to 1.
    if (x < 0 || static_cast<float>(x) >= 1) fail(code::kInvalidArgument, std::string(name) + " in [0, 1)", text(x));
  }
  static constexpr double kHuge = std::numeric_limits<float>::max();

  void layout(const HeadLayout& l) const {
    if (l.heads < 1 || l.heads > kMostHeads) fail(code::kInvalidArgument, "heads from 1 to " + std::to_string(kMostHeads), std::to_string(l.heads));
    if (l.keyHeads != 1 && l.keyHeads != l.heads)
      fail(code::kInvalidArgument, "key heads 1 (multi-query) or " + std::to_string(l.heads) + " (multi-head)", std::to_string(l.keyHeads));
    if (l.width < kWidthStep || l.width > kWidest || l.width % kWidthStep != 0)
      fail(code::kInvalidArgument, "a head width that is a multiple of 8, from 8 to 256", std::to_string(l.width));
  }

 private:
  static std::string text(double x) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%g", x);
    return buffer;
  }

  const char* operation_;
};

}  // namespace aurora
