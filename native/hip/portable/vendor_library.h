// What the vendors' libraries have in common: how they are found and opened, and the numbers that stand for types and transposes. Of each
// library only a few functions are used, with enumerations as integers: no header of the vendor's is needed to build.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hip/portable/library.h"
#include "hip/portable/vendor.h"

namespace aurora::hip {

/// A library that may be there. `error` is empty when it is and its functions may be called.
class OpenedLibrary {
 public:
  /// Tries the files in turn. `choice` is the value of AURORA_VENDOR_GEMM that names this library.
  OpenedLibrary(const char* name, const char* choice, const std::vector<const char*>& files);

  /// Sets `pointer` to the library's function; a library that lacks it is not used.
  template <class Function>
  void need(Function& pointer, const char* name) {
    if (!find(pointer, name) && described_.error.empty()) described_.error = described_.path + " lacks " + name;
  }
  template <class Function>
  bool find(Function& pointer, const char* name) const {
    return library_.function(pointer, name);
  }
  bool usable() const { return described_.error.empty(); }
  /// Its name, path, version and error.
  VendorLibrary& described() { return described_; }
  const VendorLibrary& described() const { return described_; }

 private:
  DynamicLibrary library_;
  VendorLibrary described_;
};

/// What cublasGetProperty and cublasLtGetProperty say: "13.1.1".
std::string versionOf(int (*property)(int part, int* number));
/// "0.8.60200" of a file libhipblaslt.so.0.8.60200, which `path` may be a link to; "" else.
std::string versionOfFile(const std::string& path);

/// hipDataType and cudaDataType.
constexpr int kTypeF32 = 0, kTypeBf16 = 14;
inline int typeCode(DType type) { return type == DType::f32 ? kTypeF32 : kTypeBf16; }

// The BLAS of the vendor, rocBLAS or cuBLAS, and its library for single products with epilogues, hipBLASLt or cuBLASLt. A handle is null
// when there is no such library, or it cannot make one.
const VendorLibrary& blasLibrary();
std::unique_ptr<VendorHandle> openBlas(Queue);
const VendorLibrary& ltLibrary();
std::unique_ptr<VendorHandle> openLt(Queue);

}  // namespace aurora::hip
