// Products of f32, in a file of their own because they take long to compile.
#include "hip/gemm/tile_kernel.h"

namespace aurora::hip {
template void multiplyTiles<float>(Context&, const Gemm&, const GemmOutput&, const TilePlan&);
}  // namespace aurora::hip
