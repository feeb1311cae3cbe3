// This process's Gloo devices: one for each local address, shared by all groups.
#pragma once

#include <memory>
#include <string>

#include "gloo/transport/device.h"

namespace aurora::comm {

/// Throws ERR_COMMUNICATION when `host` is no address, in digits, of this machine.
std::shared_ptr<gloo::transport::Device> networkDevice(const std::string& host);

}  // namespace aurora::comm
