#include "core/allocator.h"

#include <algorithm>
#include <bit>

#include "core/error.h"

namespace aurora {
namespace {

constexpr size_t kSmallest = 64;
constexpr size_t kLargestStep = size_t{2} << 20;
/// A cached block serves a request when at most a quarter of it would lie idle.
constexpr size_t mostFor(size_t size) { return size + size / 3; }
/// The cache may make up for changing shapes, not hoard: it is cut when the device holds more than this.
constexpr size_t mostReserved(size_t highest) { return highest + highest / 2 + (size_t{256} << 20); }

}  // namespace

size_t Allocator::sizeClass(size_t bytes) {
  bytes = std::max(bytes, kSmallest);
  const size_t step = std::clamp(std::bit_floor(bytes) / 8, kSmallest, kLargestStep);
  return (bytes + step - 1) / step * step;
}

Allocator::~Allocator() {
  for (auto& pending : pending_) backend_.release(pending.block.data, pending.block.size);
  for (auto& [stream, bins] : cached_)
    for (auto& [size, cached] : bins) backend_.release(cached.block.data, size);
}

Allocator::Block Allocator::allocate(size_t bytes, Stream& home) {
  Block block{nullptr, backend_.exactMemory() ? std::max<size_t>(bytes, 1) : sizeClass(bytes), bytes, &home};
  collect();
  block.data = reuse(block.size, home, block.size);
  if (!block.data) {
    block.data = backend_.allocate(block.size);
    if (!block.data) {
      releaseNow();
      block.data = backend_.allocate(block.size);
    }
    if (!block.data)
      throw Error(code::kOutOfMemory, "alloc", std::to_string(bytes) + " more bytes",
                  "device '" + backend_.info().name + "' out of memory with " + std::to_string(statistics_.allocated) + " bytes in use",
                  "use smaller micro-batches, activation checkpointing or bf16");
    statistics_.reserved += block.size;
  }
  statistics_.allocated += bytes;
  statistics_.peak = std::max(statistics_.peak, statistics_.allocated);
  highest_ = std::max(highest_, statistics_.allocated);
  return block;
}

void Allocator::free(Block block, const std::vector<Stream*>& others) {
  statistics_.allocated -= block.bytes;
  if (others.empty()) return cache(block);
  Pending pending{block, {}};
  for (Stream* other : others) pending.events.push_back(other->record());
  pending_.push_back(std::move(pending));
}

void Allocator::trim() {
  collect();
  for (auto& [stream, bins] : cached_) {
    for (auto& [size, cached] : bins) discard(cached.block);
    bins.clear();
  }
}

/// The smallest cached block of this stream that fits without much waste.
void* Allocator::reuse(size_t size, Stream& home, size_t& found) {
  Bins& bins = cached_[&home];
  const auto fit = bins.lower_bound(size);
  if (fit == bins.end() || fit->first > mostFor(size)) return nullptr;
  void* data = fit->second.block.data;
  found = fit->first;
  cachedBytes_ -= found;
  bins.erase(fit);
  return data;
}

/// Blocks whose other streams are through with them join the cache.
void Allocator::collect() {
  std::erase_if(pending_, [this](Pending& pending) {
    for (const auto& event : pending.events)
      if (!event->done()) return false;
    cache(pending.block);
    return true;
  });
}

void Allocator::cache(Block block) {
  if (backend_.exactMemory()) {
    cachedBytes_ += block.size;
    return discard(block);
  }
  cached_[block.home].emplace(block.size, Cached{block, ++clock_});
  cachedBytes_ += block.size;
  limit();
}

void Allocator::limit() {
  while (cachedBytes_ > 0 && statistics_.reserved > mostReserved(highest_)) {
    Bins* oldestBins = nullptr;
    Bins::iterator oldest;
    for (auto& [stream, bins] : cached_)
      for (auto it = bins.begin(); it != bins.end(); ++it)
        if (!oldestBins || it->second.freed < oldest->second.freed) {
          oldestBins = &bins;
          oldest = it;
        }
    discard(oldest->second.block);
    oldestBins->erase(oldest);
  }
}

/// Enqueued work may still use a cached block, so its stream gives it back. The holder releases it whether the callback ran or was
/// dropped by a closing stream.
void Allocator::discard(const Block& block) {
  statistics_.reserved -= block.size;
  cachedBytes_ -= block.size;
  std::shared_ptr<void> holder(block.data, [&backend = backend_, size = block.size](void* data) { backend.release(data, size); });
  block.home->then([holder] {});
}

void Allocator::releaseNow() {
  for (const auto& stream : streams_) stream->drain();
  trim();
  for (const auto& stream : streams_) stream->drain();
}

}  // namespace aurora
