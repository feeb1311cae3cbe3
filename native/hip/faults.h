// Indices that only the data can show to be wrong: a kernel records the first of them in a word of device memory, which the stream looks
// at when it is synchronised.
#pragma once

#include "hip/portable/portable.h"

namespace aurora::hip {

/// Position and value of the bad index with the lowest position; kNoFault while there is none.
constexpr uint64_t kNoFault = ~uint64_t{0};

/// An argument of kernels; made by Context::indices.
struct Indices {
  const int32_t* values;
  int64_t size;          // of the table
  bool negativeAllowed;  // negative ones are no mistakes
  uint64_t* fault;

  /// The n-th index when it is inside the table, else something negative: the kernel leaves out what it would have touched.
  AURORA_DEVICE int32_t operator[](int64_t n) const {
    const int32_t index = values[n];
    if (index >= 0 && index < size) return index;
    if (index < 0 && negativeAllowed) return index;
    atomicMinimum(fault, static_cast<uint64_t>(n) << 32 | static_cast<uint32_t>(index));
    return INT32_MIN;
  }
};

}  // namespace aurora::hip
