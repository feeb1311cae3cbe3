#include "core/device.h"

#include <map>

#include "core/modules.h"

namespace aurora {
namespace {

std::map<std::string, BackendFactory>& registry() {
  static std::map<std::string, BackendFactory> factories;
  return factories;
}

}  // namespace

bool registerBackend(const char* name, BackendFactory factory) { return registry().emplace(name, factory).second; }

std::unique_ptr<Backend> openBackend(const std::string& name) {
  const auto found = registry().find(name);
  return found == registry().end() ? openInModule(name) : found->second();
}

Device::Device(const std::string& name) : backend_(openBackend(name)), allocator_(*backend_, streams_) { createStream(); }

size_t Device::createStream() {
  if (streams_.size() >= kMaxStreams)
    throw Error(code::kDevice, "createStream", "at most " + std::to_string(kMaxStreams) + " streams on a device", "one more",
                "streams live as long as their device: create them once and use them again");
  streams_.push_back(backend_->createStream());
  return streams_.size() - 1;
}

void Device::close() {
  for (auto& stream : streams_) stream->close();
}

}  // namespace aurora
