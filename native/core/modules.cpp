#include "core/modules.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <mutex>

#include "core/error.h"

namespace aurora {
namespace {

struct Kind {
  const char* kind;
  const char* file;
  const char* build;
  enum { numbered, one, none } devices;  // 'hip:0'; the kind names its only device; it has none
  const char* get = "";                  // what else it needs
};
constexpr Kind kKinds[] = {
    {"hip", "aurora_hip.so", "npm run build:hip", Kind::numbered},
    {"cuda", "aurora_cuda.so", "npm run build:cuda", Kind::numbered},
    {"emulator", "aurora_emulator.so", "npm run build:emulator", Kind::one},
    {"emulator:32", "aurora_emulator32.so", "npm run build:emulator", Kind::one},
    {"gloo", "aurora_gloo.so", "npm run build:gloo", Kind::none, "; it needs Gloo (Debian, Ubuntu: apt install libgloo-dev to build it, libgloo0 to run it)"},
};

/// The folders that modules are searched in.
std::vector<std::string> folders() {
  std::vector<std::string> found;
  if (const char* given = std::getenv("AURORA_MODULE_PATH"); given && *given) {
    const std::string paths = given;
    for (size_t start = 0, end; start <= paths.size(); start = end + 1) {
      end = std::min(paths.find(':', start), paths.size());
      if (end > start) found.push_back(paths.substr(start, end - start));
    }
    return found;
  }
  Dl_info self;
  if (dladdr(reinterpret_cast<const void*>(&moduleFiles), &self) == 0 || !self.dli_fname) return found;
  const std::string file = self.dli_fname;
  const size_t slash = file.rfind('/');
  found.push_back(slash == std::string::npos ? "." : file.substr(0, slash));
  return found;
}

ModuleFile locate(const Kind& kind) {
  ModuleFile file{kind.kind, kind.build, {}, ""};
  for (const std::string& folder : folders()) {
    file.searched.push_back(folder + "/" + kind.file);
    if (file.path.empty() && access(file.searched.back().c_str(), R_OK) == 0) file.path = file.searched.back();
  }
  return file;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : ", ") + part;
  return out;
}

const Module* load(const Kind& kind, const char* operation) {
  const ModuleFile file = locate(kind);
  const std::string wanted = kind.devices == Kind::none ? "the module '" + file.kind + "', for communication between processes" : "a module for '" + file.kind + "' devices";
  const std::string hint =
      "build it with \"" + file.build + "\" in the package's folder, or set AURORA_MODULE_PATH to the folder it is in" + kind.get;
  if (file.path.empty()) throw Error(code::kDevice, operation, wanted, "no file " + joined(file.searched), hint);
  void* library = dlopen(file.path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library) {
    const char* words = dlerror();
    throw Error(code::kDevice, operation, wanted, std::string("one that does not load: ") + (words ? words : "no reason given"), hint);
  }
  const auto entry = reinterpret_cast<ModuleEntry>(dlsym(library, kModuleEntry));
  if (!entry) throw Error(code::kDevice, operation, wanted, file.path + ", which is something else", hint);
  const Module* module = entry();
  const std::string expected = moduleStamp(AURORA_VERSION);
  if (expected != module->stamp)
    throw Error(code::kDevice, operation, wanted + " built with this add-on", file.path + " of another build", "build both again: \"npm run build:native\" and \"" + file.build + "\"");
  return module;
}

size_t countDevices(const Module& module, const std::string& name) {
  try {
    return module.devices().size();
  } catch (const Error& error) {
    throw Error(code::kDevice, "openDevice", "device '" + name + "'", "a driver that says: " + error.found(),
                "\"npx aurora doctor\" lists the devices; the vendor's own tool (rocminfo, nvidia-smi) should list them, too");
  }
}

const Kind* kindOf(const std::string& name) {
  for (const Kind& kind : kKinds)
    if (name == kind.kind) return &kind;
  return nullptr;
}

}  // namespace

std::vector<ModuleFile> moduleFiles() {
  std::vector<ModuleFile> files;
  for (const Kind& kind : kKinds) files.push_back(locate(kind));
  return files;
}

const Module& openModule(const std::string& name, const char* operation) {
  const Kind* kind = kindOf(name);
  if (!kind) throw Error(code::kDevice, operation, "one of 'hip', 'cuda', 'emulator', 'emulator:32', 'gloo'", "'" + name + "'");
  static std::mutex mutex;
  static std::map<const Kind*, const Module*> opened;
  std::lock_guard lock(mutex);
  const Module*& module = opened[kind];
  if (!module) module = load(*kind, operation);
  return *module;
}

std::unique_ptr<Backend> openInModule(const std::string& name) {
  const size_t colon = name.rfind(':');
  const std::string head = name.substr(0, colon), number = colon == std::string::npos ? "" : name.substr(colon + 1);
  const Kind* numbered = kindOf(head);
  const bool hasNumber = numbered && numbered->devices == Kind::numbered && !number.empty() && number.size() < 4 && number.find_first_not_of("0123456789") == std::string::npos;
  const Kind* kind = hasNumber ? numbered : kindOf(name);
  if (!kind || kind->devices == Kind::none || (kind->devices == Kind::numbered && !hasNumber))
    throw Error(code::kDevice, "openDevice", "'cpu', 'hip:0', 'cuda:0' (or another number), 'emulator' or 'emulator:32'", "'" + name + "'");
  const Module& module = openModule(kind->kind, "openDevice");
  const int device = hasNumber ? std::stoi(number) : 0;
  const size_t count = countDevices(module, name);
  if (static_cast<size_t>(device) >= count)
    throw Error(code::kDevice, "openDevice", "device '" + name + "'",
                count == 0 ? "no " + head + " device on this machine" : std::to_string(count) + " of them, numbered from 0",
                "\"npx aurora doctor\" lists the devices");
  return module.open(device);
}

}  // namespace aurora
