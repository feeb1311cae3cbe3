// The arithmetic of reductions.
#pragma once

#include "comm/communicator.h"

namespace aurora::comm {

/// y[i] = the reduction of parts[0][i], parts[1][i], …, in this order, over `count` elements. y may be one of the parts.
void reduce(DType dtype, Reduction reduction, const void* const* parts, int size, void* y, size_t count);

}  // namespace aurora::comm
