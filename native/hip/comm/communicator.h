// Groups of GPUs, one for each process, over NCCL or RCCL: every operation is one of the library's, enqueued on the stream's queue.
#pragma once

#include "comm/communicator.h"
#include "hip/comm/nccl_library.h"

namespace aurora::hip {

/// Throws ERR_NOT_SUPPORTED in the emulator, ERR_COMMUNICATION when the library is not there.
std::shared_ptr<Communicator> communicator(const CommunicatorOptions& options);
std::shared_ptr<Communicator> communicator(const Nccl& nccl, const CommunicatorOptions& options);

}  // namespace aurora::hip
