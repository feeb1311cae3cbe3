// The kernel language on real GPUs, for hipcc and nvcc. portable.h says what each name means; only it includes this file.
#pragma once

#ifdef __HIP__
#include <hip/hip_runtime.h>
#define AURORA_GPU(name) hip##name
// HIP counts waves of one of a compute unit's four SIMDs. From two on, matrix units accumulate in ordinary registers, which saves copies.
#define AURORA_KERNEL_RESIDENT(threads, blocks) __global__ __launch_bounds__(threads, ((blocks) * (threads) + 255) / 256)
#else
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#define AURORA_GPU(name) cuda##name
#define AURORA_KERNEL_RESIDENT(threads, blocks) __global__ __launch_bounds__(threads, blocks)
#endif

#define AURORA_KERNEL(threads) __global__ __launch_bounds__(threads)
#define AURORA_DEVICE __host__ __device__
#define AURORA_UNROLL _Pragma("unroll")
#define AURORA_PRAGMA(text) _Pragma(#text)
#define AURORA_UNROLL_BY(count) AURORA_PRAGMA(unroll count)

namespace aurora::hip {

#ifdef __HIP__
constexpr int kWave = 64;
#else
constexpr int kWave = 32;
#endif

/// Where an operation of many threads stands in the source: the emulator's business.
struct Site {
  __host__ __device__ static constexpr Site current() { return {}; }
};

#if defined(__HIP_DEVICE_COMPILE__) || defined(__CUDA_ARCH__)
#define AURORA_ON_DEVICE(...) __VA_ARGS__
#else
// Kernel code is compiled for the host, too, where it never runs.
#define AURORA_ON_DEVICE(...) __builtin_unreachable()
#endif

AURORA_DEVICE inline int threadIndex() { AURORA_ON_DEVICE(return static_cast<int>(threadIdx.x)); }
AURORA_DEVICE inline int blockThreads() { AURORA_ON_DEVICE(return static_cast<int>(blockDim.x)); }
AURORA_DEVICE inline int blockX() { AURORA_ON_DEVICE(return static_cast<int>(blockIdx.x)); }
AURORA_DEVICE inline int blockY() { AURORA_ON_DEVICE(return static_cast<int>(blockIdx.y)); }
AURORA_DEVICE inline int blockZ() { AURORA_ON_DEVICE(return static_cast<int>(blockIdx.z)); }
AURORA_DEVICE inline int gridX() { AURORA_ON_DEVICE(return static_cast<int>(gridDim.x)); }
AURORA_DEVICE inline int gridY() { AURORA_ON_DEVICE(return static_cast<int>(gridDim.y)); }
AURORA_DEVICE inline int gridZ() { AURORA_ON_DEVICE(return static_cast<int>(gridDim.z)); }

AURORA_DEVICE inline void blockSync(Site = Site::current()) { AURORA_ON_DEVICE(__syncthreads()); }
#ifdef __HIP__
constexpr bool kAsyncCopies = false;
#else
constexpr bool kAsyncCopies = true;
#endif
AURORA_DEVICE inline void copyAsync(void* shared, const void* p) {
#ifdef __CUDA_ARCH__
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(static_cast<uint32_t>(__cvta_generic_to_shared(shared))), "l"(p) : "memory");
#else
  *static_cast<uint4*>(shared) = *static_cast<const uint4*>(p);
#endif
}
AURORA_DEVICE inline void awaitCopies() {
#ifdef __CUDA_ARCH__
  asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}
AURORA_DEVICE inline void keepOrder() {
#ifdef __HIP__
  AURORA_ON_DEVICE(__builtin_amdgcn_sched_barrier(0));
#else
  AURORA_ON_DEVICE(asm volatile("" ::: "memory"));
#endif
}
AURORA_DEVICE inline void threadFence() { AURORA_ON_DEVICE(__threadfence()); }

/// Moves v word by word through `move`, a shuffle of 32-bit integers.
template <class T, class Move>
AURORA_DEVICE inline T shuffleWords(T v, Move move) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  int words[sizeof(T) / 4];
  __builtin_memcpy(words, &v, sizeof v);
  for (int& word : words) word = move(word);
  __builtin_memcpy(&v, words, sizeof v);
  return v;
}
#ifdef __HIP__
#define AURORA_SHUFFLE(name, ...) __##name(__VA_ARGS__)
#else
#define AURORA_SHUFFLE(name, ...) __##name##_sync(0xffffffffu, __VA_ARGS__)
#endif
template <class T>
AURORA_DEVICE inline T shuffle(T v, int lane, Site = Site::current()) {
  AURORA_ON_DEVICE(return shuffleWords(v, [=](int word) { return AURORA_SHUFFLE(shfl, word, lane); }));
}
template <class T>
AURORA_DEVICE inline T shuffleXor(T v, int mask, Site = Site::current()) {
  AURORA_ON_DEVICE(return shuffleWords(v, [=](int word) { return AURORA_SHUFFLE(shfl_xor, word, mask); }));
}
template <class T>
AURORA_DEVICE inline T shuffleDown(T v, int delta, Site = Site::current()) {
  AURORA_ON_DEVICE(return shuffleWords(v, [=](int word) { return AURORA_SHUFFLE(shfl_down, word, static_cast<unsigned>(delta)); }));
}
AURORA_DEVICE inline uint64_t ballot(bool flag, Site = Site::current()) {
#ifdef __HIP__
  AURORA_ON_DEVICE(return __ballot(flag));
#else
  AURORA_ON_DEVICE(return __ballot_sync(0xffffffffu, flag));
#endif
}

AURORA_DEVICE inline int waveUniform(int v, Site = Site::current()) {
#ifdef __HIP_DEVICE_COMPILE__
  return __builtin_amdgcn_readfirstlane(v);
#else
  return v;
#endif
}

template <class T>
__device__ inline T* sharedMemory() {
  extern __shared__ Bits128 auroraShared[];
  return reinterpret_cast<T*>(auroraShared);
}

template <size_t bytes, class T>
AURORA_DEVICE inline Bits<bytes> loadBits(const T* p) {
  if constexpr (bytes == 16) {
    const uint4 v = *reinterpret_cast<const uint4*>(p);
    return {{v.x, v.y, v.z, v.w}};
  } else {
    return *reinterpret_cast<const Bits<bytes>*>(p);
  }
}
template <size_t bytes, class T>
AURORA_DEVICE inline void storeBits(T* p, const Bits<bytes>& bits) {
  if constexpr (bytes == 16)
    *reinterpret_cast<uint4*>(p) = uint4{bits.words[0], bits.words[1], bits.words[2], bits.words[3]};
  else
    *reinterpret_cast<Bits<bytes>*>(p) = bits;
}
AURORA_DEVICE inline int bitCount(uint64_t bits) { AURORA_ON_DEVICE(return __popcll(bits)); }

AURORA_DEVICE inline float fastExp2(float x) {
#if defined(__HIP_DEVICE_COMPILE__)
  // The built-in function is younger than ROCm 6, and exp2f scales its argument for the sake of subnormal results.
#if __has_builtin(__builtin_amdgcn_exp2f)
  return __builtin_amdgcn_exp2f(x);
#else
  float y;
  asm("v_exp_f32 %0, %1" : "=v"(y) : "v"(x));
  return y;
#endif
#elif defined(__CUDA_ARCH__)
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  AURORA_ON_DEVICE();
#endif
}

AURORA_DEVICE inline uint64_t atomicMinimum(uint64_t* p, uint64_t v) {
  AURORA_ON_DEVICE(return ::atomicMin(reinterpret_cast<unsigned long long*>(p), static_cast<unsigned long long>(v)));
}
AURORA_DEVICE inline uint32_t atomicIncrease(uint32_t* p, uint32_t v) { AURORA_ON_DEVICE(return ::atomicAdd(p, v)); }

template <auto kernel, class... Parameters, class... Arguments>
inline void launchTyped(void (*)(Parameters...), Queue queue, Grid grid, int threads, size_t sharedBytes, Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments), "as many arguments as the kernel has parameters");
#ifndef __HIP__
  // What is beyond 48 KiB must be asked for.
  if (sharedBytes > (size_t{48} << 10)) cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(sharedBytes));
#endif
  kernel<<<dim3(grid.x, grid.y, grid.z), dim3(static_cast<unsigned>(threads)), sharedBytes, static_cast<AURORA_GPU(Stream_t)>(queue.native)>>>(
      static_cast<Parameters>(arguments)...);
  runtime::checkLaunch(kernelText<kernel>());
}
template <auto kernel, class... Arguments>
inline void launch(Queue queue, Grid grid, int threads, size_t sharedBytes, Arguments&&... arguments) {
  if (grid.empty()) return;
  launchTyped<kernel>(kernel, queue, grid, threads, sharedBytes, static_cast<Arguments&&>(arguments)...);
}

}  // namespace aurora::hip
