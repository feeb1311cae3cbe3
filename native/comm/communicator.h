// The Communicator interface: what a group of processes does together. Each process holds one Communicator of the group, and its place in the group
// is its rank there. Implementations: native/comm/single.h (a group of one), native/comm/gloo (CPU), native/hip/comm (GPU, RCCL or NCCL).
//
// Rules for all operations
// - Every rank of the group calls the same collectives in the same order, with equal dtypes, sizes, reductions and roots. Gloo's messages carry all of
//   these, and a rank that finds another at something else fails with both named. A send is matched by a receive of the same size and dtype.
// - A call enqueues on the stream and returns. On a CPU stream it is a callback (Stream::then) that takes as long as the other ranks need; so give
//   collectives a stream of their own where arithmetic should go on beside them. One communicator runs one operation at a time.
// - Reductions are of f32, bf16 and i32, in rank order: ((x₀ + x₁) + x₂) + …, floats in f32 with a bf16 result rounded once, i32 wrapping around. So a
//   result is bit-for-bit repeatable, and the same on every rank. (NCCL chooses the order itself: repeatable for one layout of machines, and the same
//   on every rank; bf16 as it does it.) A maximum with a NaN is NaN. All else moves bytes of any dtype.
// - Sizes of 0 are allowed, and do nothing but keep the order.
// - `send` returns to its stream when the receiver has taken the data or the rest of it was copied: two ranks may send to each other before either
//   receives. (NCCL waits for the receiver: ranks that exchange take turns, or use a group for each direction.)
// - No wait is longer than the group's timeout. What goes wrong fails the stream (Stream::fail) with ERR_COMMUNICATION, the operation, and the rank
//   that was waited for; from then on every operation of this communicator fails so, at once.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/stream.h"
#include "core/view.h"

namespace aurora {

namespace code {
inline constexpr const char* kCommunication = "ERR_COMMUNICATION";  // a rank failed, or was waited for too long, or is at something else
}  // namespace code

/// The numbering is part of the JavaScript contract (src/native.ts mirrors it).
enum class Reduction : uint8_t { sum = 0, max = 1 };

struct CommunicatorOptions {
  int rank = 0, size = 1;
  std::string name;                         // of the group, for errors
  std::vector<int> ranks;                   // what errors call its members: their ranks in the world
  std::string host;                         // Gloo: the local address to listen on, in digits
  std::chrono::milliseconds timeout{60000};
  int device = 0;                           // NCCL: the GPU's number
};

using Bytes = std::vector<std::byte>;

class Communicator {
 public:
  /// Ends its threads and connections. Work that still runs on a stream must have been aborted.
  virtual ~Communicator() = default;

  /// What the other ranks of the group must get to know of this one.
  virtual Bytes address() const = 0;
  /// Blocks until the group is connected; throws ERR_COMMUNICATION. `addresses` are all ranks', in order.
  virtual void connect(const std::vector<Bytes>& addresses) = 0;

  /// x = the reduction of all ranks' x.
  virtual void allReduce(Stream&, const View& x, Reduction) = 0;
  /// y = x of rank 0, x of rank 1, …; y has size · |x| elements. x may be y's own part.
  virtual void allGather(Stream&, const View& x, const View& y) = 0;
  /// y = the rank's part of the reduction of all ranks' x; x has size · |y| elements and may be changed. y may be x's own part.
  virtual void reduceScatter(Stream&, const View& x, const View& y, Reduction) = 0;
  /// x = x of root.
  virtual void broadcast(Stream&, const View& x, int root) = 0;
  virtual void send(Stream&, const View& x, int to) = 0;
  virtual void receive(Stream&, const View& x, int from) = 0;
  /// Runs when every rank has come here.
  virtual void barrier(Stream&) = 0;
  /// Runs when all that was sent has left this process.
  virtual void flush(Stream&) = 0;

  /// From any thread: what runs, and all that follows, fails with ERR_COMMUNICATION and this reason.
  virtual void abort(const std::string& reason) = 0;
};

}  // namespace aurora
