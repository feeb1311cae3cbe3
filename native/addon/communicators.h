// The communicators of one JavaScript environment. They are numbered for ever: a number that was closed is an error.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "core/device.h"

namespace aurora::addon {

struct OpenCommunicator {
  std::shared_ptr<Communicator> communicator;
  Device* device;
  int rank, size;
  bool connected;
};

class Communicators {
 public:
  int64_t add(OpenCommunicator communicator);
  /// Throws ERR_CLOSED.
  OpenCommunicator& get(int64_t id, const char* operation);
  /// Forgets it; whoever runs its work still holds it.
  OpenCommunicator remove(int64_t id, const char* operation);

  void abortAll(const std::string& reason);
  void clear();

 private:
  std::map<int64_t, OpenCommunicator> open_;
  std::vector<std::weak_ptr<Communicator>> removed_;
  int64_t last_ = 0;
};

}  // namespace aurora::addon
