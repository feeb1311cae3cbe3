// The GPU backend: every operation enqueues kernels on a stream's queue.
#pragma once

#include <memory>
#include <vector>

#include "core/backend.h"

namespace aurora::hip {

/// The devices of this build's kind, in their driver's order. Throws Error when the driver cannot be asked.
std::vector<DeviceInfo> devices();
std::unique_ptr<Backend> open(int device);

}  // namespace aurora::hip
