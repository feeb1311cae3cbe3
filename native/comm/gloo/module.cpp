// What makes native/comm/gloo a module that the add-on opens (core/modules.h). It has no devices.
#include <dlfcn.h>

#include "comm/gloo/communicator.h"
#include "core/modules.h"
#include "gloo/config.h"
#include "gloo/transport/tcp/device.h"

namespace aurora::comm {
namespace {

std::vector<ModuleLibrary> libraries() {
  Dl_info info{};
  dladdr(reinterpret_cast<const void*>(&gloo::transport::tcp::CreateDevice), &info);
  const std::string version = std::to_string(GLOO_VERSION_MAJOR) + "." + std::to_string(GLOO_VERSION_MINOR) + "." + std::to_string(GLOO_VERSION_PATCH);
  return {{"Gloo", info.dli_fname ? info.dli_fname : "", version, ""}};
}

std::shared_ptr<Communicator> communicator(const CommunicatorOptions& options) { return std::make_shared<GlooCommunicator>(options); }

}  // namespace
}  // namespace aurora::comm

extern "C" __attribute__((visibility("default"))) const aurora::Module* aurora_module() {
  static const std::string stamp = aurora::moduleStamp(AURORA_VERSION);
  static const aurora::Module module{stamp.c_str(), [] { return std::vector<aurora::DeviceInfo>(); }, nullptr, aurora::comm::libraries,
                                     aurora::comm::communicator};
  return &module;
}
