// Memory that notices when it is left: it ends, to 16 bytes, at pages that nobody may touch, begins after such pages, and the bytes between
// are watched. Fresh memory holds 0xff, which is NaN in floats.
#pragma once

#include <cstddef>
#include <string>

namespace aurora::hip::emulator {

class GuardedMemory {
 public:
  /// No memory (`data` null) when the system has none.
  explicit GuardedMemory(size_t bytes);
  ~GuardedMemory();
  GuardedMemory(GuardedMemory&& other) noexcept;
  GuardedMemory& operator=(GuardedMemory&&) = delete;

  std::byte* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  /// Moves the start so that the memory has `bytes`, at most what it was made with; everything in it is 0xff again.
  void resize(size_t bytes);
  /// Whether the watched bytes around it are as they were.
  bool whole() const;
  /// Whether the address lies in it or in its guards.
  bool near(const void* address) const;
  /// Where an address near it lies: "12 bytes past the end of 80 bytes of <what>".
  std::string describe(const void* address, const char* what) const;

 private:
  size_t gap() const { return (16 - bytes_ % 16) % 16; }

  std::byte* mapping_ = nullptr;
  size_t mapped_ = 0;
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

/// The device's memory: null when the system has no more.
void* allocateDevice(size_t bytes);
void releaseDevice(void* memory);
/// In all allocations.
size_t deviceBytes();
/// Whether all of it lies in one allocation.
bool onDevice(const void* start, size_t bytes);
/// Where an address lies that must not have been touched.
std::string describeAddress(const void* address);
/// The allocation whose surroundings were written to, in words; "" when all are whole.
std::string damagedAllocation();

}  // namespace aurora::hip::emulator
