// rocBLAS and cuBLAS: every product, but none with a bias.
#include "hip/portable/vendor_library.h"

namespace aurora::hip {
namespace {

// These have been the same in all versions.
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
constexpr int kNoTranspose = 0, kTranspose = 1, kF32 = kTypeF32, kBf16 = kTypeBf16, kSumsF32 = 68;
using GemmEx = int (*)(Handle, int, int, int, int, int, const void*, const void*, int, int, const void*, int, int, const void*, void*, int, int, int, int);
#endif

struct Blas {
#ifdef __HIP__
  OpenedLibrary library{"rocBLAS", "blas",
                        {"librocblas.so", "librocblas.so.5", "librocblas.so.4", "librocblas.so.3", "librocblas.so.0", "/opt/rocm/lib/librocblas.so"}};
#else
  OpenedLibrary library{"cuBLAS", "blas", {"libcublas.so.13", "libcublas.so.12", "libcublas.so.11", "libcublas.so", "/usr/local/cuda/lib64/libcublas.so"}};
#endif
  Create create = nullptr;
  Destroy destroy = nullptr;
  SetStream setStream = nullptr;
  SetMode setMode = nullptr;
  GemmEx gemm = nullptr;

  Blas() {
    if (!library.usable()) return;
#ifdef __HIP__
    library.need(create, "rocblas_create_handle");
    library.need(destroy, "rocblas_destroy_handle");
    library.need(setStream, "rocblas_set_stream");
    library.need(setMode, "rocblas_set_atomics_mode");
    library.need(gemm, "rocblas_gemm_ex");
    int (*version)(char*, size_t) = nullptr;
    char text[128] = "";
    if (library.find(version, "rocblas_get_version_string") && version(text, sizeof text) == 0) library.described().version = text;
#else
    library.need(create, "cublasCreate_v2");
    library.need(destroy, "cublasDestroy_v2");
    library.need(setStream, "cublasSetStream_v2");
    library.need(setMode, "cublasSetMathMode");
    library.need(gemm, "cublasGemmEx");
    int (*property)(int, int*) = nullptr;
    if (library.find(property, "cublasGetProperty")) library.described().version = versionOf(property);
#endif
  }
};

/// Never opened when no product asks for it.
const Blas& blas() {
  static const Blas opened;
  return opened;
}

class BlasHandle final : public VendorHandle {
 public:
  explicit BlasHandle(Handle handle) : handle_(handle) {}
  ~BlasHandle() override { blas().destroy(handle_); }

  bool gemm(const Gemm& gemm) override {
    if (gemm.bias) return false;
    // The libraries think in columns: they see every matrix transposed, and cᵀ = bᵀ·aᵀ.
    const int bOperation = gemm.bTransposed ? kTranspose : kNoTranspose, aOperation = gemm.aTransposed ? kTranspose : kNoTranspose;
    const int n = static_cast<int>(gemm.n), m = static_cast<int>(gemm.m), k = static_cast<int>(gemm.k);
    const int a = static_cast<int>(gemm.aStride), b = static_cast<int>(gemm.bStride), c = static_cast<int>(gemm.cStride);
    const int in = gemm.input == DType::f32 ? kF32 : kBf16, out = gemm.output == DType::f32 ? kF32 : kBf16;
#ifdef __HIP__
    const int status = blas().gemm(handle_, bOperation, aOperation, n, m, k, &gemm.alpha, gemm.b, in, b, gemm.a, in, a, &gemm.beta, gemm.c, out, c, gemm.c, out, c,
                                   kSumsF32, 0, 0, 0);
#else
    const int status = blas().gemm(handle_, bOperation, aOperation, n, m, k, &gemm.alpha, gemm.b, in, b, gemm.a, in, a, &gemm.beta, gemm.c, out, c, kSumsF32, -1);
#endif
    return status == 0;
  }

 private:
  const Handle handle_;
};

}  // namespace

const VendorLibrary& blasLibrary() { return blas().library.described(); }

std::unique_ptr<VendorHandle> openBlas(Queue queue) {
  Handle handle = nullptr;
  if (!blas().library.usable() || blas().create(&handle) != 0) return nullptr;
  auto made = std::make_unique<BlasHandle>(handle);
#ifdef __HIP__
  constexpr int mode = 0;  // no atomics: repeatable
#else
  constexpr int mode = 16;  // no sums in bf16
#endif
  if (blas().setStream(handle, queue.native) != 0 || blas().setMode(handle, mode) != 0) return nullptr;
  return made;
}

}  // namespace aurora::hip
