// copyColumns, add: one pass over memory each.
#include "hip/kernels.h"

namespace aurora::hip {
namespace {

constexpr int kThreads = 256;

template <class T>
AURORA_KERNEL(kThreads) void addKernel(const T* a, float alpha, const T* b, float beta, T* y, int64_t n) {
  forGridRuns<kWide<T>>(n, aligned<16>(a, y) && aligned<16>(b), [&](int64_t i, auto count) {
    auto run = loadRun<count.value>(a + i);
    if (b) {
      const auto other = loadRun<count.value>(b + i);
      for (int j = 0; j < count.value; ++j) put(&run.values[j], toFloat(run.values[j]) * alpha + toFloat(other.values[j]) * beta);
    } else {
      for (int j = 0; j < count.value; ++j) put(&run.values[j], toFloat(run.values[j]) * alpha);
    }
    storeRun(y + i, run);
  });
}

/// Strides and width count elements of type Piece.
template <class Piece>
AURORA_KERNEL(kThreads) void copyColumnsKernel(const Piece* x, int64_t xStride, Piece* y, int64_t yStride, int64_t rows, int64_t width) {
  forGrid(rows * width, [&](int64_t i) {
    const int64_t row = i / width, column = i - row * width;
    y[row * yStride + column] = x[row * xStride + column];
  });
}

}  // namespace

void add(Context& context, const Add& args) {
  withFloat(args.y.dtype, [&](auto type) {
    using T = decltype(type);
    const int64_t n = args.y.size();
    launch<addKernel<T>>(context.queue, blocksFor(n, kThreads * kWide<T>), kThreads, 0, args.a.as<T>(), args.alpha, args.b.as<T>(), args.beta, args.y.as<T>(), n);
  });
}

void copyColumns(Context& context, const CopyColumns& args) {
  const int64_t size = static_cast<int64_t>(byteSize(args.x.dtype)), rows = args.x.shape[0];
  const int64_t xStride = args.x.shape[1] * size, yStride = args.y.shape[1] * size, width = args.width * size;
  const std::byte* x = args.x.as<std::byte>() + args.xOffset * size;
  std::byte* y = args.y.as<std::byte>() + args.yOffset * size;
  const auto copy = [&](auto piece) {
    using Piece = decltype(piece);
    const int64_t bytes = sizeof(Piece);
    launch<copyColumnsKernel<Piece>>(context.queue, blocksFor(rows * width / bytes, kThreads), kThreads, 0, reinterpret_cast<const Piece*>(x), xStride / bytes,
                                     reinterpret_cast<Piece*>(y), yStride / bytes, rows, width / bytes);
  };
  // The largest piece that all rows are made of.
  const uint64_t common = reinterpret_cast<uintptr_t>(x) | reinterpret_cast<uintptr_t>(y) | static_cast<uint64_t>(xStride | yStride | width);
  if (common % 16 == 0)
    copy(Bits128{});
  else if (common % 4 == 0)
    copy(uint32_t{});
  else if (common % 2 == 0)
    copy(uint16_t{});
  else
    copy(uint8_t{});
}

}  // namespace aurora::hip
