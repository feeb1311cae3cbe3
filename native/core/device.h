// A device as one JavaScript environment sees it: its backend, its streams, its memory. Used by that environment's thread alone.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/allocator.h"
#include "core/backend.h"
#include "core/error.h"

namespace aurora {

/// Backends are found by the name of the device they drive. What is linked in registers itself when its code is loaded; the others come from
/// modules (core/modules.h).
using BackendFactory = std::unique_ptr<Backend> (*)();
bool registerBackend(const char* name, BackendFactory factory);
/// Throws ERR_DEVICE when there is no such device.
std::unique_ptr<Backend> openBackend(const std::string& name);

class Device {
 public:
  static constexpr size_t kMaxStreams = 64;

  /// Throws ERR_DEVICE when no backend has that name.
  explicit Device(const std::string& name);
  ~Device() { close(); }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  Backend& backend() { return *backend_; }
  Allocator& allocator() { return allocator_; }

  /// Operations are enqueued here. Streams are numbered from 0, the default stream.
  Stream& stream() { return *streams_[current_]; }
  const std::vector<std::unique_ptr<Stream>>& streams() const { return streams_; }
  size_t current() const { return current_; }
  size_t createStream();
  void use(size_t stream) { current_ = stream; }

  /// Drops queued work and waits for what runs; the device takes no work afterwards.
  void close();

 private:
  std::unique_ptr<Backend> backend_;
  std::vector<std::unique_ptr<Stream>> streams_;
  Allocator allocator_;
  size_t current_ = 0;
};

}  // namespace aurora
