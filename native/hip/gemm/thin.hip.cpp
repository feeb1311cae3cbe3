// A block takes 16 columns of c and its waves take turns along k. Strips go from memory to registers, several before the first is multiplied: the
// weight is read once, in runs of 256 bytes, and a CU has tens of KiB of it on the way. Waves' sums are added in order.
#include "hip/gemm/thin.h"

#include <algorithm>

#include "hip/portable/mma_strip.h"

namespace aurora::hip {
namespace {

constexpr int kMostWaves = 16, kAtOnce = 4;

template <class T>
struct ThinProduct {
  const T *a, *b;
  int64_t aStride, bStride, k;
  GemmOutput out;
};

template <class T>
AURORA_KERNEL(kMostWaves * kWave) void thinKernel(ThinProduct<T> product) {
  constexpr int kDepth = kStripDepth<T>;
  const int64_t firstColumn = static_cast<int64_t>(blockX()) * kTile;
  // Rows outside repeat the last: their sums go nowhere.
  const auto pieces = [](const T* p, int64_t stride, int64_t first, int64_t count) {
    return [=](int64_t k) {
      return [=](int outer, int piece) { return p + (first + outer < count ? first + outer : count - 1) * stride + k + piece * kWide<T>; };
    };
  };
  const auto piecesA = pieces(product.a, product.aStride, 0, product.out.rows);
  const auto piecesB = pieces(product.b, product.bStride, firstColumn, product.out.columns);
  RowAccumulator sum;
  sum.clear();
  constexpr int64_t kTurn = kAtOnce * kDepth;
  int64_t k = waveIndex() * kTurn;
  for (; k + kTurn <= product.k; k += blockWaves() * kTurn) {
    Strip<T> a[kAtOnce], b[kAtOnce];
    AURORA_UNROLL
    for (int i = 0; i < kAtOnce; ++i) b[i].load(piecesB(k + i * kDepth));
    AURORA_UNROLL
    for (int i = 0; i < kAtOnce; ++i) a[i].load(piecesA(k + i * kDepth));
    keepOrder();
    AURORA_UNROLL
    for (int i = 0; i < kAtOnce; ++i) multiplyAdd(sum, a[i], b[i]);
  }
  // What is left is one wave's turn.
  for (; k < product.k; k += kDepth) {
    Strip<T> a, b;
    a.loadFirst(piecesA(k), product.k - k);
    b.loadFirst(piecesB(k), product.k - k);
    multiplyAdd(sum, a, b);
  }

  float* const shared = sharedMemory<float>();
  AURORA_UNROLL
  for (int i = 0; i < Accumulator::kSize; ++i) shared[(waveIndex() * Accumulator::kSize + i) * kWave + laneIndex()] = sum.held.values[i];
  blockSync();
  if (waveIndex() > 0) return;
  for (int wave = 1; wave < blockWaves(); ++wave) {
    AURORA_UNROLL
    for (int i = 0; i < Accumulator::kSize; ++i) sum.held.values[i] += shared[(wave * Accumulator::kSize + i) * kWave + laneIndex()];
  }
  withEpilogue<T, true>(product.out, [&](auto type, auto activation) {
    sum.forEachRun([&](int row, int column, const float* values) {
      finishInside<decltype(type), static_cast<Activation>(activation.value), RowAccumulator::kRun>(product.out, row, firstColumn + column, values);
    });
  });
}

}  // namespace

template <class T>
void multiplyThin(Context& context, const Gemm& gemm, const GemmOutput& out) {
  const int64_t blocks = (gemm.n + kTile - 1) / kTile, strips = (gemm.k + kStripDepth<T> - 1) / kStripDepth<T>;
  // Enough waves to keep memory busy, each with enough of k to be worth it.
  constexpr int64_t kWavesOfUnit = 16;
  int64_t waves = 4;
  while (waves * 2 <= kMostWaves && blocks * waves < context.device.computeUnits * kWavesOfUnit && waves * 2 * kAtOnce <= strips) waves *= 2;
  const ThinProduct<T> product{static_cast<const T*>(gemm.a), static_cast<const T*>(gemm.b), gemm.aStride, gemm.bStride, gemm.k, out};
  const size_t shared = static_cast<size_t>(waves) * kTile * kTile * sizeof(float);
  launch<thinKernel<T>>(context.queue, Grid(blocks), static_cast<int>(waves) * kWave, shared, product);
}
template void multiplyThin<float>(Context&, const Gemm&, const GemmOutput&);
template void multiplyThin<bf16>(Context&, const Gemm&, const GemmOutput&);

}  // namespace aurora::hip
