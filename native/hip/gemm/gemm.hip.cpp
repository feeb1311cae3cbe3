// The choice among the vendor's library and the built-in kernels, and the sum over slices of k.
#include "hip/gemm/gemm.h"

#include <algorithm>

#include "core/error.h"
#include "hip/gemm/thin.h"
#include "hip/gemm/tile.h"
#include "hip/portable/mma_strip.h"

namespace aurora::hip {
namespace {

constexpr int kThreads = 256;
constexpr int kRun = 4;

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t depthOf(const Gemm& gemm) { return kStripBytes / static_cast<int64_t>(byteSize(gemm.input)); }

/// c = the slices' sums [slices, rows, columns], added in order and finished.
template <class T>
AURORA_KERNEL(kThreads) void sumSlicesKernel(const float* slices, int64_t count, GemmOutput out) {
  const int64_t size = out.rows * out.columns;
  withEpilogue<T, true>(out, [&](auto type, auto activation) {
    forGridRuns<kRun>(size, out.wide && out.columns % kRun == 0, [&](int64_t i, auto run) {
      auto sums = loadRun<run.value>(slices + i);
      for (int64_t slice = 1; slice < count; ++slice) {
        const auto more = loadRun<run.value>(slices + slice * size + i);
        AURORA_UNROLL
        for (int j = 0; j < run.value; ++j) sums.values[j] += more.values[j];
      }
      finishRun<decltype(type), static_cast<Activation>(activation.value), run.value>(out, i / out.columns, i % out.columns, sums.values);
    });
  });
}

template <class T>
AURORA_KERNEL(kThreads) void broadcastRowsKernel(const T* x, T* y, int64_t yStride, int64_t rows, int64_t columns) {
  forGrid(rows * columns, [&](int64_t i) { y[i / columns * yStride + i % columns] = x[i % columns]; });
}

GemmOutput outputOf(const Gemm& gemm, const Epilogue& epilogue) {
  const bool activated = epilogue.activation != Activation::none;
  GemmOutput out{.c = gemm.c, .stride = gemm.cStride, .rows = gemm.m, .columns = gemm.n, .alpha = gemm.alpha, .beta = gemm.beta};
  out.bias = epilogue.bias;
  out.activation = epilogue.activation;
  out.preactivation = activated ? epilogue.preactivation : nullptr;
  out.f32 = gemm.output == DType::f32;
  const auto wide = [&](const void* p) { return reinterpret_cast<uintptr_t>(p) % (kRun * byteSize(gemm.output)) == 0; };
  out.wide = out.stride % kRun == 0 && wide(out.c) && wide(out.bias) && wide(out.preactivation);
  return out;
}

}  // namespace

bool movesWide(const Gemm& gemm) {
  const auto size = static_cast<int64_t>(byteSize(gemm.input));
  const auto moves = [&](const void* data, int64_t stride, bool alongK, int64_t outers) {
    const int64_t piece = alongK ? 16 : 8;
    const bool rowsMove = reinterpret_cast<uintptr_t>(data) % static_cast<uint64_t>(piece) == 0 && stride * size % piece == 0;
    return rowsMove && (alongK || outers * size % piece == 0);
  };
  return moves(gemm.a, gemm.aStride, !gemm.aTransposed, gemm.m) && moves(gemm.b, gemm.bStride, gemm.bTransposed, gemm.n);
}

bool suits(GemmKernel kernel, const Gemm& gemm) {
  switch (kernel) {
    case GemmKernel::thin: return gemm.m <= kThinRows && !gemm.aTransposed && gemm.bTransposed && movesWide(gemm);
    case GemmKernel::tile64: return true;
    case GemmKernel::tile128: return movesWide(gemm);
  }
  return false;
}

GemmPlan planGemm(const DeviceProperties& device, const Gemm& gemm) {
  if (suits(GemmKernel::thin, gemm)) return {GemmKernel::thin, 1};
  // In clocks of an MI250X; other devices differ less in these proportions than shapes do.
  constexpr double kStep128 = 1024, kStep64 = kStep128 / 4 * 1.3;  // one step of a block on a whole CU; small tiles are slower for their size
  constexpr double kAround = 6;                                    // steps that a block's start and end cost
  constexpr double kBytes = 1000, kLaunch = 8000;                  // memory's bytes in a clock; a second kernel
  constexpr int64_t kMostSlices = 64, kLeastSteps = 8, kMostBytes = int64_t{256} << 20;
  const double work = gemm.input == DType::f32 ? 2 : 1;  // f32: half as deep a step takes twice as long
  const int64_t steps = ceilDiv(gemm.k, depthOf(gemm)), units = std::max(1, device.computeUnits);
  GemmPlan best{GemmKernel::tile64, 1};
  double least = -1;
  for (const auto& [kernel, size, step] : {std::tuple{GemmKernel::tile128, 128, kStep128}, std::tuple{GemmKernel::tile64, 64, kStep64}}) {
    if (!suits(kernel, gemm)) continue;
    const int64_t tiles = ceilDiv(gemm.m, size) * ceilDiv(gemm.n, size);
    for (int64_t slices = 1; slices <= kMostSlices; slices *= 2) {
      const int64_t stepsOfSlice = ceilDiv(steps, slices);
      const double bytes = static_cast<double>(gemm.m) * static_cast<double>(gemm.n) * sizeof(float) * static_cast<double>(slices);
      if (slices > 1 && (stepsOfSlice < kLeastSteps || bytes > static_cast<double>(kMostBytes))) break;
      const double rounds = static_cast<double>(ceilDiv(tiles * slices, units));
      const double time = rounds * (static_cast<double>(stepsOfSlice) + kAround) * step * work + (slices > 1 ? kLaunch + 2 * bytes / kBytes : 0);
      if (least >= 0 && time >= least) continue;
      least = time;
      best = {kernel, ceilDiv(steps, stepsOfSlice)};
    }
  }
  return best;
}

void builtinGemm(Context& context, const Gemm& gemm, const Epilogue& epilogue, const GemmPlan& plan) {
  if (gemm.aTransposed && gemm.bTransposed) throw Error(code::kNotSupported, context.operation, "at most one transposed operand", "two");
  const GemmOutput out = outputOf(gemm, epilogue);
  const auto multiply = [&](auto type) {
    using T = decltype(type);
    if (plan.kernel == GemmKernel::thin) return multiplyThin<T>(context, gemm, out);
    const TilePlan tiles{plan.kernel == GemmKernel::tile128 ? 128 : 64, movesWide(gemm), plan.slices};
    // Of the tile kernels only the one for linear layers has activations; the sum of slices has them all.
    const bool finishes = out.activation == Activation::none || (!gemm.aTransposed && gemm.bTransposed && tiles.wide);
    if (tiles.slices == 1 && finishes) return multiplyTiles<T>(context, gemm, out, tiles);
    const int64_t size = gemm.m * gemm.n;
    float* const sums = context.scratch<float>(kGemmScratch, tiles.slices * size);
    multiplyTiles<T>(context, gemm, {.c = sums, .stride = gemm.n, .rows = gemm.m, .columns = gemm.n, .wide = gemm.n % kRun == 0}, tiles);
    launch<sumSlicesKernel<T>>(context.queue, blocksFor(size, kThreads * kRun), kThreads, 0, sums, tiles.slices, out);
  };
  withFloat(gemm.input, multiply);
}

bool vendorPays(const Gemm& gemm, const Epilogue& epilogue) { return epilogue.activation == Activation::none && gemm.m > kThinRows; }

void broadcastRows(Context& context, DType type, const void* x, void* y, int64_t yStride, int64_t rows, int64_t columns) {
  withFloat(type, [&](auto zero) {
    using T = decltype(zero);
    const Grid blocks = blocksFor(rows * columns, kThreads);
    launch<broadcastRowsKernel<T>>(context.queue, blocks, kThreads, 0, static_cast<const T*>(x), static_cast<T*>(y), yStride, rows, columns);
  });
}

void gemm(Context& context, const Gemm& gemm, const Epilogue& epilogue) {
  if (gemm.m == 0 || gemm.n == 0) return;
  if (vendorPays(gemm, epilogue) && vendorFound()) {
    Gemm product = gemm;
    product.bias = epilogue.bias;
    if (context.gemm(product)) return;
    if (product.bias && product.beta == 0) {
      // A bias that is there first is added before rounding, too.
      broadcastRows(context, gemm.output, epilogue.bias, gemm.c, gemm.cStride, gemm.m, gemm.n);
      product.bias = nullptr;
      product.beta = 1;
      if (context.gemm(product)) return;
    }
  }
  const auto run = [&](const Gemm& part, const Epilogue& its) { builtinGemm(context, part, its, planGemm(context.device, part)); };
  // Rows of a transposed operand that do not move in pieces because its rows end in the middle of one: but for that end they do.
  Gemm body = gemm;
  if (gemm.aTransposed) body.m -= gemm.m % kRun;
  if (body.m == 0 || body.m == gemm.m || !movesWide(body)) return run(gemm, epilogue);
  const auto below = [&](const void* p, int64_t elements, DType type) {
    return p ? const_cast<std::byte*>(static_cast<const std::byte*>(p)) + elements * static_cast<int64_t>(byteSize(type)) : nullptr;
  };
  Gemm end = gemm;
  end.m = gemm.m - body.m;
  end.a = below(gemm.a, body.m, gemm.input);
  end.c = below(gemm.c, body.m * gemm.cStride, gemm.output);
  Epilogue endEpilogue = epilogue;
  endEpilogue.preactivation = below(epilogue.preactivation, body.m * gemm.cStride, gemm.output);
  run(body, epilogue);
  run(end, endEpilogue);
}

}  // namespace aurora::hip
