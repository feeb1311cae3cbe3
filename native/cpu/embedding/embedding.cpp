// Rows of tables: embedding and its gradient, gathering and scattering of rows.
#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "cpu/loops.h"

namespace aurora::cpu::AURORA_ISA {
namespace {

/// Reports the first index outside [0, size); negative ones pass where they mean "none". Kernels ask before they touch a table.
bool checkIndices(Context& context, const char* what, const View& indices, int64_t size, bool negativeAllowed = false) {
  const int32_t* index = indices.as<int32_t>();
  for (int64_t n = 0; n < indices.size(); ++n) {
    if (index[n] < size && (index[n] >= 0 || negativeAllowed)) continue;
    context.fail(code::kIndex, std::string(what) + " in [0, " + std::to_string(size) + ")",
                 std::to_string(index[n]) + " at position " + std::to_string(n));
    return false;
  }
  return true;
}

/// table[index[n]] += dh[n] in order of n, for columns begin … end − 1.
template <class T>
void scatterAdd(const T* dh, const int32_t* index, int64_t rows, int64_t width, float* table, int64_t begin, int64_t end) {
  for (int64_t n = 0; n < rows; ++n) {
    if (index[n] < 0) continue;
    const T* from = dh + n * width;
    float* to = table + index[n] * width;
    forVectors(begin, end, [&](int64_t j, auto count) { store(to + j, load(to + j, count) + load(from + j, count), count); });
  }
}

}  // namespace

void embedding(Context& context, const Embedding& args) {
  if (!checkIndices(context, "token ids", args.tokens, args.tokenTable.shape[0], true)) return;
  if (!checkIndices(context, "positions", args.positions, args.positionTable.shape[0], true)) return;
  const int64_t width = args.h.shape[1];
  const int32_t *tokens = args.tokens.as<int32_t>(), *positions = args.positions.as<int32_t>();
  withFloat(args.h.dtype, [&](auto type) {
    using T = decltype(type);
    forRanges(context, args.h.shape[0], rowGrain(width), [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const T* token = args.tokenTable.as<T>() + std::max(tokens[n], 0) * width;
        const T* position = args.positionTable.as<T>() + std::max(positions[n], 0) * width;
        T* h = args.h.as<T>() + n * width;
        if (tokens[n] >= 0 && positions[n] >= 0)
          forVectors(0, width, [&](int64_t j, auto count) { store(h + j, load(token + j, count) + load(position + j, count), count); });
        else if (tokens[n] >= 0 || positions[n] >= 0)
          std::memcpy(h, tokens[n] >= 0 ? token : position, width * sizeof(T));
        else
          std::memset(h, 0, width * sizeof(T));
      }
    });
  });
}

void embeddingBackward(Context& context, const EmbeddingBackward& args) {
  if (args.dtokenTable && !checkIndices(context, "token ids", args.tokens, args.dtokenTable.shape[0], true)) return;
  if (args.dpositionTable && !checkIndices(context, "positions", args.positions, args.dpositionTable.shape[0], true)) return;
  const int64_t rows = args.dh.shape[0], width = args.dh.shape[1];
  // Cut by columns: each task walks all rows in order, so that repeated tokens sum the same way whatever the threads.
  constexpr int64_t kColumns = 128;
  const int64_t grain = rows * width <= kGrain ? width : kColumns;
  withFloat(args.dh.dtype, [&](auto type) {
    using T = decltype(type);
    const T* dh = args.dh.as<T>();
    forRanges(context, width, grain, [&](int64_t begin, int64_t end) {
      if (args.dtokenTable) scatterAdd(dh, args.tokens.as<int32_t>(), rows, width, args.dtokenTable.as<float>(), begin, end);
      if (args.dpositionTable) scatterAdd(dh, args.positions.as<int32_t>(), rows, width, args.dpositionTable.as<float>(), begin, end);
    });
  });
}

void gatherRows(Context& context, const GatherRows& args) {
  if (!checkIndices(context, "rows", args.rows, args.x.shape[0])) return;
  const int64_t width = args.x.shape[1];
  const size_t bytes = width * byteSize(args.x.dtype);
  const int32_t* rows = args.rows.as<int32_t>();
  forRanges(context, args.rows.size(), rowGrain(width), [&](int64_t begin, int64_t end) {
    for (int64_t m = begin; m < end; ++m) std::memcpy(args.y.as<char>() + m * bytes, args.x.as<char>() + rows[m] * bytes, bytes);
  });
}

void gatherRowsBackward(Context& context, const GatherRowsBackward& args) {
  const int64_t targets = args.dx.shape[0], width = args.dx.shape[1], sources = args.rows.size();
  if (!checkIndices(context, "rows", args.rows, targets)) return;
  const int32_t* rows = args.rows.as<int32_t>();
  // Lists the sources of each target in order of m (a counting sort): order[start[n]] … order[start[n + 1] − 1].
  int64_t* start = context.scratch.get<int64_t>(0, targets + 2) + 1;
  int64_t* order = context.scratch.get<int64_t>(1, sources);
  std::fill(start - 1, start + targets + 1, 0);
  for (int64_t m = 0; m < sources; ++m) ++start[rows[m] + 1];
  for (int64_t n = 0; n < targets; ++n) start[n + 1] += start[n];
  // Filling moves each target's start to its end, which is the next one's start: seen from one place earlier, all is as before.
  for (int64_t m = 0; m < sources; ++m) order[start[rows[m]]++] = m;
  --start;
  withFloat(args.dx.dtype, [&](auto type) {
    using T = decltype(type);
    forRanges(context, targets, rowGrain(width), [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        T* dx = args.dx.as<T>() + n * width;
        forVectors(0, width, [&](int64_t j, auto count) {
          f32v total{};
          for (int64_t k = start[n]; k < start[n + 1]; ++k) total += load(args.dy.as<T>() + order[k] * width + j, count);
          store(dx + j, total, count);
        });
      }
    });
  });
}

}  // namespace aurora::cpu::AURORA_ISA
