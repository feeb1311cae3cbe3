// The emulator has no vendor: its products are the built-in kernels'.
#include "hip/portable/vendor.h"

namespace aurora::hip {

bool vendorGemm(Queue, std::unique_ptr<VendorHandle>&, const Gemm&) { return false; }

bool vendorFound() { return false; }

std::vector<VendorLibrary> vendorLibraries() { return {}; }

}  // namespace aurora::hip
