// Shape and View: what an operation sees of a tensor. All tensors are contiguous and row-major; a view owns nothing.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "core/dtype.h"

namespace aurora {

constexpr int kMaxRank = 4;
/// Sizes above this are refused at the door, so that no product of dimensions can overflow int64.
constexpr int64_t kMaxElements = int64_t{1} << 40;

struct Shape {
  std::array<int64_t, kMaxRank> dims{};
  int rank = 0;

  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes) {
    for (int64_t size : sizes) dims[rank++] = size;
  }
  int64_t operator[](int axis) const { return dims[axis]; }
  int64_t size() const {
    int64_t product = 1;
    for (int i = 0; i < rank; ++i) product *= dims[i];
    return product;
  }
  bool operator==(const Shape& other) const {
    if (rank != other.rank) return false;
    for (int i = 0; i < rank; ++i)
      if (dims[i] != other.dims[i]) return false;
    return true;
  }
  /// "[3, 64]"
  std::string text() const {
    std::string out = "[";
    for (int i = 0; i < rank; ++i) out += (i ? ", " : "") + std::to_string(dims[i]);
    return out + "]";
  }
};

/// `data` is null for an optional tensor that was not given; `if (view)` asks.
struct View {
  void* data = nullptr;
  DType dtype = DType::f32;
  Shape shape;

  explicit operator bool() const { return data != nullptr; }
  int64_t size() const { return shape.size(); }
  size_t bytes() const { return static_cast<size_t>(size()) * byteSize(dtype); }
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

}  // namespace aurora
