#include "hip/portable/vendor.h"

#include <cstdlib>
#include <cstring>
#include <limits>

#include "hip/portable/library.h"
#include "hip/portable/portable.h"

namespace aurora::hip {
namespace {

#ifdef __HIP__
constexpr const char* kName = "rocBLAS";
const std::vector<const char*> kFiles = {"librocblas.so", "librocblas.so.5", "librocblas.so.4", "librocblas.so.3", "librocblas.so.0", "/opt/rocm/lib/librocblas.so"};
#else
constexpr const char* kName = "cuBLAS";
const std::vector<const char*> kFiles = {"libcublas.so.13", "libcublas.so.12", "libcublas.so.11", "libcublas.so", "/usr/local/cuda/lib64/libcublas.so"};
#endif

// The few functions that are used, with the enumerations as integers: no vendor's header is needed, and they have been the same in all versions.
using Handle = void*;
using Create = int (*)(Handle*);
using Destroy = int (*)(Handle);
using SetStream = int (*)(Handle, void*);
using SetMode = int (*)(Handle, int);
#ifdef __HIP__
constexpr int kNoTranspose = 111, kTranspose = 112, kF32 = 151, kBf16 = 168, kSumsF32 = kF32;
using GemmEx = int (*)(Handle, int, int, int, int, int, const void*, const void*, int, int, const void*, int, int, const void*, const void*, int, int, void*, int, int,
                       int, int, int32_t, uint32_t);
#else
constexpr int kNoTranspose = 0, kTranspose = 1, kF32 = 0, kBf16 = 14, kSumsF32 = 68;
using GemmEx = int (*)(Handle, int, int, int, int, int, const void*, const void*, int, int, const void*, int, int, const void*, void*, int, int, int, int);
#endif

struct Library {
  VendorLibrary described;
  Create create = nullptr;
  Destroy destroy = nullptr;
  SetStream setStream = nullptr;
  SetMode setMode = nullptr;
  GemmEx gemm = nullptr;
};

Library open() {
  Library library;
  VendorLibrary& described = library.described;
  described.name = kName;
  if (const char* allowed = std::getenv("AURORA_VENDOR_GEMM"); allowed && std::strcmp(allowed, "0") == 0) {
    described.error = "AURORA_VENDOR_GEMM=0 forbids it";
    return library;
  }
  const DynamicLibrary opened(kFiles);
  described.error = opened.error();
  if (!opened) return library;
  const auto function = [&](auto& pointer, const char* name) { return opened.function(pointer, name); };
#ifdef __HIP__
  const bool complete = function(library.create, "rocblas_create_handle") && function(library.destroy, "rocblas_destroy_handle") &&
                        function(library.setStream, "rocblas_set_stream") && function(library.setMode, "rocblas_set_atomics_mode") &&
                        function(library.gemm, "rocblas_gemm_ex");
  int (*version)(char*, size_t) = nullptr;
  char text[128] = "";
  if (function(version, "rocblas_get_version_string") && version(text, sizeof text) == 0) described.version = text;
#else
  const bool complete = function(library.create, "cublasCreate_v2") && function(library.destroy, "cublasDestroy_v2") &&
                        function(library.setStream, "cublasSetStream_v2") && function(library.setMode, "cublasSetMathMode") && function(library.gemm, "cublasGemmEx");
  int (*property)(int, int*) = nullptr;
  if (function(property, "cublasGetProperty"))
    for (int part = 0, number; part < 3; ++part)
      if (property(part, &number) == 0) described.version += (part ? "." : "") + std::to_string(number);
#endif
  described.path = complete ? DynamicLibrary::pathOf(reinterpret_cast<const void*>(library.create)) : "";
  if (!complete)
    described.error = "it lacks functions that are needed";
  else if (DynamicLibrary::twoRuntimes())
    described.error = described.path + " brings another HIP run-time than the module's";
  if (!described.error.empty()) {
    library.gemm = nullptr;
    described.path.clear();
  }
  return library;
}

/// Never opened when no product asks for it.
const Library& library() {
  static const Library opened = open();
  return opened;
}

class BlasHandle final : public VendorHandle {
 public:
  explicit BlasHandle(Queue queue) {
    const Library& blas = library();
    if (!blas.gemm || blas.create(&handle_) != 0) return;
    blas.setStream(handle_, queue.native);
#ifdef __HIP__
    blas.setMode(handle_, 0);  // no atomics: repeatable
#else
    blas.setMode(handle_, 16);  // no sums in bf16
#endif
  }
  ~BlasHandle() override {
    if (handle_) library().destroy(handle_);
  }
  Handle get() const { return handle_; }

 private:
  Handle handle_ = nullptr;
};

int typeCode(DType type) { return type == DType::f32 ? kF32 : kBf16; }

}  // namespace

bool vendorGemm(Queue queue, std::unique_ptr<VendorHandle>& handle, const Gemm& gemm) {
  constexpr int64_t most = std::numeric_limits<int>::max();
  for (int64_t size : {gemm.m, gemm.n, gemm.k, gemm.aStride, gemm.bStride, gemm.cStride})
    if (size > most) return false;
  if (gemm.m == 0 || gemm.n == 0 || gemm.k == 0) return false;
  if (!handle) handle = std::make_unique<BlasHandle>(queue);
  const Handle blas = static_cast<BlasHandle&>(*handle).get();
  if (!blas) return false;
  // The libraries think in columns: they see every matrix transposed, and cᵀ = bᵀ·aᵀ.
  const int bOperation = gemm.bTransposed ? kTranspose : kNoTranspose, aOperation = gemm.aTransposed ? kTranspose : kNoTranspose;
  const int n = static_cast<int>(gemm.n), m = static_cast<int>(gemm.m), k = static_cast<int>(gemm.k);
  const int a = static_cast<int>(gemm.aStride), b = static_cast<int>(gemm.bStride), c = static_cast<int>(gemm.cStride);
  const int in = typeCode(gemm.input), out = typeCode(gemm.output);
#ifdef __HIP__
  const int status = library().gemm(blas, bOperation, aOperation, n, m, k, &gemm.alpha, gemm.b, in, b, gemm.a, in, a, &gemm.beta, gemm.c, out, c, gemm.c, out, c, kSumsF32,
                                    0, 0, 0);
#else
  const int status =
      library().gemm(blas, bOperation, aOperation, n, m, k, &gemm.alpha, gemm.b, in, b, gemm.a, in, a, &gemm.beta, gemm.c, out, c, kSumsF32, -1);
#endif
  return status == 0;
}

bool vendorFound() { return library().gemm != nullptr; }

std::vector<VendorLibrary> vendorLibraries() { return {library().described}; }

}  // namespace aurora::hip
