// What makes native/hip a module that the add-on opens (core/modules.h).
#include "core/modules.h"

#include "hip/backend.h"
#include "hip/comm/communicator.h"
#include "hip/portable/runtime.h"
#include "hip/portable/vendor.h"

namespace aurora::hip {
namespace {

std::vector<ModuleLibrary> libraries() {
  std::vector<ModuleLibrary> found;
  for (VendorLibrary& library : vendorLibraries())
    found.push_back({std::move(library.name), std::move(library.path), std::move(library.version), std::move(library.error)});
  if (!runtime::kEmulated) found.push_back(nccl().described);
  return found;
}

}  // namespace
}  // namespace aurora::hip

extern "C" __attribute__((visibility("default"))) const aurora::Module* aurora_module() {
  static const std::string stamp = aurora::moduleStamp(AURORA_VERSION);
  static const aurora::Module module{stamp.c_str(), aurora::hip::devices, aurora::hip::open, aurora::hip::libraries,
                                     aurora::hip::communicator};
  return &module;
}
