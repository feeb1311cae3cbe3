// Rows of tables: embedding and its gradient, gathering and scattering of rows.
#include "hip/kernels.h"

namespace aurora::hip {
namespace {

constexpr int kThreads = 256;
constexpr int kColumns = 8;  // of a thread that sums rows

/// y[m] = x[rows[m]], rows of `width` pieces.
template <class Piece>
AURORA_KERNEL(kThreads) void gatherRowsKernel(const Piece* x, Indices rows, Piece* y, int64_t count, int64_t width) {
  forGrid(count * width, [&](int64_t i) {
    const int64_t m = i / width, column = i - m * width;
    const int64_t row = rows[m];
    if (row >= 0) y[i] = x[row * width + column];
  });
}

template <class T>
AURORA_KERNEL(kThreads) void embeddingKernel(const T* tokenTable, Indices tokens, const T* positionTable, Indices positions, T* h, int64_t count, int64_t width) {
  forGrid(count * width, [&](int64_t i) {
    const int64_t n = i / width, column = i - n * width;
    const int64_t token = tokens[n], position = positions[n];
    put(h + i, (token >= 0 ? get(tokenTable + token * width + column) : 0) + (position >= 0 ? get(positionTable + position * width + column) : 0));
  });
}

/// Of the `blockThreads()` indices from `start` on, the positions of those equal to `row`, in order; every thread gets their number.
/// matches: blockThreads() + blockWaves() elements of shared memory.
AURORA_DEVICE inline int findMatches(const Indices& rows, int64_t start, int64_t count, int32_t row, uint32_t* matches) {
  uint32_t* waveCounts = matches + blockThreads();
  const int64_t at = start + threadIndex();
  const bool match = at < count && rows.values[at] == row;
  const uint64_t lanes = ballot(match);
  if (laneIndex() == 0) waveCounts[waveIndex()] = static_cast<uint32_t>(bitCount(lanes));
  blockSync();
  int place = bitCount(lanes & ((uint64_t{1} << laneIndex()) - 1)), total = 0;
  for (int wave = 0; wave < blockWaves(); ++wave) {
    if (wave < waveIndex()) place += static_cast<int>(waveCounts[wave]);
    total += static_cast<int>(waveCounts[wave]);
  }
  if (match) matches[place] = static_cast<uint32_t>(at);
  blockSync();
  return total;
}

/// table[rows[m]] += from[m], or = the sum of them when `add` is false, in order of m. Where a row is mentioned first, its block sums all that
/// is for it: no atomics, one order.
template <class T, class Out>
AURORA_KERNEL(kThreads) void sumRowsKernel(const T* from, Indices rows, int64_t count, int64_t width, Out* table, bool add) {
  uint32_t* matches = sharedMemory<uint32_t>();
  const int64_t firstColumn = static_cast<int64_t>(blockY()) * kThreads * kColumns + threadIndex();
  for (int64_t m = blockX(); m < count; m += gridX()) {
    const int32_t row = rows[m];
    if (row < 0) continue;
    int earlier = 0;
    for (int64_t i = threadIndex(); i < m; i += kThreads) earlier |= rows.values[i] == row;
    if (blockReduce(earlier, Max{}, reinterpret_cast<int*>(matches))) continue;

    Out* target = table + row * width;
    float totals[kColumns] = {};
    const auto forColumns = [&](auto&& body) {
      AURORA_UNROLL
      for (int j = 0; j < kColumns; ++j)
        if (firstColumn + j * kThreads < width) body(firstColumn + j * kThreads, totals[j]);
    };
    if (add) forColumns([&](int64_t column, float& total) { total = get(target + column); });
    for (int64_t start = m; start < count; start += kThreads) {
      const int found = findMatches(rows, start, count, row, matches);
      for (int i = 0; i < found; ++i) {
        const T* source = from + matches[i] * width;
        forColumns([&](int64_t column, float& total) { total += get(source + column); });
      }
      blockSync();
    }
    forColumns([&](int64_t column, float& total) { put(target + column, total); });
  }
}

template <class T, class Out>
void sumRows(Context& context, const View& from, const Indices& rows, Out* table, bool add) {
  const int64_t count = from.shape[0], width = from.shape[1];
  const Grid blocks(std::min<int64_t>(count, 1 << 16), (width + kThreads * kColumns - 1) / (kThreads * kColumns));
  launch<sumRowsKernel<T, Out>>(context.queue, blocks, kThreads, (kThreads + kThreads / kWave) * sizeof(uint32_t), from.as<T>(), rows, count, width, table, add);
}

std::string inRange(const char* what, int64_t size) { return std::string(what) + " in [0, " + std::to_string(size) + ")"; }

}  // namespace

void gatherRows(Context& context, const GatherRows& args) {
  const int64_t table = args.x.shape[0], count = args.rows.size(), bytes = args.x.shape[1] * static_cast<int64_t>(byteSize(args.x.dtype));
  const Indices rows = context.indices(inRange("rows", table), args.rows, table);
  const auto gather = [&](auto piece) {
    using Piece = decltype(piece);
    const int64_t width = bytes / static_cast<int64_t>(sizeof(Piece));
    launch<gatherRowsKernel<Piece>>(context.queue, blocksFor(count * width, kThreads), kThreads, 0, args.x.as<Piece>(), rows, args.y.as<Piece>(), count, width);
  };
  // The largest piece that all rows are made of.
  const uint64_t common = reinterpret_cast<uintptr_t>(args.x.data) | reinterpret_cast<uintptr_t>(args.y.data) | static_cast<uint64_t>(bytes);
  if (common % 16 == 0)
    gather(Bits128{});
  else if (common % 4 == 0)
    gather(uint32_t{});
  else if (common % 2 == 0)
    gather(uint16_t{});
  else
    gather(uint8_t{});
}

void gatherRowsBackward(Context& context, const GatherRowsBackward& args) {
  if (args.dx.size() == 0 && args.rows.size() == 0) return;
  const int64_t table = args.dx.shape[0];
  const Indices rows = context.indices(inRange("rows", table), args.rows, table);
  if (args.dx.bytes() > 0) runtime::set(context.queue, args.dx.data, 0, args.dx.bytes());
  withFloat(args.dx.dtype, [&](auto type) {
    using T = decltype(type);
    sumRows<T, T>(context, args.dy, rows, args.dx.as<T>(), false);
  });
}

void embedding(Context& context, const Embedding& args) {
  const int64_t count = args.h.shape[0], width = args.h.shape[1];
  const Indices tokens = context.indices(inRange("token ids", args.tokenTable.shape[0]), args.tokens, args.tokenTable.shape[0], true);
  const Indices positions = context.indices(inRange("positions", args.positionTable.shape[0]), args.positions, args.positionTable.shape[0], true);
  withFloat(args.h.dtype, [&](auto type) {
    using T = decltype(type);
    launch<embeddingKernel<T>>(context.queue, blocksFor(count * width, kThreads), kThreads, 0, args.tokenTable.as<T>(), tokens, args.positionTable.as<T>(),
                               positions, args.h.as<T>(), count, width);
  });
}

void embeddingBackward(Context& context, const EmbeddingBackward& args) {
  const auto sum = [&](const char* what, const View& indices, const View& table) {
    if (!table) return;
    const Indices rows = context.indices(inRange(what, table.shape[0]), indices, table.shape[0], true);
    withFloat(args.dh.dtype, [&](auto type) { sumRows<decltype(type)>(context, args.dh, rows, table.as<float>(), true); });
  };
  sum("token ids", args.tokens, args.dtokenTable);
  sum("positions", args.positions, args.dpositionTable);
}

}  // namespace aurora::hip
