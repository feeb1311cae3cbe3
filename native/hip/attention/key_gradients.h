// dK and dV: a block owns keys and walks over the tiles of queries and dY that see them, of all heads that share the keys: the sum over heads
// needs no atomics. Where keys are few for a device (one key head), the heads are dealt out to several blocks, whose sums are added in order.
#pragma once

#include "hip/attention/gradients.h"

namespace aurora::hip::flash {

template <class T, int W>
struct KeyGradients {
  /// Two waves a SIMD on AMD; the widest heads take the registers of both for one.
  static constexpr int kWaves = kWave == 64 && W * sizeof(T) > 256 ? 4 : 8, kBlockThreads = kWaves * kWave;
  static constexpr int kKeys = kWaves * kTile;  // of a block: a tile for each wave
  static constexpr int kQueries = W <= 128 ? 32 : 16, kSteps = W / kTile;
  using QueryTile = Tile<T, kQueries, W, true, true>;

  static constexpr int kRandoms = 4;  // that Philox makes at a time
  /// A tile's rows, each as it is read by lanes.
  struct alignas(16) RowTable {
    float shift[kQueries], dot[kQueries];
    int first[kQueries], position[kQueries];
    int hiding;                                    // not 0: some row does not see the block's first key
    int dropoutOffset[kQueries];                   // of the row's element for the block's first key in its block of four random numbers
    uint8_t kept[kKeys / kRandoms + 1][kQueries];  // of that block and those after it: a bit for each element
  };
  static constexpr size_t kTiles = 2 * QueryTile::kSize * sizeof(T), kSharedBytes = kTiles + sizeof(RowTable);

  static int64_t blocks(const Problem<T>& problem) { return (problem.positions + kKeys - 1) / kKeys; }
  static int splits(const Problem<T>& problem) {
    constexpr int64_t kEnoughBlocks = 512;
    const int64_t whole = blocks(problem) * problem.keyHeads;
    return static_cast<int>(std::min<int64_t>(problem.sharing, (kEnoughBlocks + whole - 1) / whole));
  }
};

/// A thread's share of a tile's dropout bits on their way. Each lane's keys have different rows: alone it would use one of four random numbers.
template <class Shape>
class DropoutPatch {
 public:
  /// element(r) is row r's for the block's first key.
  template <class Element>
  AURORA_DEVICE void load(const DropoutMask& mask, Element&& element) {
    bits_ = 0;
    forEach([&](int n, int block, int row) {
      const uint64_t first = element(row);
      if (block < kBlocks - 1 || first % Shape::kRandoms != 0) bits_ |= mask.keptOf(first / Shape::kRandoms + static_cast<uint64_t>(block)) << 4 * n;
    });
  }
  AURORA_DEVICE void store(uint8_t (&kept)[Shape::kKeys / Shape::kRandoms + 1][Shape::kQueries]) const {
    forEach([&](int n, int block, int row) { kept[block][row] = bits_ >> 4 * n & 15; });
  }

 private:
  static constexpr int kBlocks = Shape::kKeys / Shape::kRandoms + 1, kCount = kBlocks * Shape::kQueries;
  static constexpr int kEach = (kCount + Shape::kBlockThreads - 1) / Shape::kBlockThreads;

  template <class Body>
  AURORA_DEVICE static void forEach(Body&& body) {
    AURORA_UNROLL
    for (int n = 0; n < kEach; ++n) {
      const int index = threadIndex() + n * Shape::kBlockThreads;
      if (index < kCount) body(n, index / Shape::kQueries, index % Shape::kQueries);
    }
  }

  static_assert(4 * kEach <= 32);
  uint32_t bits_ = 0;
};

/// Sums over a share of the heads: dK and dV of key j of head g of share s are at (((s·N + j)·G + g)·2 + (0 or 1))·K, unscaled.
struct KeyPartials {
  float* sums;  // null: there is one share, and results go to dqkv
  int splits;
};

/// The position after the last one that sees a key before `end`, for a block that starts at key `start`. `scratch`: blockWaves() elements.
template <class T>
AURORA_DEVICE inline int endOfSight(const Problem<T>& problem, const int* lowestFirst, int start, int end, int* scratch) {
  const int firstStretch = start / kStretch;
  int stretch = -1;
  for (int last = (problem.positions - 1) / kStretch; stretch < 0 && last >= firstStretch; last -= blockThreads()) {
    const int mine = last - threadIndex();
    stretch = blockReduce(mine >= firstStretch && lowestFirst[mine] < end ? mine : -1, Max{}, scratch);
  }
  const int position = stretch * kStretch + laneIndex();
  const bool sees = position >= start && position < problem.positions && problem.firstKey(position) < end;
  return waveUniform(waveReduce(sees ? position : -1, Max{})) + 1;
}

template <class T, int W, bool dropping>
AURORA_KERNEL_RESIDENT((KeyGradients<T, W>::kBlockThreads), 1)
void keyGradientsKernel(Problem<T> problem, Gradients<T> gradients, const int* lowestFirst, KeyPartials partials) {
  using Shape = KeyGradients<T, W>;
  constexpr int kSteps = Shape::kSteps, kQueries = Shape::kQueries, kRows = OperandAccumulator::kRows, kRun = OperandAccumulator::kRun;
  constexpr int kRuns = OperandAccumulator::kSize / kRun;
  // Operands that are read from shared memory at a time: NVIDIA's compiler sees to it, and its registers are short.
  constexpr int kAhead = kWave == 64 && kSteps % 4 == 0 ? 4 : 1;
  using Table = typename Shape::RowTable;
  T* const shared = sharedMemory<T>();
  const typename Shape::QueryTile queries{shared}, dy{shared + Shape::QueryTile::kSize};
  Table* const table = reinterpret_cast<Table*>(sharedMemory<std::byte>() + Shape::kTiles);
  const int lane = laneIndex();

  // The first keys are seen by the most rows: they come first.
  const int share = blockX() % partials.splits, keyHead = blockX() / partials.splits % problem.keyHeads;
  const int blockStart = blockX() / partials.splits / problem.keyHeads * Shape::kKeys;
  const int start = waveUniform(blockStart + waveIndex() * kTile);
  const int firstSharer = static_cast<int>(static_cast<int64_t>(problem.sharing) * share / partials.splits);
  const int sharers = static_cast<int>(static_cast<int64_t>(problem.sharing) * (share + 1) / partials.splits) - firstSharer;
  const int end = endOfSight(problem, lowestFirst, blockStart, blockStart + Shape::kKeys, sharedMemory<int>());

  int key[kRows];
  Operand<T> keys[kSteps], values[kSteps];
  OperandAccumulator dkeys[kSteps], dvalues[kSteps];
  {
    const T *keyRows[kRows], *valueRows[kRows];
    AURORA_UNROLL
    for (int r = 0; r < kRows; ++r) {
      key[r] = start + OperandAccumulator::rowOfSlot(lane, r);
      keyRows[r] = key[r] < problem.positions ? problem.qkv + problem.keyAt(keyHead, key[r]) : nullptr;
      valueRows[r] = key[r] < problem.positions ? problem.qkv + problem.valueAt(keyHead, key[r]) : nullptr;
    }
    AURORA_UNROLL
    for (int k = 0; k < kSteps; ++k) {
      keys[k] = operandOf(keyRows, k * kTile, problem.width);
      values[k] = operandOf(valueRows, k * kTile, problem.width);
      dkeys[k].clear();
      dvalues[k].clear();
    }
  }

  // Rows of this share's heads, from the one at the block's first key on; and where row r's vector begins, counted from the first row's, of
  // vectors with that distance from one position to the next.
  Rows rows(static_cast<int64_t>(blockStart) * sharers, sharers);
  const auto toRow = [&](int r, int positionWidth) { return r * problem.width + rows.positionsTo(r) * (positionWidth - sharers * problem.width); };
  const int rowWidth = static_cast<int>(problem.rowWidth), resultWidth = problem.keyHeads * problem.sharing * problem.width;
  Patches<T, kQueries, W, Shape::kBlockThreads> queriesComing, dyComing;
  DropoutPatch<Shape> kept;
  // Of row threadIndex() % kQueries.
  RowStatistics statistics;
  int firstRow, position, count;
  const auto load = [&] {
    const Row base{rows[0].position, firstSharer + rows[0].sharer};
    const int64_t left = (end - base.position) * static_cast<int64_t>(sharers) - rows[0].sharer;
    count = left < kQueries ? static_cast<int>(left) : kQueries;
    const auto inside = [&](int r) { return r < count ? r : count - 1; };
    queriesComing.load(problem.qkv + problem.queryAt(keyHead, base), problem.width, count, [&](int r) { return toRow(inside(r), rowWidth); });
    dyComing.load(gradients.dy + problem.resultAt(keyHead, base), problem.width, count, [&](int r) { return toRow(inside(r), resultWidth); });
    const Row own = rows[inside(threadIndex() % kQueries)];
    position = own.position;
    statistics = gradients.statistics[problem.rowAt(keyHead, {position, firstSharer + own.sharer})];
    firstRow = problem.firstRow[position];
    if constexpr (dropping)
      kept.load(problem.dropout, [&](int r) {
        const Row row = rows[r];
        return problem.dropoutAt(keyHead, {row.position, firstSharer + row.sharer}, blockStart);
      });
  };
  const auto store = [&] {
    queriesComing.store(queries);
    dyComing.store(dy);
    const int r = threadIndex() % kQueries, first = problem.firstKey(position, firstRow);
    if (waveIndex() == 0) {
      const bool hiding = waveAny(first > blockStart);
      if (threadIndex() == 0) table->hiding = hiding;
    }
    if (threadIndex() < kQueries) {
      // A row that does not exist has no weights.
      table->shift[r] = r < count ? statistics.shift : -__builtin_inff();
      table->dot[r] = statistics.dot;
      table->first[r] = first;
      table->position[r] = position;
      if constexpr (dropping) {
        const uint64_t element = problem.dropoutAt(keyHead, {position, firstSharer + rows[r].sharer}, blockStart);
        table->dropoutOffset[r] = static_cast<int>(element % Shape::kRandoms);
      }
    }
    if constexpr (dropping) kept.store(table->kept);
  };

  load();
  while (true) {
    blockSync();
    store();
    blockSync();
    const int lowest = waveUniform(rows[0].position), highest = waveUniform(rows[kQueries - 1].position);
    rows = rows.from(kQueries);
    const bool more = rows[0].position < end;
    if (more) load();
    if (highest >= start) {
      const bool whole = lowest >= start + kTile - 1 && !table->hiding;
      AURORA_UNROLL_BY(1)
      for (int q = 0; q < kQueries; q += kTile) {
        OperandAccumulator scores, dweights;
        scores.clear();
        dweights.clear();
        AURORA_UNROLL
        for (int k = 0; k < kSteps; k += kAhead) {
          Operand<T> query[kAhead], result[kAhead];
          AURORA_UNROLL
          for (int a = 0; a < kAhead; ++a) {
            query[a] = queries.alongRows(q, (k + a) * kTile);
            result[a] = dy.alongRows(q, (k + a) * kTile);
          }
          AURORA_UNROLL
          for (int a = 0; a < kAhead; ++a) {
            multiplyAdd(scores, keys[k + a], query[a]);
            multiplyAdd(dweights, values[k + a], result[a]);
          }
        }
        Run<kRun, float> shift[kRuns], dot[kRuns];
        AURORA_UNROLL
        for (int run = 0; run < kRuns; ++run) {
          const int column = q + OperandAccumulator::column(lane, run * kRun);
          shift[run] = loadRun<kRun>(table->shift + column);
          dot[run] = loadRun<kRun>(table->dot + column);
        }
        recomputeWeights(scores, problem.scale, !whole, [&](int i) { return shift[i / kRun].values[i % kRun]; },
                         [&](int i) {
                           const int own = key[OperandAccumulator::rowSlot(i)], column = q + OperandAccumulator::column(lane, i);
                           return (own <= table->position[column]) & (own >= table->first[column]);
                         });
        AURORA_UNROLL
        for (int i = 0; i < OperandAccumulator::kSize; ++i) {
          float factor = 1;
          if constexpr (dropping) {
            const int row = q + OperandAccumulator::column(lane, i);
            const int place = table->dropoutOffset[row] + key[OperandAccumulator::rowSlot(i)] - blockStart;
            factor = table->kept[place / Shape::kRandoms][row] >> place % Shape::kRandoms & 1 ? problem.dropout.kept : 0;
          }
          dweights.values[i] = scores.values[i] * (dweights.values[i] * factor - dot[i / kRun].values[i % kRun]);
          scores.values[i] *= factor;
        }
        const Operand<T> weights = scores.template operand<T>(), dscores = dweights.template operand<T>();
        AURORA_UNROLL
        for (int k = 0; k < kSteps; ++k) {
          multiplyAdd(dvalues[k], weights, dy.acrossRows(k * kTile, q));
          multiplyAdd(dkeys[k], dscores, queries.acrossRows(k * kTile, q));
        }
      }
    }
    if (!more) break;
  }

  AURORA_UNROLL
  for (int k = 0; k < kSteps; ++k) {
    const auto put = [&](OperandAccumulator& sums, bool ofValues) {
      sums.forEachRun([&](int r, int column, const auto& run) {
        if (key[r] >= problem.positions || k * kTile + column >= problem.width) return;
        if (partials.sums) {
          const int64_t row = (static_cast<int64_t>(share) * problem.positions + key[r]) * problem.keyHeads + keyHead;
          storeScaled(partials.sums + (row * 2 + ofValues) * problem.width + k * kTile + column, run, 1);
        } else {
          const int64_t at = ofValues ? problem.valueAt(keyHead, key[r]) : problem.keyAt(keyHead, key[r]);
          storeScaled(gradients.dqkv + at + k * kTile + column, run, ofValues ? 1 : problem.scale * kLn2);
        }
      });
    };
    put(dkeys[k], false);
    put(dvalues[k], true);
  }
}

/// The shares' sums, added in order.
template <class T>
AURORA_KERNEL(kThreads) void sumSharesKernel(Problem<T> problem, KeyPartials partials, T* dqkv) {
  const int width = problem.width;
  const int64_t size = static_cast<int64_t>(problem.positions) * problem.keyHeads * 2 * width;
  forGrid(size, [&](int64_t i) {
    float sum = 0;
    for (int share = 0; share < partials.splits; ++share) sum += partials.sums[share * size + i];
    const int64_t row = i / width, pair = row / 2, position = pair / problem.keyHeads;
    const int keyHead = static_cast<int>(pair - position * problem.keyHeads);
    const bool ofValues = row % 2 != 0;
    T* const to = dqkv + problem.keyAt(keyHead, static_cast<int>(position)) + (ofValues ? width : 0);
    put(to + (i - row * width), ofValues ? sum : sum * (problem.scale * kLn2));
  });
}

}  // namespace aurora::hip::flash
