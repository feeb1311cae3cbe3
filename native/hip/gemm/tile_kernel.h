// The products by tiles: a block makes size × size elements of c. Its operands pass through shared memory, 64 bytes of k at a time and in two
// buffers, so that one barrier a step is enough; a wave keeps its part of c in registers.
//
// By the numbers, for 128 × 128, bf16, MI250X: four waves of 64 × 64 each; 32 MFMA of 32 cycles take 8 reads of 1 KiB, so a wave asks for 8 bytes
// of shared memory a cycle, a CU's four for a quarter of what it gives. 32 KiB of it, and fewer than 256 registers: two blocks a CU.
#pragma once

#include "hip/gemm/tile.h"
#include "hip/gemm/tile_source.h"

namespace aurora::hip {

template <class T>
struct TileProduct {
  Stored<T> a, b;
  int64_t k, slice;  // a block takes that much of k, a multiple of kStripDepth
  int64_t sliceSize; // elements from a slice's sums to the next's
  GemmOutput out;
};

/// A tile's place among rowTiles × columnTiles. Blocks that run together are near each other in both directions, so that they share operands in the
/// cache.
struct TilePlace {
  int64_t row, column;
};
AURORA_DEVICE inline TilePlace tilePlace(int block, int rowTiles, int columnTiles) {
  constexpr int kBand = 8;
  const int band = block / (kBand * columnTiles), inBand = block - band * kBand * columnTiles;
  const int rows = rowTiles - band * kBand < kBand ? rowTiles - band * kBand : kBand;
  return {band * kBand + inBand % rows, inBand / rows};
}

/// How a block's waves share its tile.
template <int size>
struct WaveGrid {
  static constexpr int kWaves = threadsFor(size) / kWave;
  static constexpr int kDown = kWaves == 2 ? 1 : 2, kAcross = kWaves / kDown;
  static constexpr int kRows = size / kDown, kColumns = size / kAcross;  // of a wave
};

/// Blocks that a compute unit should hold at a time. AMD's has room for two waves of 256 registers on each SIMD; of NVIDIA's, one block of
/// 128 × 128 takes the registers.
template <int size>
constexpr int kResident = 128 / size * (kWave == 64 ? 2 : 1);

/// Where a wave lays a sum, in floats: rows of `columns`, whose runs of 4 change places so that the writes, of one place of eight rows or of two
/// places of four, and the reads, along rows, meet in no bank.
template <int columns>
AURORA_DEVICE constexpr int sumAt(int row, int column) {
  const int turn = (row << 1 & 6) | (row >> 2 & 1);
  return row * columns + (column / 4 ^ turn) * 4 + column % 4;
}

template <class T, bool aAlongK, bool bAlongK, int size, bool wide, bool activated>
AURORA_KERNEL_RESIDENT(threadsFor(size), kResident<size>) void tileKernel(TileProduct<T> product) {
  using Grid = WaveGrid<size>;
  constexpr int kTileBytes = size * kStripBytes, kDepth = kStripDepth<T>;
  constexpr int kRowStrips = Grid::kRows / kTile, kColumnStrips = Grid::kColumns / kTile;
  const auto tiles = [](int64_t n) { return static_cast<int>((n + size - 1) / size); };
  const TilePlace place = tilePlace(blockX(), tiles(product.a.outers), tiles(product.b.outers));
  const int64_t firstRow = place.row * size, firstColumn = place.column * size;
  const int waveRow = waveIndex() / Grid::kAcross * Grid::kRows, waveColumn = waveIndex() % Grid::kAcross * Grid::kColumns;

  RowAccumulator sums[kRowStrips][kColumnStrips];
  AURORA_UNROLL
  for (auto& row : sums)
    AURORA_UNROLL
    for (RowAccumulator& sum : row) sum.clear();

  std::byte* const shared = sharedMemory<std::byte>();
  int current = 0;  // the buffer that is multiplied
  const auto tile = [&](int buffer) { return shared + buffer * 2 * kTileBytes; };
  const auto multiply = [&] {
    const std::byte* const tileA = tile(current);
    Strip<T> a[kRowStrips], b[kColumnStrips];
    AURORA_UNROLL
    for (int i = 0; i < kRowStrips; ++i) a[i].loadShared(tileA, waveRow + i * kTile);
    AURORA_UNROLL
    for (int j = 0; j < kColumnStrips; ++j) b[j].loadShared(tileA + kTileBytes, waveColumn + j * kTile);
    AURORA_UNROLL
    for (int j = 0; j < kColumnStrips; ++j)
      AURORA_UNROLL
      for (int i = 0; i < kRowStrips; ++i) multiplyAdd(sums[i][j], a[i], b[j]);
  };

  TileSource<T, aAlongK, size, wide> sourceA(product.a, firstRow);
  TileSource<T, bAlongK, size, wide> sourceB(product.b, firstColumn);
  const int64_t start = blockY() * product.slice, end = start + product.slice < product.k ? start + product.slice : product.k;
  const auto store = [&](std::byte* to) {
    sourceA.store(to);
    sourceB.store(to + kTileBytes);
    blockSync();
  };
  const auto load = [&](int64_t k, std::byte* to) {
    sourceA.load(k, end, to);
    sourceB.load(k, end, to + kTileBytes);
  };
  load(start, tile(0));
  store(tile(0));
  const auto multiplyAndStore = [&] {
    keepOrder();
    multiply();
    keepOrder();
    current ^= 1;
    store(tile(current));
  };
  int64_t k = start + kDepth;
  for (; k + kDepth <= end; k += kDepth) {
    std::byte* const next = tile(current ^ 1);
    sourceA.loadInside(k, next);
    sourceB.loadInside(k, next + kTileBytes);
    multiplyAndStore();
  }
  if (k < end) {  // apart from the loop, lest that wait where the two ways of loading meet
    load(k, tile(current ^ 1));
    multiplyAndStore();
  }
  multiply();

  GemmOutput out = product.out;
  if (gridY() > 1) out.c = static_cast<float*>(out.c) + blockY() * product.sliceSize;
  // The sums leave by way of shared memory, too, a portion at a time: lanes that are neighbours write neighbours, and there is one loop of what
  // happens to them instead of a copy for each register.
  constexpr int kPortions = size * size * static_cast<int>(sizeof(float)) / (4 * kTileBytes), kStrips = kRowStrips / kPortions;
  float* const portion = reinterpret_cast<float*>(shared) + waveIndex() * (kStrips * kTile * Grid::kColumns);
  AURORA_UNROLL
  for (int first = 0; first < kRowStrips; first += kStrips) {
    blockSync();
    AURORA_UNROLL
    for (int i = 0; i < kStrips; ++i)
      AURORA_UNROLL
      for (int j = 0; j < kColumnStrips; ++j)
        sums[first + i][j].forEachRun([&](int row, int column, const float* values) {
          Run<RowAccumulator::kRun, float> run;
          __builtin_memcpy(&run, values, sizeof run);
          storeRun(portion + sumAt<Grid::kColumns>(i * kTile + row, j * kTile + column), run);
        });
    blockSync();
    const int64_t row = firstRow + waveRow + first * kTile, column = firstColumn + waveColumn;
    withEpilogue<T, activated>(out, [&](auto type, auto activation) {
      for (int at = laneIndex() * 4; at < kStrips * kTile * Grid::kColumns; at += kWave * 4) {
        const int i = at / Grid::kColumns, j = at % Grid::kColumns;
        const auto four = static_cast<const float*>(__builtin_assume_aligned(portion + sumAt<Grid::kColumns>(i, j), 16));
        finishInside<decltype(type), static_cast<Activation>(activation.value), 4>(out, row + i, column + j, four);
      }
    });
  }
}

template <class T, bool aAlongK, bool bAlongK, int size, bool wide, bool activated>
void launchTiles(Context& context, const TileProduct<T>& product, int64_t slices) {
  const auto tiles = [](int64_t n) { return (n + size - 1) / size; };
  const Grid grid(tiles(product.a.outers) * tiles(product.b.outers), slices);
  constexpr size_t shared = size_t{4} * size * kStripBytes;  // two buffers of two operands
  launch<tileKernel<T, aAlongK, bAlongK, size, wide, activated>>(context.queue, grid, threadsFor(size), shared, product);
}

template <class T, bool aAlongK, bool bAlongK, bool activated>
void chooseTile(Context& context, const TileProduct<T>& product, const TilePlan& plan) {
  if constexpr (!activated)
    if (!plan.wide) return launchTiles<T, aAlongK, bAlongK, 64, false, false>(context, product, plan.slices);
  if (plan.size == 64) return launchTiles<T, aAlongK, bAlongK, 64, true, activated>(context, product, plan.slices);
  launchTiles<T, aAlongK, bAlongK, 128, true, activated>(context, product, plan.slices);
}

template <class T>
void multiplyTiles(Context& context, const Gemm& gemm, const GemmOutput& out, const TilePlan& plan) {
  constexpr int64_t depth = kStripDepth<T>;
  const int64_t steps = (gemm.k + depth - 1) / depth;
  const TileProduct<T> product{{static_cast<const T*>(gemm.a), gemm.aStride, gemm.m}, {static_cast<const T*>(gemm.b), gemm.bStride, gemm.n}, gemm.k,
                               (steps + plan.slices - 1) / plan.slices * depth, gemm.m * gemm.n, out};
  if (gemm.aTransposed) return chooseTile<T, false, false, false>(context, product, plan);
  if (!gemm.bTransposed) return chooseTile<T, true, false, false>(context, product, plan);
  if (out.activation == Activation::none) return chooseTile<T, true, true, false>(context, product, plan);
  chooseTile<T, true, true, true>(context, product, plan);
}

}  // namespace aurora::hip
