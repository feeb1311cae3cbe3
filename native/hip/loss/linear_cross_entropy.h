// The language model's head by chunks of rows.
#pragma once

#include "hip/kernels.h"

namespace aurora::hip {

/// linearCrossEntropy with so many rows' logits at a time, ≥ 1. The result depends on the number by rounding only, and only in dweight.
void linearCrossEntropyByChunks(Context&, const LinearCrossEntropy&, int64_t chunkRows);

}  // namespace aurora::hip
