// The choice among the vendor's libraries.
#include "hip/portable/vendor.h"

#include <limits>

#include "hip/portable/vendor_library.h"

namespace aurora::hip {
namespace {

class Handles final : public VendorHandle {
 public:
  explicit Handles(Queue queue) : lt_(openLt(queue)), blas_(openBlas(queue)) {}
  bool gemm(const Gemm& gemm) override { return (lt_ && lt_->gemm(gemm)) || (blas_ && blas_->gemm(gemm)); }

 private:
  const std::unique_ptr<VendorHandle> lt_, blas_;
};

}  // namespace

bool vendorGemm(Queue queue, std::unique_ptr<VendorHandle>& handle, const Gemm& gemm) {
  constexpr int64_t most = std::numeric_limits<int>::max();
  for (int64_t size : {gemm.m, gemm.n, gemm.k, gemm.aStride, gemm.bStride, gemm.cStride})
    if (size > most) return false;
  if (gemm.m == 0 || gemm.n == 0 || gemm.k == 0) return false;
  if (!handle) handle = std::make_unique<Handles>(queue);
  return handle->gemm(gemm);
}

bool vendorFound() { return ltLibrary().error.empty() || blasLibrary().error.empty(); }

std::vector<VendorLibrary> vendorLibraries() { return {ltLibrary(), blasLibrary()}; }

}  // namespace aurora::hip
