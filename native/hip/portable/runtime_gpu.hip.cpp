// The host side on HIP and CUDA, whose calls have the same names after the prefix.
#include <cstring>

#include "core/error.h"
#include "hip/portable/kernel_name.h"
#include "hip/portable/portable.h"

namespace aurora::hip::runtime {
namespace {

void expectSuccess(AURORA_GPU(Error_t) status, const char* call) {
  if (status == AURORA_GPU(Success)) return;
  throw Error(code::kDevice, call, "success", AURORA_GPU(GetErrorString)(status));
}
#define AURORA_CALL(name, ...) expectSuccess(AURORA_GPU(name)(__VA_ARGS__), #name)

AURORA_GPU(Stream_t) stream(Queue queue) { return static_cast<AURORA_GPU(Stream_t)>(queue.native); }
AURORA_GPU(Event_t) event(Marker marker) { return static_cast<AURORA_GPU(Event_t)>(marker.native); }

/// What is not there is no error to be met again by the next call.
template <class Status>
bool exhausted(Status status, const char* call) {
  if (status == AURORA_GPU(Success)) return false;
  (void)AURORA_GPU(GetLastError)();
#ifdef __HIP__
  const bool memory = status == hipErrorOutOfMemory;
#else
  const bool memory = status == cudaErrorMemoryAllocation;
#endif
  if (!memory) expectSuccess(status, call);
  return true;
}

}  // namespace

#ifdef __HIP__
const char* const kKind = "hip";
#else
const char* const kKind = "cuda";
#endif
const bool kEmulated = false;

int deviceCount() {
  int count = 0;
  const auto status = AURORA_GPU(GetDeviceCount)(&count);
  if (status == AURORA_GPU(ErrorNoDevice)) return 0;
  expectSuccess(status, "GetDeviceCount");
  return count;
}

DeviceProperties properties(int device) {
#ifdef __HIP__
  hipDeviceProp_t found;
#else
  cudaDeviceProp found;
#endif
  AURORA_CALL(GetDeviceProperties, &found, device);
  DeviceProperties properties;
  properties.name = found.name;
  properties.computeUnits = found.multiProcessorCount;
  properties.wave = found.warpSize;
  properties.sharedBytes = found.sharedMemPerBlock;
  properties.memoryBytes = found.totalGlobalMem;
  properties.memoryBusBits = found.memoryBusWidth;
  int clock = 0, memoryClock = 0;  // kHz
#ifdef __HIP__
  properties.architecture = found.gcnArchName;  // "gfx90a:sramecc+:xnack-"
  clock = found.clockRate;
  memoryClock = found.memoryClockRate;
#else
  properties.architecture = "sm_" + std::to_string(10 * found.major + found.minor);
  cudaDeviceGetAttribute(&clock, cudaDevAttrClockRate, device);
  cudaDeviceGetAttribute(&memoryClock, cudaDevAttrMemoryClockRate, device);
#endif
  properties.clockMHz = clock / 1000.0;
  properties.memoryClockMHz = memoryClock / 1000.0;
  return properties;
}

void use(int device) { AURORA_CALL(SetDevice, device); }

void* allocate(size_t bytes) {
  void* memory = nullptr;
  return exhausted(AURORA_GPU(Malloc)(&memory, bytes), "Malloc") ? nullptr : memory;
}
void release(void* memory) noexcept { (void)AURORA_GPU(Free)(memory); }
void* allocatePinned(size_t bytes) {
  void* memory = nullptr;
#ifdef __HIP__
  return exhausted(hipHostMalloc(&memory, bytes, 0), "HostMalloc") ? nullptr : memory;
#else
  return exhausted(cudaHostAlloc(&memory, bytes, 0), "HostAlloc") ? nullptr : memory;
#endif
}
void releasePinned(void* memory) noexcept {
#ifdef __HIP__
  (void)hipHostFree(memory);
#else
  (void)cudaFreeHost(memory);
#endif
}
void memory(size_t& free, size_t& total) { AURORA_CALL(MemGetInfo, &free, &total); }

void copyToDevice(Queue queue, void* y, const void* host, size_t bytes) {
  AURORA_CALL(MemcpyAsync, y, host, bytes, AURORA_GPU(MemcpyHostToDevice), stream(queue));
}
void copyToHost(Queue queue, void* host, const void* x, size_t bytes) {
  AURORA_CALL(MemcpyAsync, host, x, bytes, AURORA_GPU(MemcpyDeviceToHost), stream(queue));
}
void copyOnDevice(Queue queue, void* y, const void* x, size_t bytes) {
  AURORA_CALL(MemcpyAsync, y, x, bytes, AURORA_GPU(MemcpyDeviceToDevice), stream(queue));
}
void set(Queue queue, void* y, int byte, size_t bytes) { AURORA_CALL(MemsetAsync, y, byte, bytes, stream(queue)); }
void callOnHost(Queue queue, void (*function)(void*), void* data) {
#ifdef __HIP__
  // hipLaunchHostFunc is younger than ROCm 5.2. The callback wants a stream and a status as well.
  struct Call {
    void (*function)(void*);
    void* data;
  };
  const auto call = new Call{function, data};
  const auto run = [](hipStream_t, hipError_t, void* p) {
    const auto made = static_cast<Call*>(p);
    made->function(made->data);
    delete made;
  };
  const hipError_t status = hipStreamAddCallback(stream(queue), run, call, 0);
  if (status != hipSuccess) delete call;
  expectSuccess(status, "StreamAddCallback");
#else
  AURORA_CALL(LaunchHostFunc, stream(queue), function, data);
#endif
}

Queue createQueue() {
  AURORA_GPU(Stream_t) made = nullptr;
  AURORA_CALL(StreamCreateWithFlags, &made, AURORA_GPU(StreamNonBlocking));
  return {made};
}
void destroyQueue(Queue queue) noexcept { (void)AURORA_GPU(StreamDestroy)(stream(queue)); }
void synchronize(Queue queue) { AURORA_CALL(StreamSynchronize, stream(queue)); }

Marker createMarker() {
  AURORA_GPU(Event_t) made = nullptr;
  // Sleeping while they wait leaves the processor to others.
  AURORA_CALL(EventCreateWithFlags, &made, AURORA_GPU(EventDisableTiming) | AURORA_GPU(EventBlockingSync));
  return {made};
}
void destroyMarker(Marker marker) noexcept { (void)AURORA_GPU(EventDestroy)(event(marker)); }
void record(Queue queue, Marker marker) { AURORA_CALL(EventRecord, event(marker), stream(queue)); }
void wait(Queue queue, Marker marker) { AURORA_CALL(StreamWaitEvent, stream(queue), event(marker), 0); }
bool done(Marker marker) {
  const auto status = AURORA_GPU(EventQuery)(event(marker));
  if (status == AURORA_GPU(ErrorNotReady)) return false;
  expectSuccess(status, "EventQuery");
  return true;
}
void synchronize(Marker marker) { AURORA_CALL(EventSynchronize, event(marker)); }

void checkLaunch(const char* kernel) {
  const auto status = AURORA_GPU(GetLastError)();
  if (status == AURORA_GPU(Success)) return;
  throw Error(code::kDevice, kernelName(kernel), "to be launched", AURORA_GPU(GetErrorString)(status));
}

}  // namespace aurora::hip::runtime
