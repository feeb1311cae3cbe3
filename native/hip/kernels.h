// The GPU kernels' door. Every *.hip.cpp in hip/<family>/ defines functions declared here, with the contract of core/backend.h; arguments have
// been checked. They run on JavaScript's thread and only enqueue: kernels by launch<…>(context.queue, …), the vendor's GEMM, copies.
// An operation that no family defines is null (a weak symbol): the device does not have it, and callers get ERR_NOT_SUPPORTED.
#pragma once

#include "core/backend.h"
#include "hip/faults.h"
#include "hip/portable/portable.h"
#include "hip/portable/vendor.h"

namespace aurora::hip {

class GpuStream;

/// What an operation has besides its arguments.
struct Context {
  GpuStream& stream;
  Queue queue;
  const DeviceProperties& device;
  const char* operation;  // its name, for errors

  /// Device memory for this operation alone, holding rubbish; later operations of the stream get the same memory again. An operation that
  /// needs several pieces at a time numbers them from 0 (below kScratchSlots). Throws ERR_OUT_OF_MEMORY.
  static constexpr int kScratchSlots = 8;
  template <class T>
  T* scratch(int slot, int64_t count) {
    return static_cast<T*>(scratchBytes(slot, static_cast<size_t>(count) * sizeof(T)));
  }

  /// Indices into a table of `size` rows, for a kernel that reports the first of them outside it as ERR_INDEX with `expected` (say "token ids
  /// in [0, 49152)") and "… at position n" as found (`place`). Negative ones are passed on unreported where they have a meaning.
  /// Of an operation's several indices the first made here that fails is reported, at its lowest position, whatever the order of threads.
  Indices indices(std::string expected, const View& indices, int64_t size, bool negativeAllowed = false, const char* place = "at position");

  /// The vendor's GEMM, enqueued; false when there is none or it declines, and nothing was enqueued.
  bool gemm(const Gemm& product);

 private:
  void* scratchBytes(int slot, size_t bytes);
};

/// Calls body with a value of the C++ type of a float dtype.
template <class Body>
inline void withFloat(DType type, Body&& body) {
  if (type == DType::f32)
    body(float{});
  else
    body(bf16{});
}

/// y = x element by element, by the rules of Cast in core/backend.h; half precision is a float type like the others.
void convert(Context&, const void* x, WireType from, void* y, WireType to, int64_t n);

#define AURORA_OPERATION(method, Args) __attribute__((weak)) void method(Context&, const Args&);
#include "core/operations.inc"
#undef AURORA_OPERATION

}  // namespace aurora::hip
