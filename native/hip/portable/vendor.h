// The vendors' libraries of matrix products, opened when the first product asks for them: hipBLASLt and rocBLAS beside HIP, cuBLASLt and cuBLAS beside
// CUDA, none in the emulator. Nothing of theirs is needed to build, and nearly any version serves; a product goes to the first of the two that takes it,
// without any vendorGemm says no and the built-in kernels work.
// AURORA_VENDOR_GEMM=0 leaves them alone, =lt allows only hipBLASLt or cuBLASLt, =blas only rocBLAS or cuBLAS.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "hip/portable/runtime.h"

namespace aurora::hip {

/// c [m, n] = alpha · a · b + beta · c + bias, row-major; a [m, k] or, when transposed, stored as [k, m]; b [k, n] or, when transposed, [n, k]. Strides are
/// elements from row to row as stored. Sums are f32; with beta = 0 c is not read. bias [n] (or null) has c's type. One of (input, output): (f32, f32), (bf16, bf16), (bf16, f32).
struct Gemm {
  int64_t m, n, k;
  const void* a;
  int64_t aStride;
  bool aTransposed;
  const void* b;
  int64_t bStride;
  bool bTransposed;
  void* c;
  int64_t cStride;
  DType input, output;
  float alpha = 1, beta = 0;
  const void* bias = nullptr;
};

/// A library's handle for one queue.
class VendorHandle {
 public:
  virtual ~VendorHandle() = default;
  /// Enqueues the product; false when the library declines, and nothing was enqueued.
  virtual bool gemm(const Gemm&) = 0;
};

/// Enqueues the product; repeatable bit for bit. False when no library is there or it declines: nothing was enqueued then. `handle` is made
/// on first use and belongs to the queue.
bool vendorGemm(Queue queue, std::unique_ptr<VendorHandle>& handle, const Gemm& gemm);

/// Whether a library is there; opens it.
bool vendorFound();

/// What the loader gave: for `aurora doctor`.
struct VendorLibrary {
  std::string name;     // "rocBLAS"
  std::string path;     // resolved; empty when it was not found
  std::string version;
  std::string error;    // the loader's words when it was not found
};
std::vector<VendorLibrary> vendorLibraries();

}  // namespace aurora::hip
