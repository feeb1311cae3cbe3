// Products by blocks of tiles: see tile_kernel.h.
#pragma once

#include "hip/gemm/epilogue.h"

namespace aurora::hip {

struct TilePlan {
  int size;        // of a block's part of c, 64 or 128
  bool wide;       // movesWide; false: 64
  int64_t slices;  // of k; with several, out takes their sums, one behind another, for another kernel to finish
};
/// T: of a and b. An activation only where k is contiguous in both, and they move wide.
template <class T>
void multiplyTiles(Context&, const Gemm&, const GemmOutput& out, const TilePlan&);
extern template void multiplyTiles<float>(Context&, const Gemm&, const GemmOutput&, const TilePlan&);
extern template void multiplyTiles<bf16>(Context&, const Gemm&, const GemmOutput&, const TilePlan&);

}  // namespace aurora::hip
