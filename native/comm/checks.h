// What a call of a communicator must fulfil, checked before it is enqueued.
#pragma once

#include "comm/communicator.h"

namespace aurora {

/// f32, bf16 or i32.
void checkReducible(const char* operation, const View& x);
/// `whole` has as many elements as all `size` parts, of the same dtype; their memory is apart, or `part` is exactly the rank's part of `whole`.
void checkParts(const char* operation, const char* partName, const View& part, const char* wholeName, const View& whole, int rank, int size);
/// A place in the group; checkPeer refuses the rank itself.
void checkRank(const char* operation, const char* name, int64_t rank, int size);
void checkPeer(const char* operation, const char* name, int64_t peer, int rank, int size);

}  // namespace aurora
