// Element types. Storage knows bytes; everything above it knows one of these five.
#pragma once

#include <cstddef>
#include <cstdint>

namespace aurora {

/// The numbering is part of the JavaScript contract (src/native.ts mirrors it).
enum class DType : uint8_t { f32 = 0, bf16 = 1, i32 = 2, u16 = 3, u8 = 4 };
constexpr int kDTypeCount = 5;

/// How bytes handed in from outside (files, typed arrays) are encoded: every DType, and IEEE half, which only ever
/// occurs in files. Same numbering as DType.
enum class WireType : uint8_t { f32 = 0, bf16 = 1, i32 = 2, u16 = 3, u8 = 4, f16 = 5 };
constexpr int kWireTypeCount = 6;

constexpr size_t byteSize(DType type) {
  constexpr size_t sizes[] = {4, 2, 4, 2, 1};
  return sizes[static_cast<int>(type)];
}
constexpr size_t byteSize(WireType type) {
  constexpr size_t sizes[] = {4, 2, 4, 2, 1, 2};
  return sizes[static_cast<int>(type)];
}
constexpr const char* name(DType type) {
  constexpr const char* names[] = {"f32", "bf16", "i32", "u16", "u8"};
  return names[static_cast<int>(type)];
}
constexpr bool isFloat(DType type) { return type == DType::f32 || type == DType::bf16; }

/// A bf16 value: the upper half of an IEEE single. Arithmetic is done in float; this type only stores.
struct bf16 {
  uint16_t bits;
};
static_assert(sizeof(bf16) == 2);

}  // namespace aurora
