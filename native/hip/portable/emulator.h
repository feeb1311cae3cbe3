// The kernel language on the CPU: each thread of a block is a fiber, the waves of a block run one after another from one meeting of
// their lanes to the next, blocks run on several host threads, and a launch returns when its kernel has run. portable.h says what each name
// means; only it includes this file.
//
// A launch throws aurora::Error (ERR_DEVICE) naming kernel, block and thread when
// - a barrier is not reached by all threads of the block, or by some of them at another place;
// - a wave operation is not reached by all lanes of its wave, or some are in another operation;
// - shared memory beyond 64 KiB, or a block that is no multiple of the wave, is asked for;
// - memory outside shared memory or the device's allocations is touched: those end (to 16 bytes) at a page that nobody may touch, the bytes
//   around them are watched, and memory that was never written holds NaN;
// - threads of different waves touch the same bytes of shared memory, one of them changing these, with no blockSync() between: where kernels are
//   compiled with the compiler's hooks for that (the native tests are, see emulator_races.cpp). That several write the same is let pass.
#pragma once

#include <cmath>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#define AURORA_KERNEL(threads)
#define AURORA_KERNEL_RESIDENT(threads, blocks)
#define AURORA_DEVICE
#define AURORA_UNROLL
#define AURORA_UNROLL_BY(count)

namespace aurora::hip {

constexpr int kWave = AURORA_WAVE;
static_assert(kWave == 32 || kWave == 64);

/// Where an operation of many threads stands in the source: all must be at the same one.
struct Site {
  const char* file = "";
  int line = 0;
  static constexpr Site current(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
  bool operator==(const Site&) const = default;
};

namespace emulator {

/// The fiber that runs on this host thread.
struct Current {
  int thread = 0, threads = 0;
  Grid block, grid;
  std::byte* shared = nullptr;
  size_t sharedBytes = 0;
};
extern thread_local Current current __attribute__((tls_model("initial-exec")));

constexpr size_t kMaxPayload = 128;

void barrier(Site site);
/// Lays the lanes' payloads of `bytes` one behind another, in order of lanes; returns when all lanes of the wave have come here. The last
/// to come calls `complete` on them first. They stay as they are until the lane's next wave operation but one.
std::byte* meet(const char* operation, const void* payload, size_t bytes, Site site, void (*complete)(std::byte*) = nullptr);
/// The thread's asynchronous copies of 16 bytes: they are made when it waits for them, the latest time at which a GPU may make them.
void copyLater(void* shared, const void* p);
void makeCopies();
/// The thread reads or writes bytes of shared memory, `at` from its start.
void touch(size_t at, size_t bytes, bool write);
/// Ends the launch: this thread did what it must not.
[[noreturn]] void fault(const std::string& expected, const std::string& found);

using Body = void (*)(void* arguments);
void run(const char* kernel, Grid grid, int threads, size_t sharedBytes, Body body, void* arguments);

}  // namespace emulator

inline int threadIndex() { return emulator::current.thread; }
inline int blockThreads() { return emulator::current.threads; }
inline int blockX() { return static_cast<int>(emulator::current.block.x); }
inline int blockY() { return static_cast<int>(emulator::current.block.y); }
inline int blockZ() { return static_cast<int>(emulator::current.block.z); }
inline int gridX() { return static_cast<int>(emulator::current.grid.x); }
inline int gridY() { return static_cast<int>(emulator::current.grid.y); }
inline int gridZ() { return static_cast<int>(emulator::current.grid.z); }

inline void blockSync(Site site = Site::current()) { emulator::barrier(site); }
inline void keepOrder() {}
inline void threadFence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

template <class T>
inline T shuffleFrom(const char* operation, T v, int lane, Site site) {
  static_assert(std::is_trivially_copyable_v<T> && (sizeof(T) == 4 || sizeof(T) == 8));
  const std::byte* payloads = emulator::meet(operation, &v, sizeof v, site);
  memcpy(&v, payloads + static_cast<size_t>(lane & (kWave - 1)) * sizeof v, sizeof v);
  return v;
}
template <class T>
inline T shuffle(T v, int lane, Site site = Site::current()) {
  return shuffleFrom("shuffle", v, lane, site);
}
template <class T>
inline T shuffleXor(T v, int mask, Site site = Site::current()) {
  return shuffleFrom("shuffleXor", v, (threadIndex() % kWave) ^ mask, site);
}
template <class T>
inline T shuffleDown(T v, int delta, Site site = Site::current()) {
  return shuffleFrom("shuffleDown", v, threadIndex() % kWave + delta, site);
}
inline uint64_t ballot(bool flag, Site site = Site::current()) {
  const std::byte* flags = emulator::meet("ballot", &flag, 1, site);
  uint64_t bits = 0;
  for (int lane = 0; lane < kWave; ++lane) bits |= static_cast<uint64_t>(flags[lane]) << lane;
  return bits;
}

inline int waveUniform(int v, Site site = Site::current()) {
  int lanes[kWave];
  memcpy(lanes, emulator::meet("waveUniform", &v, sizeof v, site), sizeof lanes);
  if (v != lanes[0])
    emulator::fault("waveUniform of one value in all lanes", std::to_string(v) + " beside " + std::to_string(lanes[0]) + " in lane 0");
  return v;
}

template <class T>
inline T* sharedMemory() {
  return reinterpret_cast<T*>(emulator::current.shared);
}

template <size_t bytes>
inline void checkAligned(const void* p) {
  if (reinterpret_cast<uintptr_t>(p) % bytes != 0) emulator::fault("an address aligned to " + std::to_string(bytes) + " bytes", "one that is not");
}
template <size_t bytes, class T>
inline Bits<bytes> loadBits(const T* p) {
  checkAligned<bytes>(p);
  Bits<bytes> bits;
  memcpy(&bits, p, sizeof bits);
  return bits;
}
template <size_t bytes, class T>
inline void storeBits(T* p, const Bits<bytes>& bits) {
  checkAligned<bytes>(p);
  memcpy(static_cast<void*>(p), &bits, sizeof bits);
}
constexpr bool kAsyncCopies = kWave == 32;
inline void copyAsync(void* shared, const void* p) {
  checkAligned<16>(shared);
  checkAligned<16>(p);
  if constexpr (kAsyncCopies)
    emulator::copyLater(shared, p);
  else
    memcpy(shared, p, 16);
}
inline void awaitCopies() { emulator::makeCopies(); }
inline int bitCount(uint64_t bits) { return __builtin_popcountll(bits); }

inline float fastExp2(float x) { return x < -126 ? 0 : exp2f(x); }

inline uint64_t atomicMinimum(uint64_t* p, uint64_t v) {
  uint64_t old = __atomic_load_n(p, __ATOMIC_RELAXED);
  while (v < old && !__atomic_compare_exchange_n(p, &old, v, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return old;
}
inline uint32_t atomicIncrease(uint32_t* p, uint32_t v) { return __atomic_fetch_add(p, v, __ATOMIC_RELAXED); }

inline float rsqrtf(float x) { return 1 / sqrtf(x); }

template <auto kernel, class... Parameters, class... Arguments>
inline void launchTyped(void (*)(Parameters...), Grid grid, int threads, size_t sharedBytes, Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments), "as many arguments as the kernel has parameters");
  using Tuple = std::tuple<std::decay_t<Parameters>...>;
  Tuple values(static_cast<Parameters>(arguments)...);
  emulator::run(kernelText<kernel>(), grid, threads, sharedBytes, [](void* p) { std::apply(kernel, *static_cast<Tuple*>(p)); }, &values);
}
template <auto kernel, class... Arguments>
inline void launch(Queue, Grid grid, int threads, size_t sharedBytes, Arguments&&... arguments) {
  if (grid.empty()) return;
  launchTyped<kernel>(kernel, grid, threads, sharedBytes, std::forward<Arguments>(arguments)...);
}

}  // namespace aurora::hip
