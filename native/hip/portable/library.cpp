#include "hip/portable/library.h"

#include <dlfcn.h>
#include <link.h>

#include <cstring>

namespace aurora::hip {

DynamicLibrary::DynamicLibrary(const std::vector<const char*>& files) {
  for (const char* file : files) {
    opened_ = dlopen(file, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
    if (opened_) break;
    if (error_.empty()) error_ = dlerror();
  }
  if (opened_) error_.clear();
}

void* DynamicLibrary::symbol(const char* name) const { return opened_ ? dlsym(opened_, name) : nullptr; }

std::string DynamicLibrary::path() const {
  link_map* map = nullptr;
  return opened_ && dlinfo(opened_, RTLD_DI_LINKMAP, &map) == 0 ? map->l_name : "";
}

bool DynamicLibrary::twoRuntimes() {
  int count = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        if (std::strstr(info->dlpi_name, "/libamdhip64.so")) ++*static_cast<int*>(data);
        return 0;
      },
      &count);
  return count > 1;
}

}  // namespace aurora::hip
