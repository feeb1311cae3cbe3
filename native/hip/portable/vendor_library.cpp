#include "hip/portable/vendor_library.h"

#include <dlfcn.h>
#include <link.h>

#include <cstdlib>
#include <cstring>

namespace aurora::hip {
namespace {

/// Whether the program holds two of the vendor's run-times: memory and streams of one mean nothing to the other.
bool twoRuntimes() {
  int count = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        if (std::strstr(info->dlpi_name, "/libamdhip64.so")) ++*static_cast<int*>(data);
        return 0;
      },
      &count);
  return count > 1;
}

/// Why AURORA_VENDOR_GEMM leaves the library alone; "" when it does not.
std::string forbidden(const std::string& choice) {
  const char* const set = std::getenv("AURORA_VENDOR_GEMM");
  if (!set || *set == '\0' || choice == set) return "";
  for (const char* other : {"0", "blas", "lt"})
    if (std::strcmp(set, other) == 0) return std::string("AURORA_VENDOR_GEMM=") + set + " forbids it";
  return "AURORA_VENDOR_GEMM is neither 0 nor blas nor lt";
}

}  // namespace

OpenedLibrary::OpenedLibrary(const char* name, const char* choice, std::initializer_list<const char*> files) {
  described_.name = name;
  described_.error = forbidden(choice);
  if (!described_.error.empty()) return;
  std::string firstWords;
  for (const char* file : files) {
    opened_ = dlopen(file, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
    if (opened_) break;
    if (firstWords.empty()) firstWords = dlerror();
  }
  if (!opened_) {
    described_.error = firstWords;
    return;
  }
  link_map* map = nullptr;
  if (dlinfo(opened_, RTLD_DI_LINKMAP, &map) == 0) described_.path = map->l_name;
  if (twoRuntimes()) described_.error = described_.path + " brings another HIP run-time than the module's";
}

void* OpenedLibrary::address(const char* name) const { return opened_ ? dlsym(opened_, name) : nullptr; }

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
