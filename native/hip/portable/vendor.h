// The vendors' libraries of matrix products, opened when the first product asks for them: rocBLAS beside HIP, cuBLAS beside CUDA, none in the
// emulator. Nothing of theirs is needed to build, and any version serves; without one vendorGemm says no and the built-in kernels work.
// AURORA_VENDOR_GEMM=0 leaves them alone.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "hip/portable/runtime.h"

namespace aurora::hip {

/// c [m, n] = alpha · a · b + beta · c, row-major; a [m, k] or, when transposed, stored as [k, m]; b [k, n] or, when transposed, [n, k]. Strides are
/// elements from row to row as stored. Sums are f32; with beta = 0 c is not read. One of (input, output): (f32, f32), (bf16, bf16), (bf16, f32).
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
};

/// A library's handle for one queue.
class VendorHandle {
 public:
  virtual ~VendorHandle() = default;
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
