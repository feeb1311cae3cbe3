// The emulator catches what a GPU would let pass: each mistake is made here on purpose, and its launch must say so.
#include <sys/mman.h>
#include <unistd.h>

#include <csetjmp>
#include <csignal>
#include <functional>

#include "check.h"
#include "core/error.h"
#include "hip/portable/emulator_memory.h"
#include "hip/portable/portable.h"

using namespace aurora;
using namespace aurora::hip;
using namespace aurora::test;

namespace {

constexpr int kThreads = 256;
const Queue queue;

/// The launch fails with an error that names the kernel and contains all of these.
void checkFault(const std::string& what, const char* kernel, const std::vector<std::string>& words, const std::function<void()>& launched) {
  try {
    launched();
  } catch (const Error& error) {
    check(std::string(error.code()) == code::kDevice, what + ": code " + error.code());
    check(error.operation() == kernel, what + ": names the kernel, found " + error.operation());
    for (const std::string& word : words) check(std::string(error.what()).find(word) != std::string::npos, what + ": \"" + word + "\" in: " + error.what());
    return;
  }
  check(false, what + ": was not caught");
}

struct DeviceBytes {
  explicit DeviceBytes(size_t bytes) : data(runtime::allocate(bytes)) {}
  ~DeviceBytes() { runtime::release(data); }
  template <class T>
  T* as() {
    return static_cast<T*>(data);
  }
  void* data;
};

AURORA_KERNEL(kThreads) void skipsBarrier(int thread) {
  if (threadIndex() == thread) return;
  blockSync();
}
AURORA_KERNEL(kThreads) void twoBarriers() {
  if (threadIndex() < kWave)
    blockSync();
  else
    blockSync();
}
AURORA_KERNEL(kThreads) void skipsShuffle(int lane, float* y) {
  float x = static_cast<float>(threadIndex());
  if (laneIndex() != lane) x = shuffleXor(x, 1);
  y[threadIndex()] = x;
}
AURORA_KERNEL(kThreads) void otherOperation(float* y) {
  float x = 1;
  if (laneIndex() < 3)
    x = waveSum(x);
  else
    x = waveMax(x);
  y[threadIndex()] = x;
}
AURORA_KERNEL(kThreads) void barrierAgainstShuffle(float* y) {
  if (laneIndex() == 5)
    blockSync();
  else
    y[threadIndex()] = shuffle(1.0f, 0);
}

AURORA_KERNEL(kThreads) void notUniform(int* y) { y[threadIndex()] = waveUniform(threadIndex() == 9 ? 5 : waveIndex()); }

void meetings() {
  DeviceBytes y(kThreads * 4);
  checkFault("a thread that leaves before a barrier", "skipsBarrier",
             {"blockSync at ", "emulator_test.cpp:", "256 threads of the block", "thread 77 has ended", "in block (0, 0, 0), thread 77"},
             [&] { launch<skipsBarrier>(queue, Grid(3), kThreads, 0, 77); });
  checkFault("threads at two barriers", "twoBarriers", {"blockSync at ", "waits in blockSync at "}, [&] { launch<twoBarriers>(queue, 1, kThreads, 0); });
  checkFault("a lane that skips a wave operation", "skipsShuffle", {"shuffleXor at ", "lanes of the wave", "thread 3 has ended", "thread 3"},
             [&] { launch<skipsShuffle>(queue, 1, kThreads, 0, 3, y.as<float>()); });
  checkFault("lanes in different wave operations", "otherOperation", {"emulator_test.cpp:", "lanes of the wave", "waits in "},
             [&] { launch<otherOperation>(queue, 1, kThreads, 0, y.as<float>()); });
  checkFault("a lane that differs", "notUniform", {"waveUniform of one value", "5 beside 0 in lane 0", "thread 9"},
             [&] { launch<notUniform>(queue, 1, kThreads, 0, y.as<int>()); });
  checkFault("a lane at a barrier", "barrierAgainstShuffle", {"shuffle at ", "thread 5 waits in blockSync at "},
             [&] { launch<barrierAgainstShuffle>(queue, 1, kThreads, 0, y.as<float>()); });
}

AURORA_KERNEL(kThreads) void writesShared(int index) {
  if (threadIndex() == 0) sharedMemory<float>()[index] = 1;
}
AURORA_KERNEL(kThreads) void readsShared(int index, float* y) { *y = sharedMemory<float>()[index]; }

void sharedMemoryEnds() {
  DeviceBytes y(4);
  checkFault("too much shared memory", "writesShared", {"65536", "65537"}, [] { launch<writesShared>(queue, 1, kThreads, 65537, 0); });
  launch<writesShared>(queue, 1, kThreads, 65536, 16383);
  checkFault("a write past shared memory", "writesShared", {"0 bytes past the end of 1024 bytes of shared memory", "in block (0, 0, 0), thread 0"},
             [] { launch<writesShared>(queue, 1, kThreads, 1024, 256); });
  checkFault("a read past shared memory", "readsShared", {"400 bytes past the end of 1024 bytes of shared memory"},
             [&] { launch<readsShared>(queue, 1, kThreads, 1024, 356, y.as<float>()); });
  checkFault("a write right before shared memory", "writesShared", {"right beside"}, [] { launch<writesShared>(queue, 1, kThreads, 1024, -1); });
  checkFault("a write between shared memory and its guard", "writesShared", {"right beside"}, [] { launch<writesShared>(queue, 1, kThreads, 1028, 257); });
  launch<readsShared>(queue, 1, kThreads, 1024, 255, y.as<float>());
  check(std::isnan(*y.as<float>()), "shared memory that was never written is NaN");
}

/// Wave 0 writes what wave 1 reads (or the other way round); `synchronised`: with a barrier between. A bf16's neighbour is another matter.
AURORA_KERNEL(kThreads) void sharesShared(bool readerFirst, bool synchronised, float* y) {
  uint16_t* shared = sharedMemory<uint16_t>();
  const bool first = waveIndex() == 0, second = waveIndex() == 1;
  if (laneIndex() == 4) shared[waveIndex() * 2 + 9] = shared[waveIndex() * 2 + 8] = 1;
  blockSync();
  if (first == !readerFirst && (first || second) && laneIndex() == 3) shared[7] = 1;
  if (synchronised) blockSync();
  if (first == readerFirst && (first || second) && laneIndex() == 5) y[waveIndex()] = shared[7];
  if (laneIndex() == 6) shared[20 + waveIndex()] = shared[20 + waveIndex()] + 1;
  blockSync();
}
AURORA_KERNEL(kThreads) void bothWrite(float step) {
  const float value = 1 + step * static_cast<float>(threadIndex());
  if (laneIndex() == 0) storeRun(sharedMemory<float>(), Run<4, float>{{value, value, value, value}});
}
AURORA_KERNEL(kThreads) void reusesScratch(float* y) {
  // What blockSum leaves is free, what another wave may still read is not.
  float* shared = sharedMemory<float>();
  if (laneIndex() == 0) shared[waveIndex()] = 1;
  blockSync();
  y[threadIndex()] = shared[(waveIndex() + 1) % blockWaves()];
  if (laneIndex() == 0) shared[waveIndex()] = 2;
}

void racesInSharedMemory() {
  DeviceBytes y(kThreads * 4);
  for (bool readerFirst : {false, true}) {
    launch<sharesShared>(queue, 2, kThreads, 128, readerFirst, true, y.as<float>());
    const std::string reader = std::to_string(readerFirst ? 5 : kWave + 5), writer = std::to_string(readerFirst ? kWave + 3 : 3);
    checkFault("a write and a read without a barrier between", "sharesShared",
               {"a blockSync between", "emulator_test.cpp:", "thread " + (readerFirst ? writer : reader) + " after blockSync",
                readerFirst ? "which thread " + reader + " read before" : "which thread " + writer + " wrote before", "byte 14"},
               [&] { launch<sharesShared>(queue, 2, kThreads, 128, readerFirst, false, y.as<float>()); });
  }
  launch<bothWrite>(queue, 1, kThreads, 64, 0);
  checkFault("two writes", "bothWrite", {"after the kernel's start changes byte 2,", "wrote before its end"},
             [] { launch<bothWrite>(queue, 1, kThreads, 64, 1); });
  checkFault("memory used again too early", "reusesScratch", {"changes byte ", "read before"},
             [&] { launch<reusesScratch>(queue, 1, kThreads, 64, y.as<float>()); });
}

AURORA_KERNEL(kThreads) void writesAt(float* y, int64_t index) {
  if (blockX() == 1 && threadIndex() == 9) y[index] = 1;
}
AURORA_KERNEL(kThreads) void readsAt(const float* x, int64_t index, float* y) { *y = x[index]; }
AURORA_KERNEL(kThreads) void readsWide(const float* x, float* y) { *y = loadRun<4>(x).values[3]; }
AURORA_KERNEL(kThreads) void overflowsStack(int depth, float* y) {
  volatile float rubbish[1 << 18];
  rubbish[0] = static_cast<float>(depth);
  *y = rubbish[0];
}

void deviceMemoryEnds() {
  DeviceBytes y(80), other(4);
  launch<writesAt>(queue, 2, kThreads, 0, y.as<float>(), 19);
  checkFault("a write past an allocation", "writesAt", {"0 bytes past the end of 80 bytes of device memory", "in block (1, 0, 0), thread 9"},
             [&] { launch<writesAt>(queue, 2, kThreads, 0, y.as<float>(), 20); });
  checkFault("a read past an allocation", "readsAt", {"920 bytes past the end of 80 bytes of device memory"},
             [&] { launch<readsAt>(queue, 1, kThreads, 0, y.as<float>(), 250, other.as<float>()); });
  checkFault("a read far before an allocation", "readsAt", {"8000 bytes before the start of 80 bytes of device memory"},
             [&] { launch<readsAt>(queue, 1, kThreads, 0, y.as<float>(), -2000, other.as<float>()); });
  checkFault("a null pointer", "readsAt", {"a null pointer"}, [&] { launch<readsAt>(queue, 1, kThreads, 0, static_cast<float*>(nullptr), 0, other.as<float>()); });
  void* freed = runtime::allocate(64);
  runtime::release(freed);
  checkFault("freed memory", "readsAt", {"outside all memory"}, [&] { launch<readsAt>(queue, 1, kThreads, 0, static_cast<float*>(freed), 0, other.as<float>()); });
  checkFault("an address that is not aligned", "readsWide", {"aligned to 16 bytes"},
             [&] { launch<readsWide>(queue, 1, kThreads, 0, y.as<float>() + 1, other.as<float>()); });
  checkFault("too large a local array", "overflowsStack", {"outside all memory"}, [&] { launch<overflowsStack>(queue, 1, kThreads, 0, 1, other.as<float>()); });

  // Between the end of an allocation and the next multiple of 16 nothing stops a write; the bytes there are looked at afterwards.
  DeviceBytes odd(20);
  checkFault("a write into the gap after an allocation", "writesAt", {"right beside an allocation of 20 bytes"},
             [&] { launch<writesAt>(queue, 2, kThreads, 0, odd.as<float>(), 5); });
}

AURORA_KERNEL(kThreads) void nothing() {}

void launchesAreChecked() {
  checkFault("a block that is no multiple of the wave", "nothing", {"multiple of", "100"}, [] { launch<nothing>(queue, 1, 100, 0); });
  checkFault("too many threads", "nothing", {"1024", "2048"}, [] { launch<nothing>(queue, 1, 2048, 0); });
  launch<nothing>(queue, 0, kThreads, 0);
}

sigjmp_buf outside;

/// Faults of the program's own go to the handler that was there before the emulator's.
void otherFaultsPassThrough() {
  const size_t bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* const forbidden = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (sigsetjmp(outside, 1) == 0) {
    *static_cast<volatile int*>(forbidden) = 1;
    check(false, "a fault of the program is a fault");
  }
  munmap(forbidden, bytes);
}

AURORA_KERNEL(kThreads) void reduces(float* y, double* wide, uint32_t* counter, uint64_t* lowest) {
  float* scratch = sharedMemory<float>();
  const float x = static_cast<float>(threadIndex());
  float* mine = y + threadIndex() * 8;
  mine[0] = waveSum(x);
  mine[1] = waveMax<8>(x);
  mine[2] = waveReduce<2, kWave / 2>(x, Sum{});
  mine[3] = blockSum(x, scratch);
  mine[4] = blockReduce(-x, Min{}, scratch);
  mine[5] = shuffle(x, 7);
  mine[6] = shuffleDown(x, 3);
  mine[7] = static_cast<float>(bitCount(ballot(threadIndex() % 3 == 0)));
  wide[threadIndex()] = shuffleXor(1.0 + x, 5);
  atomicIncrease(counter, 2);
  atomicMinimum(lowest, 1000 - static_cast<uint64_t>(threadIndex()));
}

void waveOperations() {
  DeviceBytes y(kThreads * 32), wide(kThreads * 8), counter(4), lowest(8);
  runtime::set(queue, counter.data, 0, 4);
  runtime::set(queue, lowest.data, 0xff, 8);
  launch<reduces>(queue, 1, kThreads, kThreads / kWave * 4, y.as<float>(), wide.as<double>(), counter.as<uint32_t>(), lowest.as<uint64_t>());
  for (int i = 0; i < kThreads; ++i) {
    const int first = i / kWave * kWave, lane = i - first;
    const float* mine = y.as<float>() + i * 8;
    int flagged = 0;
    for (int j = first; j < first + kWave; ++j) flagged += j % 3 == 0;
    const std::string at = ", thread " + std::to_string(i);
    check(mine[0] == static_cast<float>(kWave * first + kWave * (kWave - 1) / 2), "waveSum" + at);
    check(mine[1] == static_cast<float>(i / 8 * 8 + 7), "waveMax of 8 lanes" + at);
    check(mine[2] == static_cast<float>(2 * first + 2 * (lane % (kWave / 2)) + kWave / 2), "lanes apart" + at);
    check(mine[3] == kThreads * (kThreads - 1) / 2, "blockSum" + at);
    check(mine[4] == 1 - kThreads, "blockReduce" + at);
    check(mine[5] == static_cast<float>(first + 7), "shuffle" + at);
    if (lane + 3 < kWave) check(mine[6] == static_cast<float>(i + 3), "shuffleDown" + at);
    check(mine[7] == static_cast<float>(flagged), "ballot" + at);
    check(wide.as<double>()[i] == 1.0 + (i ^ 5), "shuffleXor of 8 bytes" + at);
  }
  check(*counter.as<uint32_t>() == 2 * kThreads, "atomicIncrease");
  check(*lowest.as<uint64_t>() == 1000 - (kThreads - 1), "atomicMinimum");
}

AURORA_KERNEL(kThreads) void whereAmI(int* y) {
  const int block = (blockZ() * gridY() + blockY()) * gridX() + blockX();
  y[block * blockThreads() + threadIndex()] = block * 1000 + threadIndex();
}

void grids() {
  const Grid grid(5, 3, 2);
  DeviceBytes y(30 * kThreads * 4);
  launch<whereAmI>(queue, grid, kThreads, 0, y.as<int>());
  for (int i = 0; i < 30 * kThreads; ++i) check(y.as<int>()[i] == i / kThreads * 1000 + i % kThreads, "block and thread " + std::to_string(i));
}

}  // namespace

int main() {
  // Before the emulator installs its own.
  struct sigaction own {};
  own.sa_handler = [](int) { siglongjmp(outside, 1); };
  sigaction(SIGSEGV, &own, nullptr);
  waveOperations();
  grids();
  meetings();
  sharedMemoryEnds();
#ifdef __SANITIZE_THREAD__
  racesInSharedMemory();
#endif
  deviceMemoryEnds();
  launchesAreChecked();
  otherFaultsPassThrough();
  waveOperations();  // after all faults, as before
  return finish("emulator");
}
