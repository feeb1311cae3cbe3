// Which thread touched what of a block's shared memory between two barriers: finds accesses of two waves of which one writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace aurora::hip::emulator {

/// An access to bytes that a thread of another wave touched in the same stretch between two barriers.
struct Conflict {
  size_t byte;      // in shared memory
  bool changes;     // it changes the bytes; else it reads them
  int16_t other;    // the thread that touched them before
  bool afterWrite;  // and wrote them; else it read them
};

class Touches {
 public:
  /// For shared memory of at most `bytes`.
  explicit Touches(size_t bytes) : cells_(bytes / kCell) {}

  /// A barrier was passed.
  void nextStretch() { ++stretch_; }
  /// Before `thread` touches bytes of `shared`. Waves run one after another, so that what is found in the present stretch was done by one
  /// that has gone on to the next barrier.
  std::optional<Conflict> touch(int thread, const std::byte* shared, size_t at, size_t bytes, bool write);
  /// Of the writes of the thread that runs, when it waits or ends. Writes are seen before they happen; one that leaves the bytes as they
  /// are is no conflict.
  std::optional<Conflict> judgeWrites(const std::byte* shared);
  void forgetWrites() { doubtful_.clear(); }

 private:
  /// Who touched two bytes, by the number of the stretch; those before the present one are past.
  struct Cell {
    uint32_t written = 0, read = 0;
    int16_t writer = 0, reader = 0;
    bool manyReaders = false;  // of different waves
  };
  /// A write to bytes that another wave touched in the same stretch.
  struct DoubtfulWrite {
    size_t cell;
    uint16_t before;
    int16_t other;
    bool afterWrite;
  };
  static constexpr size_t kCell = 2;

  uint32_t stretch_ = 0;
  std::vector<Cell> cells_;
  std::vector<DoubtfulWrite> doubtful_;
};

}  // namespace aurora::hip::emulator
