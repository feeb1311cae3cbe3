// The norm of a flat buffer: f64 sums of fixed blocks, then the sum of these.
#include <algorithm>

#include "hip/kernels.h"

namespace aurora::hip {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kLeast = 1 << 14, kMostBlocks = 2048;  // elements of a block, blocks

AURORA_KERNEL(kThreads) void sumSquaresKernel(const float* x, int64_t n, double* sums) {
  double total = 0;
  forGridRuns<kWide<float>>(n, aligned<16>(x), [&](int64_t i, auto count) {
    const auto run = loadRun<count.value>(x + i);
    AURORA_UNROLL
    for (int j = 0; j < count.value; ++j) total += static_cast<double>(run.values[j]) * static_cast<double>(run.values[j]);
  });
  total = blockSum(total, sharedMemory<double>());
  if (threadIndex() == 0) sums[blockX()] = total;
}

AURORA_KERNEL(kThreads) void rootOfSumKernel(const double* sums, int64_t count, float* out) {
  double total = 0;
  forBlock(count, [&](int64_t i) { total += sums[i]; });
  total = blockSum(total, sharedMemory<double>());
  if (threadIndex() == 0) *out = static_cast<float>(sqrt(total));
}

}  // namespace

void l2Norm(Context& context, const L2Norm& args) {
  const int64_t n = args.x.size();
  const Grid blocks = blocksFor(n, kLeast, kMostBlocks);
  double* const sums = context.scratch<double>(0, std::max<int64_t>(1, blocks.x));
  const size_t shared = kThreads / kWave * sizeof(double);
  launch<sumSquaresKernel>(context.queue, blocks, kThreads, shared, args.x.as<float>(), n, sums);
  launch<rootOfSumKernel>(context.queue, 1, kThreads, shared, sums, int64_t{blocks.x}, args.out.as<float>());
}

}  // namespace aurora::hip
