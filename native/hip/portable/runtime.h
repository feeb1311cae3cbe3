// The host side of a GPU: devices, memory, queues (the vendors' streams) and events. Implemented by runtime_gpu.hip.cpp for HIP and CUDA and
// by runtime_emulator.cpp. What a driver refuses throws aurora::Error (ERR_DEVICE) with the driver's words; a queue's asynchronous
// failures surface at the next call on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace aurora::hip {

/// A vendor's stream; runs its work in order.
struct Queue {
  void* native = nullptr;
};
/// A vendor's event: a point in a queue.
struct Marker {
  void* native = nullptr;
};

struct DeviceProperties {
  std::string name;          // "AMD Instinct MI250X"
  std::string architecture;  // "gfx90a", "sm_90"
  int computeUnits = 0;
  int wave = 0;              // lanes
  size_t sharedBytes = 0;    // shared memory (LDS) a block may have
  size_t memoryBytes = 0;
  double clockMHz = 0;       // highest
  double memoryClockMHz = 0;
  int memoryBusBits = 0;
};

namespace runtime {

/// "hip", "cuda" or "emulator": the kind of device names.
extern const char* const kKind;
/// Whether this is the emulator, which watches over the ends of memory: pieces should be exactly as large as they are used.
extern const bool kEmulated;

/// Throws when the driver cannot be asked.
int deviceCount();
DeviceProperties properties(int device);
/// The calling thread's device from now on. All calls below are about it.
void use(int device);

/// Null when memory is exhausted.
void* allocate(size_t bytes);
/// Waits for work that may still use it. Neither throws nor reports: used when all else has failed, too.
void release(void* memory) noexcept;
/// Page-locked host memory, the only kind that copies overlap with; null when exhausted.
void* allocatePinned(size_t bytes);
void releasePinned(void* memory) noexcept;
/// Bytes free and in total.
void memory(size_t& free, size_t& total);

/// Enqueued. Host memory is page-locked and stays valid until the copy has run.
void copyToDevice(Queue, void* y, const void* host, size_t bytes);
void copyToHost(Queue, void* host, const void* x, size_t bytes);
void copyOnDevice(Queue, void* y, const void* x, size_t bytes);
/// Sets every byte.
void set(Queue, void* y, int byte, size_t bytes);
/// Calls function(data) in the queue's order on a thread of the driver's, holding the queue up meanwhile. It must not call this
/// interface. After a failure of the device it may never be called.
void callOnHost(Queue, void (*function)(void*), void* data);

Queue createQueue();
void destroyQueue(Queue) noexcept;
/// Blocks until the queue is empty.
void synchronize(Queue);

Marker createMarker();
void destroyMarker(Marker) noexcept;
void record(Queue, Marker);
/// Work enqueued from now on starts after the marker's point.
void wait(Queue, Marker);
bool done(Marker);
/// Blocks until done.
void synchronize(Marker);

/// Throws the launch's error, if there is one; `kernel` is kernelText.
void checkLaunch(const char* kernel);

}  // namespace runtime
}  // namespace aurora::hip
