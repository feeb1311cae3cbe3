#include "core/backend.h"

#include <map>

#include "core/device.h"

namespace aurora {

void Backend::unsupported(const char* operation) const {
  throw Error(code::kNotSupported, operation, "an operation that device '" + info().name + "' has", operation,
              "run it on 'cpu', which has every operation");
}

namespace {

std::map<std::string, BackendFactory>& registry() {
  static std::map<std::string, BackendFactory> factories;
  return factories;
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "'" : ", '") + name + "'";
  return out;
}

std::unique_ptr<Backend> open(const std::string& name) {
  const auto found = registry().find(name);
  if (found == registry().end()) throw Error(code::kDevice, "openDevice", "one of " + joined(backendNames()), "'" + name + "'");
  return found->second();
}

}  // namespace

bool registerBackend(const char* name, BackendFactory factory) { return registry().emplace(name, factory).second; }

std::vector<std::string> backendNames() {
  std::vector<std::string> names;
  for (const auto& [name, factory] : registry()) names.push_back(name);
  return names;
}

Device::Device(const std::string& name) : backend_(open(name)), allocator_(*backend_, streams_) { createStream(); }

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
