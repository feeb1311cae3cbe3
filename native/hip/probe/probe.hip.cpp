// Work that shows the device's peak: arithmetic that never leaves the registers, and passes over memory that do nothing else. A piece of it is one
// block's.
#include <algorithm>

#include "hip/kernels.h"
#include "hip/portable/mma.h"

namespace aurora::hip {
namespace {

constexpr int kThreads = 256, kMemoryThreads = 1024;
/// Independent chains of a thread, or of a wave, hide the latency of an instruction.
constexpr int kChains = 16, kTileRows = 4, kTileColumns = 4;
/// Turns of a piece: about a hundred microseconds of a compute unit.
constexpr int kSteps = 4096, kTileSteps = 256;

AURORA_KERNEL(kThreads) void multiplyAddKernel(float factor, float term, float* sink) {
  float v[kChains];
  AURORA_UNROLL
  for (int i = 0; i < kChains; ++i) v[i] = 0.01f * static_cast<float>(i);
  for (int n = 0; n < kSteps; ++n) {
    AURORA_UNROLL
    for (int i = 0; i < kChains; ++i) v[i] = v[i] * factor + term;
  }
  float total = 0;
  AURORA_UNROLL
  for (int i = 0; i < kChains; ++i) total += v[i];
  if (threadIndex() == 0) sink[blockX()] = total;
}

/// Products of tiles whose operands stay where they are.
AURORA_KERNEL(kThreads) void dotBf16Kernel(float value, float* sink) {
  Operand<bf16> a[kTileRows], b[kTileColumns];
  Accumulator c[kTileRows][kTileColumns];
  AURORA_UNROLL
  for (int i = 0; i < kTileRows; ++i) a[i].forEach([&](int, int k, bf16& x) { x = fromFloat<bf16>(value * static_cast<float>(k + i)); });
  AURORA_UNROLL
  for (int j = 0; j < kTileColumns; ++j) {
    b[j].forEach([&](int, int k, bf16& x) { x = fromFloat<bf16>(value * static_cast<float>(k - j)); });
    AURORA_UNROLL
    for (int i = 0; i < kTileRows; ++i) c[i][j].clear();
  }
  for (int n = 0; n < kTileSteps; ++n) {
    AURORA_UNROLL
    for (int i = 0; i < kTileRows; ++i) {
      AURORA_UNROLL
      for (int j = 0; j < kTileColumns; ++j) multiplyAdd(c[i][j], a[i], b[j]);
    }
  }
  float total = 0;
  AURORA_UNROLL
  for (int i = 0; i < kTileRows; ++i) {
    AURORA_UNROLL
    for (int j = 0; j < kTileColumns; ++j) total += c[i][j].values[0];
  }
  if (threadIndex() == 0) sink[blockX()] = total;
}

/// The block's piece of x [size].
struct Piece {
  int64_t begin, length;
};
AURORA_DEVICE inline Piece pieceOf(int64_t size) {
  const int64_t begin = size * blockX() / gridX();
  return {begin, size * (blockX() + 1) / gridX() - begin};
}

AURORA_KERNEL(kMemoryThreads) void readKernel(const float* x, int64_t size, float* sink) {
  const Piece piece = pieceOf(size);
  x += piece.begin;
  float total = 0;
  forBlockRuns<kWide<float>>(piece.length, aligned<16>(x), [&](int64_t i, auto count) {
    for (const float value : loadRun<count.value>(x + i).values) total += value;
  });
  total = blockSum(total, sharedMemory<float>());
  if (threadIndex() == 0) sink[blockX()] = total;
}

AURORA_KERNEL(kMemoryThreads) void copyKernel(const float* x, float* y, int64_t size) {
  const Piece piece = pieceOf(size);
  x += piece.begin, y += piece.begin;
  forBlockRuns<kWide<float>>(piece.length, aligned<16>(x, y), [&](int64_t i, auto count) { storeRun(y + i, loadRun<count.value>(x + i)); });
}

AURORA_KERNEL(kMemoryThreads) void updateKernel(float* x, int64_t size) {
  const Piece piece = pieceOf(size);
  x += piece.begin;
  forBlockRuns<kWide<float>>(piece.length, aligned<16>(x), [&](int64_t i, auto count) {
    auto run = loadRun<count.value>(x + i);
    for (float& value : run.values) value = -value;
    storeRun(x + i, run);
  });
}

}  // namespace

void probe(Context& context, const Probe& args) {
  float* const memory = args.buffer.as<float>();
  const int64_t size = args.buffer.size(), half = size / 2;
  const double pieces = static_cast<double>(args.rounds), passed = static_cast<double>(size) * sizeof(float);
  const Grid grid(args.rounds);
  // What keeps compilers from leaving the work out.
  float* const sink = context.scratch<float>(0, std::max<int64_t>(1, args.rounds));
  double work = 0;
  switch (args.kind) {
    case ProbeKind::multiplyAdd:
      launch<multiplyAddKernel>(context.queue, grid, kThreads, 0, 0.999f, 0.001f, sink);
      work = pieces * 2 * kThreads * kChains * kSteps;
      break;
    case ProbeKind::dotBf16:
      launch<dotBf16Kernel>(context.queue, grid, kThreads, 0, 0x1p-10f, sink);
      work = pieces * (kThreads / kWave) * 2 * kTile * kTile * kTile * kTileRows * kTileColumns * kTileSteps;
      break;
    case ProbeKind::read:
      launch<readKernel>(context.queue, grid, kMemoryThreads, kMemoryThreads / kWave * sizeof(float), memory, size, sink);
      work = passed;
      break;
    case ProbeKind::copy:
      launch<copyKernel>(context.queue, grid, kMemoryThreads, 0, memory, memory + half, half);
      work = 2 * static_cast<double>(half) * sizeof(float);
      break;
    case ProbeKind::update:
      launch<updateKernel>(context.queue, grid, kMemoryThreads, 0, memory, size);
      work = 2 * passed;
      break;
  }
  fill(context, {args.work, args.rounds == 0 ? 0 : work});
}

}  // namespace aurora::hip
