// The emulator's host side: everything runs when it is enqueued, on the caller's thread, so that queues are always empty and markers passed.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "core/error.h"
#include "cpu/limits.h"
#include "hip/portable/emulator_memory.h"
#include "hip/portable/portable.h"

namespace aurora::hip::runtime {
namespace {

void expectOnDevice(const char* what, const void* memory, size_t bytes) {
  if (bytes > 0 && !emulator::onDevice(memory, bytes))
    throw Error(code::kDevice, what, std::to_string(bytes) + " bytes inside one allocation of the device",
                "some outside: the first is " + emulator::describeAddress(memory));
}

}  // namespace

const char* const kKind = "emulator";
const bool kEmulated = true;

int deviceCount() { return 1; }

DeviceProperties properties(int) {
  DeviceProperties properties;
  properties.name = "emulator with waves of " + std::to_string(kWave);
  properties.architecture = "emulator";
  properties.computeUnits = static_cast<int>(std::thread::hardware_concurrency());
  properties.wave = kWave;
  properties.sharedBytes = kMaxSharedBytes;
  size_t free;
  memory(free, properties.memoryBytes);
  return properties;
}

void use(int) {}

void* allocate(size_t bytes) {
  size_t free, total;
  memory(free, total);
  return bytes > free ? nullptr : emulator::allocateDevice(bytes);
}
void release(void* memory) noexcept { emulator::releaseDevice(memory); }
void* allocatePinned(size_t bytes) { return std::malloc(bytes); }
void releasePinned(void* memory) noexcept { std::free(memory); }

void memory(size_t& free, size_t& total) {
  static const size_t available = cpu::availableMemory();
  total = available;
  free = available - std::min(available, emulator::deviceBytes());
}

void copyToDevice(Queue, void* y, const void* host, size_t bytes) {
  expectOnDevice("copyToDevice", y, bytes);
  std::memcpy(y, host, bytes);
}
void copyToHost(Queue, void* host, const void* x, size_t bytes) {
  expectOnDevice("copyToHost", x, bytes);
  std::memcpy(host, x, bytes);
}
void copyOnDevice(Queue, void* y, const void* x, size_t bytes) {
  expectOnDevice("copyOnDevice", y, bytes);
  expectOnDevice("copyOnDevice", x, bytes);
  std::memmove(y, x, bytes);
}
void set(Queue, void* y, int byte, size_t bytes) {
  expectOnDevice("set", y, bytes);
  std::memset(y, byte, bytes);
}
void callOnHost(Queue, void (*function)(void*), void* data) { function(data); }

Queue createQueue() { return {}; }
void destroyQueue(Queue) noexcept {}
void synchronize(Queue) {}

Marker createMarker() { return {}; }
void destroyMarker(Marker) noexcept {}
void record(Queue, Marker) {}
void wait(Queue, Marker) {}
bool done(Marker) { return true; }
void synchronize(Marker) {}

void checkLaunch(const char*) {}

}  // namespace aurora::hip::runtime
