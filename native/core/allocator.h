// The caching allocator of one device. It is stream-ordered: memory freed while work on it is still queued goes back to the stream it
// was allocated for, and later work on that stream may have it at once, because it runs later. Memory that other streams
// have used comes back when an event of each of them is done. Used by one thread.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <vector>

#include "core/backend.h"

namespace aurora {

class Allocator {
 public:
  struct Block {
    void* data = nullptr;
    size_t size = 0;         // of the block: `bytes`, rounded up to a size class
    size_t bytes = 0;        // asked for
    Stream* home = nullptr;  // the stream it was allocated for
  };

  /// Bytes; `allocated` counts what was asked for, `reserved` what is held from the system: blocks in use and blocks cached.
  struct Statistics {
    size_t allocated = 0, reserved = 0, peak = 0;
  };

  /// `streams` are the device's: drained when memory runs out.
  Allocator(Backend& backend, const std::vector<std::unique_ptr<Stream>>& streams) : backend_(backend), streams_(streams) {}
  /// All streams have been closed.
  ~Allocator();
  Allocator(const Allocator&) = delete;
  Allocator& operator=(const Allocator&) = delete;

  /// Throws ERR_OUT_OF_MEMORY when the system has no more even after the cache was given back.
  Block allocate(size_t bytes, Stream& home);
  /// `others`: the streams besides its home that work on the block was enqueued on.
  void free(Block block, const std::vector<Stream*>& others);
  /// Gives cached blocks back to the system, each as soon as its stream has run what is enqueued now.
  void trim();

  const Statistics& statistics() const { return statistics_; }
  void resetPeak() { statistics_.peak = statistics_.allocated; }

  /// At most an eighth of a block is lost to rounding; blocks from 16 MiB up are multiples of 2 MiB.
  static size_t sizeClass(size_t bytes);

 private:
  struct Cached {
    Block block;
    uint64_t freed;  // a clock: the smallest is the oldest
  };
  struct Pending {
    Block block;
    std::vector<std::shared_ptr<Event>> events;
  };
  using Bins = std::multimap<size_t, Cached>;  // by size

  void* reuse(size_t size, Stream& home, size_t& found);
  void collect();
  void cache(Block block);
  void limit();
  void discard(const Block& block);
  void releaseNow();

  Backend& backend_;
  const std::vector<std::unique_ptr<Stream>>& streams_;
  std::map<Stream*, Bins> cached_;
  std::vector<Pending> pending_;
  Statistics statistics_;
  size_t highest_ = 0;  // the highest `allocated` ever
  size_t cachedBytes_ = 0;
  uint64_t clock_ = 0;
};

}  // namespace aurora
