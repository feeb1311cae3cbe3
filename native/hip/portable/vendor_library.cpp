#include "hip/portable/vendor_library.h"

#include <cstdlib>
#include <cstring>

namespace aurora::hip {
namespace {

/// Why AURORA_VENDOR_GEMM leaves the library alone; "" when it does not.
std::string forbidden(const std::string& choice) {
  const char* const set = std::getenv("AURORA_VENDOR_GEMM");
  if (!set || *set == '\0' || choice == set) return "";
  for (const char* other : {"0", "blas", "lt"})
    if (std::strcmp(set, other) == 0) return std::string("AURORA_VENDOR_GEMM=") + set + " forbids it";
  return "AURORA_VENDOR_GEMM is neither 0 nor blas nor lt";
}

}  // namespace

OpenedLibrary::OpenedLibrary(const char* name, const char* choice, const std::vector<const char*>& files) {
  described_.name = name;
  described_.error = forbidden(choice);
  if (!described_.error.empty()) return;
  library_ = DynamicLibrary(files);
  described_.error = library_.error();
  described_.path = library_.path();
  if (library_ && DynamicLibrary::twoRuntimes()) described_.error = described_.path + " brings another HIP run-time than the module's";
}

std::string versionOf(int (*property)(int, int*)) {
  std::string version;
  for (int part = 0, number; part < 3; ++part) {
    if (property(part, &number) != 0) return "";
    if (part > 0) version += '.';
    version += std::to_string(number);
  }
  return version;
}

std::string versionOfFile(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> resolved(realpath(path.c_str(), nullptr), std::free);
  const std::string file = resolved ? resolved.get() : "";
  const size_t at = file.rfind(".so.");
  return at == std::string::npos ? "" : file.substr(at + 4);
}

}  // namespace aurora::hip
