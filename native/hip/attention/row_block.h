// A block of rows, for the kernels whose blocks own queries: what its lanes' rows are, what they see, and the walk over those keys.
#pragma once

#include "hip/attention/problem.h"
#include "hip/attention/tile.h"

namespace aurora::hip::flash {

/// Which keys the rows of a wave see, at least and at most.
struct Reach {
  int lowestFirst, highestFirst, lowestLast, highestLast;

  AURORA_DEVICE static Reach ofWave(Reach lane) {
    return {waveUniform(waveReduce(lane.lowestFirst, Min{})), waveUniform(waveReduce(lane.highestFirst, Max{})),
            waveUniform(waveReduce(lane.lowestLast, Min{})), waveUniform(waveReduce(lane.highestLast, Max{}))};
  }
  AURORA_DEVICE void add(int first, int last) {
    lowestFirst = first < lowestFirst ? first : lowestFirst;
    highestFirst = first > highestFirst ? first : highestFirst;
    lowestLast = last < lowestLast ? last : lowestLast;
    highestLast = last > highestLast ? last : highestLast;
  }
  /// Whether some row may see one of keys begin … end − 1; whether all rows see them all.
  AURORA_DEVICE bool any(int begin, int end) const { return begin <= highestLast && end > lowestFirst; }
  AURORA_DEVICE bool all(int begin, int end) const { return end - 1 <= lowestLast && begin >= highestFirst; }
};

/// Row tiles of a wave: each operand of keys and values that it reads from shared memory serves them all. What they need of registers is one
/// row tile on NVIDIA, and two on AMD but where heads are too wide.
constexpr int rowTiles(bool wide) { return kWave == 64 && !wide ? 2 : 1; }

/// Rows of one key head, `tiles` row tiles for each wave: a lane holds kRows rows of each.
template <class T, int tiles>
struct RowBlock {
  static constexpr int kTiles = tiles, kRows = OperandAccumulator::kRows, kBlockRows = kBlockWaves * kTiles * kTile;
  const Problem<T>& problem;
  int keyHead;
  Row row[kTiles][kRows];      // past the last one, copies of it
  bool stored[kTiles][kRows];  // whether it is none of these
  int first[kTiles][kRows];    // key that the row sees
  Reach wave;
  int begin, end;  // keys that the block's rows see

  static Grid grid(const Problem<T>& problem) { return {(problem.rows() + kBlockRows - 1) / kBlockRows * problem.keyHeads}; }

  /// `scratch`: kBlockWaves elements of shared memory.
  AURORA_DEVICE RowBlock(const Problem<T>& whole, int* scratch) : problem(whole), keyHead(blockX() % whole.keyHeads) {
    // The last rows see the most keys: they come first.
    const int64_t firstRow = (gridX() / problem.keyHeads - 1 - blockX() / problem.keyHeads) * static_cast<int64_t>(kBlockRows);
    const Rows rows(firstRow, problem.sharing);
    const int64_t left = problem.rows() - firstRow;
    const int count = left < kBlockRows ? static_cast<int>(left) : kBlockRows;
    Reach lane{problem.positions, 0, problem.positions, 0};
    forEach([&](int t, int r) {
      const int number = (waveIndex() * kTiles + t) * kTile + OperandAccumulator::rowOfSlot(laneIndex(), r);
      stored[t][r] = number < count;
      row[t][r] = rows[stored[t][r] ? number : count - 1];
      first[t][r] = problem.firstKey(row[t][r].position);
      lane.add(first[t][r], row[t][r].position);
    });
    wave = Reach::ofWave(lane);
    begin = waveUniform(blockReduce(wave.lowestFirst, Min{}, scratch));
    end = rows[count - 1].position + 1;
  }

  template <class Body>
  AURORA_DEVICE static void forEach(Body&& body) {
    AURORA_UNROLL
    for (int t = 0; t < kTiles; ++t)
      AURORA_UNROLL
      for (int r = 0; r < kRows; ++r) body(t, r);
  }
  AURORA_DEVICE bool sees(int t, int r, int key) const { return key >= first[t][r] && key <= row[t][r].position; }

  /// The rows' vectors as operands: vector(Row) is where a row's begins.
  template <int kSteps, class Vector>
  AURORA_DEVICE void load(Operand<T> (&operands)[kTiles][kSteps], Vector&& vector) const {
    AURORA_UNROLL
    for (int t = 0; t < kTiles; ++t) {
      const T* from[kRows];
      AURORA_UNROLL
      for (int r = 0; r < kRows; ++r) from[r] = vector(row[t][r]);
      AURORA_UNROLL
      for (int k = 0; k < kSteps; ++k) operands[t][k] = operandOf(from, k * kTile, problem.width);
    }
  }

  /// body(start, whole) for each tile of keys and values that the wave must look at, once it is in shared memory; whole: all rows see all of it.
  template <int kKeys, int W, bool keysAcross, bool valuesAlong, bool valuesAcross, class Body>
  AURORA_DEVICE void forKeyTiles(const Tile<T, kKeys, W, true, keysAcross>& keys, const Tile<T, kKeys, W, valuesAlong, valuesAcross>& values,
                                 Body&& body) const {
    const KeyVectors<T> vectors{problem.qkv + problem.keyAt(keyHead, 0), problem.qkv + problem.valueAt(keyHead, 0), problem.rowWidth,
                                problem.positions, problem.width};
    walkTiles<kThreads>(keys, values, vectors, begin / kKeys * kKeys, end, [&](int start) {
      if (wave.any(start, start + kKeys)) body(start, wave.all(start, start + kKeys));
    });
  }
};

}  // namespace aurora::hip::flash
