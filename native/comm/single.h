// A group of one: every collective is the identity.
#pragma once

#include <functional>

#include "comm/communicator.h"

namespace aurora {

/// `copy` enqueues y = x, of equal dtypes and sizes.
std::shared_ptr<Communicator> singleCommunicator(std::function<void(Stream&, const View& x, const View& y)> copy);

}  // namespace aurora
