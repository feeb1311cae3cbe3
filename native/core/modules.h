// What comes in modules: shared libraries beside the add-on, opened only when something of theirs is asked for. Devices are built from native/hip
// (`npm run build:hip`, …), communication between processes from native/comm/gloo; a program that asks for neither needs none of them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "core/backend.h"

namespace aurora {

/// A vendor's library that a module opens at run time.
struct ModuleLibrary {
  std::string name, path, version;  // path is empty when it was not found
  std::string error;                // the loader's words then
};

/// What a module's one function, `extern "C" const aurora::Module* aurora_module()`, gives. The stamp comes first and is compared before
/// anything else is touched: only a module of the same version and layout may be used.
struct Module {
  const char* stamp;
  std::vector<DeviceInfo> (*devices)();  // throws Error when the driver cannot be asked
  std::unique_ptr<Backend> (*open)(int device);  // null without devices
  std::vector<ModuleLibrary> (*libraries)();
  std::shared_ptr<Communicator> (*communicator)(const CommunicatorOptions&);  // null without communication; not connected yet
};
using ModuleEntry = const Module* (*)();
constexpr const char* kModuleEntry = "aurora_module";

/// The package's version, and the sizes of what crosses the border between add-on and module.
inline std::string moduleStamp(const char* version) {
  constexpr int kLayout = 2;  // counts changes of classes that their sizes do not show
  std::string stamp = std::string(version) + "/" + std::to_string(kLayout);
  for (size_t size : {sizeof(View), sizeof(DeviceInfo), sizeof(Stream), sizeof(CommunicatorOptions), sizeof(Module), sizeof(std::string), sizeof(std::function<void()>)})
    stamp.append(".").append(std::to_string(size));
#define AURORA_OPERATION(method, Args) stamp.append("." #method).append(std::to_string(sizeof(Args)));
#include "core/operations.inc"
#undef AURORA_OPERATION
  return stamp;
}

/// A kind of module, and where it is.
struct ModuleFile {
  std::string kind;                   // "hip": its devices are 'hip:0', 'hip:1', …; "gloo": it has none
  std::string build;                  // the command that makes it
  std::vector<std::string> searched;  // AURORA_MODULE_PATH's folders (separated by ':'), or the add-on's own
  std::string path;                   // empty when it is in none of them
};
std::vector<ModuleFile> moduleFiles();

/// Opens the module of that kind. Throws ERR_DEVICE saying what was searched, what the loader said, and how to get it.
const Module& openModule(const std::string& kind, const char* operation = "openModule");
/// The device of that name; throws ERR_DEVICE as openModule does, and when the module does not have it.
std::unique_ptr<Backend> openInModule(const std::string& name);

}  // namespace aurora
