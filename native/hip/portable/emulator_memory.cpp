#include "hip/portable/emulator_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

namespace aurora::hip::emulator {
namespace {

constexpr size_t kGuard = size_t{64} << 10;
constexpr size_t kWatched = 64;  // bytes before the start
constexpr int kWatchByte = 0xab, kFresh = 0xff;

size_t pages(size_t bytes) {
  static const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

bool holds(const std::byte* start, size_t bytes, int value) {
  return std::all_of(start, start + bytes, [=](std::byte b) { return b == std::byte(value); });
}

struct Allocations {
  std::mutex mutex;
  std::map<std::byte*, GuardedMemory> byEnd;
  size_t bytes = 0;

  /// The allocation that the address is in or near.
  const GuardedMemory* find(const void* address) {
    const auto at = static_cast<std::byte*>(const_cast<void*>(address));
    for (auto next = byEnd.lower_bound(at); next != byEnd.end(); ++next) return next->second.near(address) ? &next->second : before(next, at);
    return before(byEnd.end(), at);
  }

 private:
  const GuardedMemory* before(std::map<std::byte*, GuardedMemory>::iterator next, const void* address) {
    if (next == byEnd.begin()) return nullptr;
    const GuardedMemory& previous = std::prev(next)->second;
    return previous.near(address) ? &previous : nullptr;
  }
};

Allocations& allocations() {
  static auto* const all = new Allocations;  // outlives the threads that still run at the program's end
  return *all;
}

}  // namespace

GuardedMemory::GuardedMemory(size_t bytes) {
  mapped_ = kGuard + pages(bytes + kWatched) + kGuard;
  void* mapping = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return;
  mapping_ = static_cast<std::byte*>(mapping);
  if (mprotect(mapping_ + kGuard, mapped_ - 2 * kGuard, PROT_READ | PROT_WRITE) != 0) return;
  data_ = mapping_ + mapped_ - kGuard;
  resize(bytes);
}

GuardedMemory::~GuardedMemory() {
  if (mapping_) munmap(mapping_, mapped_);
}

GuardedMemory::GuardedMemory(GuardedMemory&& other) noexcept
    : mapping_(std::exchange(other.mapping_, nullptr)), mapped_(other.mapped_), data_(other.data_), bytes_(other.bytes_) {}

void GuardedMemory::resize(size_t bytes) {
  bytes_ = bytes;
  data_ = mapping_ + mapped_ - kGuard - gap() - bytes;
  std::memset(data_ - kWatched, kWatchByte, kWatched);
  std::memset(data_, kFresh, bytes);
  std::memset(data_ + bytes, kWatchByte, gap());
}

bool GuardedMemory::whole() const { return holds(data_ - kWatched, kWatched, kWatchByte) && holds(data_ + bytes_, gap(), kWatchByte); }

bool GuardedMemory::near(const void* address) const { return address >= mapping_ && address < mapping_ + mapped_; }

std::string GuardedMemory::describe(const void* address, const char* what) const {
  const auto at = static_cast<const std::byte*>(address);
  const std::string of = " of " + std::to_string(bytes_) + " bytes of " + what;
  if (at < data_) return std::to_string(data_ - at) + " bytes before the start" + of;
  if (at < data_ + bytes_) return "byte " + std::to_string(at - data_) + of;
  return std::to_string(at - (data_ + bytes_)) + " bytes past the end" + of;
}

void* allocateDevice(size_t bytes) {
  GuardedMemory memory(bytes);
  if (!memory.data()) return nullptr;
  void* data = memory.data();
  std::lock_guard lock(allocations().mutex);
  allocations().bytes += bytes;
  allocations().byEnd.emplace(memory.data() + bytes, std::move(memory));
  return data;
}

void releaseDevice(void* memory) {
  Allocations& all = allocations();
  std::lock_guard lock(all.mutex);
  const GuardedMemory* found = all.find(memory);
  if (!found) return;
  all.bytes -= found->bytes();
  all.byEnd.erase(found->data() + found->bytes());
}

size_t deviceBytes() {
  std::lock_guard lock(allocations().mutex);
  return allocations().bytes;
}

bool onDevice(const void* start, size_t bytes) {
  Allocations& all = allocations();
  std::lock_guard lock(all.mutex);
  const GuardedMemory* found = all.find(start);
  const auto first = static_cast<const std::byte*>(start);
  return found && first >= found->data() && first + bytes <= found->data() + found->bytes();
}

std::string describeAddress(const void* address) {
  Allocations& all = allocations();
  std::lock_guard lock(all.mutex);
  const GuardedMemory* found = all.find(address);
  if (found) return found->describe(address, "device memory");
  if (reinterpret_cast<uintptr_t>(address) < 4096) return "a null pointer";
  return "an address outside all memory (freed, or never allocated)";
}

std::string damagedAllocation() {
  Allocations& all = allocations();
  std::lock_guard lock(all.mutex);
  for (const auto& [end, memory] : all.byEnd)
    if (!memory.whole()) return "written bytes right beside an allocation of " + std::to_string(memory.bytes()) + " bytes";
  return "";
}

}  // namespace aurora::hip::emulator
