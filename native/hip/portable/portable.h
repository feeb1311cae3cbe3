// The kernel language: all that a *.hip.cpp file may use of a GPU. One source, three builds: hipcc (AMD), nvcc (NVIDIA), and g++ against
// the emulator, which runs blocks and threads as fibers on the CPU and stops at the mistakes that a GPU would let pass.
//
//   namespace {
//   template <class T>
//   AURORA_KERNEL(256) void scaleKernel(const T* x, float factor, T* y, int64_t n) {
//     forGrid(n, [&](int64_t i) { put(y + i, factor * get(x + i)); });
//   }
//   }
//   launch<scaleKernel<float>>(context.queue, blocksFor(n, 256), 256, 0, x, factor, y, n);
//
// Rules of kernels
// - Nothing assumes a wave of 32 or of 64 lanes: kWave says. Blocks have one dimension, a multiple of kWave threads, at most 1024;
//   grids have up to three.
// - Every thread of a block reaches each blockSync(), every lane of a wave reaches each wave operation (shuffles, wave reductions, products of
//   mma.h): no return and no branch of single lanes before one. The emulator holds kernels to it, AMD and NVIDIA would differ.
// - All shared memory is the launch's (`sharedMemory<T>()`), 64 KiB at most, and holds rubbish at first.
// - No atomics on floats: results are bit-for-bit repeatable.
// - Local variables own nothing (no destructors that matter): a faulting thread is abandoned. No recursion, small local arrays.
// - Kernels and device functions lie in anonymous namespaces or are templates or inline. Math: expf, logf, sqrtf, erff, tanhf, fminf,
//   fmaxf, ... of <cmath>'s global names.
//
// What gpu.h and emulator.h define, equal in meaning:
//   kWave                                   lanes of a wave: 64 on AMD, 32 on NVIDIA, AURORA_WAVE in the emulator
//   AURORA_KERNEL(threads)                  marks a kernel launched with at most so many threads a block
//   AURORA_KERNEL_RESIDENT(threads, blocks) the same, and holds its registers down to where so many blocks fit a compute unit at a time
//   AURORA_DEVICE                           marks a function that kernels call (callable on the host, too)
//   AURORA_UNROLL                           before a loop: unrolls it; AURORA_UNROLL_BY(count): so many turns at a time, 1 where registers are short
//   threadIndex(), blockThreads()           in the block: 0 … blockThreads() − 1
//   blockX/Y/Z(), gridX/Y/Z()               the block in the grid
//   blockSync()                             barrier of the block; shared and global writes before it are seen after it
//   shuffle(v, lane), shuffleXor(v, mask), shuffleDown(v, delta)
//                                           another lane's v (any trivially copyable type of 4 or 8 bytes). Down past the end: unspecified.
//   ballot(flag)                            bit l of the uint64_t: lane l's flag
//   waveUniform(int)                        a wave operation; the number, which is equal in all lanes: AMD may then keep it in a scalar register
//   sharedMemory<T>()                       the start of the block's dynamic shared memory, aligned to 16 bytes
//   loadBits<n>(p), storeBits<n>(p, Bits<n>) a power of two up to 16 bytes by one instruction; p aligned to it (loadRun, storeRun: typed)
//   bitCount(uint64_t)
//   __builtin_memcpy                        to look at a value's bits (HIP's memcpy takes single bytes, and its variables stay in memory)
//   fastExp2(float)                         2^x by one instruction, to a few 2⁻²³ of it; what would be below 2⁻¹²⁶ is 0
//   atomicMinimum(uint64_t*, v), atomicIncrease(uint32_t*, v) → old value
//   kAsyncCopies                            whether the GPU copies from global to shared memory by itself: NVIDIA's, the emulator with waves of 32
//   copyAsync(shared, p), awaitCopies()     16 bytes from p, both aligned; the copies are there after awaitCopies(), for the other threads after a
//                                           blockSync() besides. Without kAsyncCopies it is a load and a store.
//   keepOrder()                             the compiler moves nothing across it: loads before it are on their way while what follows is computed
//   threadFence()                           earlier writes are seen by the whole device before later ones
//   launch<kernel>(queue, Grid, threads, sharedBytes, arguments…)
//                                           enqueues; an empty grid is no work; throws aurora::Error when the launch is refused
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/dtype.h"
#include "hip/portable/runtime.h"

namespace aurora::hip {

constexpr int kMaxBlockThreads = 1024;
constexpr size_t kMaxSharedBytes = size_t{64} << 10;

/// The blocks of a launch.
struct Grid {
  unsigned x = 1, y = 1, z = 1;

  Grid() = default;
  Grid(int64_t columns, int64_t rows = 1, int64_t layers = 1)
      : x(static_cast<unsigned>(columns)), y(static_cast<unsigned>(rows)), z(static_cast<unsigned>(layers)) {}
  bool empty() const { return x == 0 || y == 0 || z == 0; }
};

struct alignas(16) Bits128 {
  uint32_t words[4];
};
template <size_t bytes>
struct BitsOf;
template <>
struct BitsOf<1> {
  using Type = uint8_t;
};
template <>
struct BitsOf<2> {
  using Type = uint16_t;
};
template <>
struct BitsOf<4> {
  using Type = uint32_t;
};
template <>
struct BitsOf<8> {
  using Type = uint64_t;
};
template <>
struct BitsOf<16> {
  using Type = Bits128;
};
/// An unsigned integer of that many bytes, or Bits128.
template <size_t bytes>
using Bits = typename BitsOf<bytes>::Type;

/// The kernel's name as the compiler spells it, for errors.
template <auto kernel>
constexpr const char* kernelText() {
  return __PRETTY_FUNCTION__;
}

}  // namespace aurora::hip

#ifdef AURORA_EMULATOR
#include "hip/portable/emulator.h"
#else
#include "hip/portable/gpu.h"
#endif

namespace aurora::hip {

AURORA_DEVICE inline int laneIndex() { return threadIndex() % kWave; }
AURORA_DEVICE inline int waveIndex() { return threadIndex() / kWave; }
AURORA_DEVICE inline int blockWaves() { return blockThreads() / kWave; }

// --- numbers in memory: arithmetic is done in float -----------------------------------------------------------------------

/// The float with these bits, and the bits of a float.
AURORA_DEVICE inline float asFloat(uint32_t bits) {
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}
AURORA_DEVICE inline uint32_t asBits(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits;
}

AURORA_DEVICE inline float toFloat(float x) { return x; }
AURORA_DEVICE inline float toFloat(bf16 x) { return asFloat(uint32_t{x.bits} << 16); }
/// To nearest even; NaN stays NaN.
template <class T>
AURORA_DEVICE T fromFloat(float x);
template <>
AURORA_DEVICE inline float fromFloat<float>(float x) {
  return x;
}
template <>
AURORA_DEVICE inline bf16 fromFloat<bf16>(float x) {
#if defined(__CUDA_ARCH__)
  return {__bfloat16_as_ushort(__float2bfloat16_rn(x))};  // one instruction
#else
  // A selection: a branch would cost more than both ways.
  const uint32_t bits = asBits(x), rounded = bits + 0x7fff + (bits >> 16 & 1), notANumber = bits | 0x400000;
  return {static_cast<uint16_t>((x != x ? notANumber : rounded) >> 16)};
#endif
}
template <class T>
AURORA_DEVICE inline float get(const T* p) {
  return toFloat(*p);
}
template <class T>
AURORA_DEVICE inline void put(T* p, float x) {
  *p = fromFloat<T>(x);
}

/// `count` neighbouring elements, 16 bytes at most, moved by one instruction.
template <int count, class T>
struct Run {
  T values[count];
};
/// p is aligned to the run's bytes (see `aligned`).
template <int count, class T>
AURORA_DEVICE inline Run<count, T> loadRun(const T* p) {
  const auto bits = loadBits<count * sizeof(T)>(p);
  Run<count, T> run;
  __builtin_memcpy(&run, &bits, sizeof run);
  return run;
}
template <int count, class T>
AURORA_DEVICE inline void storeRun(T* p, const Run<count, T>& run) {
  Bits<sizeof run> bits;
  __builtin_memcpy(&bits, &run, sizeof bits);
  storeBits<sizeof run>(p, bits);
}
/// 16 bytes: 4 floats, 8 bf16.
template <class T>
constexpr int kWide = 16 / sizeof(T);

/// Whether all of these addresses are multiples of `bytes`. The start of a tensor is one of 16; a view's need not be.
template <size_t bytes, class... Pointers>
AURORA_DEVICE inline bool aligned(Pointers... pointers) {
  return ((reinterpret_cast<uintptr_t>(pointers) | ...) & (bytes - 1)) == 0;
}

// --- arithmetic that has the same bits on every device ----------------------------------------------------------------------

/// A float whose every product and sum is rounded by itself: compilers make no fused multiply-add of them.
struct Unfused {
  float value;

  AURORA_DEVICE Unfused(float value) : value(value) {}
  AURORA_DEVICE friend Unfused operator*(Unfused a, Unfused b) {
#if defined(__CUDA_ARCH__)
    return __fmul_rn(a.value, b.value);
#elif defined(__clang__)
#pragma clang fp contract(off)
    return a.value * b.value;
#else
    float product = a.value * b.value;
    __asm__("" : "+m"(product));
    return product;
#endif
  }
  AURORA_DEVICE friend Unfused operator+(Unfused a, Unfused b) {
#if defined(__CUDA_ARCH__)
    return __fadd_rn(a.value, b.value);
#elif defined(__clang__)
#pragma clang fp contract(off)
    return a.value + b.value;
#else
    float sum = a.value + b.value;
    __asm__("" : "+m"(sum));
    return sum;
#endif
  }
  AURORA_DEVICE friend Unfused operator-(Unfused a, Unfused b) { return a + Unfused(-b.value); }
};

// --- loops ----------------------------------------------------------------------------------------------------------------

/// A number known when compiling.
template <int number>
struct Constant {
  static constexpr int value = number;
};

/// Blocks for n items at `each` items a block, at most `most`: forGrid makes each thread take several then.
inline Grid blocksFor(int64_t n, int64_t each, int64_t most = 1 << 16) {
  const int64_t blocks = (n + each - 1) / each;
  return {blocks < most ? blocks : most};
}
/// body(i) for i < n, shared out over the threads of a one-dimensional grid.
template <class Body>
AURORA_DEVICE inline void forGrid(int64_t n, Body&& body) {
  const int64_t step = static_cast<int64_t>(gridX()) * blockThreads();
  for (int64_t i = static_cast<int64_t>(blockX()) * blockThreads() + threadIndex(); i < n; i += step) body(i);
}
/// The same in steps of `step` elements where `whole` allows it: body(i, step) as a constant, then body(i, 1) for what is left.
template <int step, class Body>
AURORA_DEVICE inline void forGridRuns(int64_t n, bool whole, Body&& body) {
  const int64_t runs = whole ? n / step : 0;
  forGrid(runs, [&](int64_t i) { body(i * step, Constant<step>{}); });
  forGrid(n - runs * step, [&](int64_t i) { body(runs * step + i, Constant<1>{}); });
}
/// body(i) for i < n, shared out over the threads of the block.
template <class Body>
AURORA_DEVICE inline void forBlock(int64_t n, Body&& body) {
  for (int64_t i = threadIndex(); i < n; i += blockThreads()) body(i);
}
/// As forGridRuns.
template <int step, class Body>
AURORA_DEVICE inline void forBlockRuns(int64_t n, bool whole, Body&& body) {
  const int64_t runs = whole ? n / step : 0;
  forBlock(runs, [&](int64_t i) { body(i * step, Constant<step>{}); });
  forBlock(n - runs * step, [&](int64_t i) { body(runs * step + i, Constant<1>{}); });
}

// --- reductions: every lane, or every thread, gets the result, in an order that only kWave and the block's size decide --------

struct Sum {
  template <class T>
  AURORA_DEVICE T operator()(T a, T b) const {
    return a + b;
  }
};
/// NaN wins, as in the CPU's kernels.
struct Max {
  template <class T>
  AURORA_DEVICE T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
};
struct Min {
  template <class T>
  AURORA_DEVICE T operator()(T a, T b) const {
    return a < b || a != a ? a : b;
  }
};

/// Over groups of `lanes` neighbouring lanes (a power of two, at most kWave), starting `step` apart: with step 16 and 4 lanes, lanes l, l + 16,
/// l + 32, l + 48 are a group.
template <int lanes = kWave, int step = 1, class T, class Op>
AURORA_DEVICE inline T waveReduce(T x, Op op, Site site = Site::current()) {
  static_assert(lanes * step <= kWave);
  for (int mask = lanes / 2 * step; mask >= step; mask /= 2) {
    const T other = shuffleXor(x, mask, site);
    // The lower lane's value comes first, so that both lanes round alike.
    x = laneIndex() & mask ? op(other, x) : op(x, other);
  }
  return x;
}
template <int lanes = kWave, class T>
AURORA_DEVICE inline T waveSum(T x, Site site = Site::current()) {
  return waveReduce<lanes>(x, Sum{}, site);
}
template <int lanes = kWave, class T>
AURORA_DEVICE inline T waveMax(T x, Site site = Site::current()) {
  return waveReduce<lanes>(x, Max{}, site);
}
AURORA_DEVICE inline bool waveAny(bool flag, Site site = Site::current()) { return ballot(flag, site) != 0; }

/// Over the block. `scratch`: blockWaves() elements of shared memory, free again when the call returns.
template <class T, class Op>
AURORA_DEVICE inline T blockReduce(T x, Op op, T* scratch, Site site = Site::current()) {
  x = waveReduce(x, op, site);
  if (blockWaves() == 1) return x;
  if (laneIndex() == 0) scratch[waveIndex()] = x;
  blockSync(site);
  x = scratch[0];
  for (int wave = 1; wave < blockWaves(); ++wave) x = op(x, scratch[wave]);
  blockSync(site);
  return x;
}
template <class T>
AURORA_DEVICE inline T blockSum(T x, T* scratch, Site site = Site::current()) {
  return blockReduce(x, Sum{}, scratch, site);
}
template <class T>
AURORA_DEVICE inline T blockMax(T x, T* scratch, Site site = Site::current()) {
  return blockReduce(x, Max{}, scratch, site);
}

}  // namespace aurora::hip
