// One direction-pair of messages between this rank and another, over a Gloo connection. Gloo offers one-sided writes into memory that the other side
// registered; on these a channel keeps kSlots messages in flight each way, takes them in order, and hands back credits for those it has taken.
#pragma once

#include <cstdlib>
#include <deque>
#include <exception>
#include <memory>
#include <string>

#include "comm/communicator.h"
#include "gloo/transport/buffer.h"
#include "gloo/transport/pair.h"

namespace aurora::comm {

/// Why an operation cannot go on; what a channel throws.
struct Failure {
  std::string expected, found;
};

/// Gloo's words without the place in its source.
std::string words(const std::exception& error);

enum class Operation : uint8_t { connect, allReduce, allGather, reduceScatter, broadcast, send, barrier };

/// Goes with every message, so that a rank sees when another is at something else. It comes last: where it is, all is.
struct alignas(64) Header {
  uint32_t magic = 0x4d4f4341;  // "ACOM"
  uint32_t group = 0;           // of its name and members
  Operation operation = Operation::barrier;
  uint8_t dtype = 0, reduction = 0, unused = 0;
  uint32_t root = 0;
  uint64_t bytes = 0;    // of this message
  uint64_t call = 0;     // the number of the collective; 0 for send
  uint64_t total = 0;    // bytes of the whole operation
  uint64_t reserved[2] = {};
  uint64_t message = 0;  // its number in the channel; the last bytes of all

  bool operator==(const Header&) const = default;
};
static_assert(sizeof(Header) == 64);

class Channel {
 public:
  static constexpr size_t kChunk = size_t{128} << 10;  // the most bytes in a message
  static constexpr uint64_t kSlots = 8;

  /// Before the pair is connected. `peer` is what errors call the other rank; `low`: this rank comes before it in the group.
  Channel(gloo::transport::Pair& pair, std::string peer, bool low, std::chrono::milliseconds timeout);

  /// Waits until the other side has room for a message. `data` must stay as it is until finish. Both throw Failure, as all below.
  void send(Header header, const void* data, size_t bytes);
  /// Whether `send` would not wait.
  bool hasRoom() const { return sent_ - credited_ < kSlots; }
  /// Waits until all that was sent has left.
  void finish();

  /// Waits for the next message, which must be `expected`, and shows its bytes, valid until `release`.
  const void* receive(Header expected);
  void release();

  const std::string& peer() const { return peer_; }

 private:
  using Buffer = std::unique_ptr<gloo::transport::Buffer>;
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  using Memory = std::unique_ptr<std::byte, Free>;

  static constexpr size_t kSlotBytes = kChunk + sizeof(Header);  // a message ends where its slot does
  static constexpr size_t kCopied = size_t{16} << 10;            // up to this size it is copied beside its header: one write instead of two
  static constexpr size_t kCopiedBytes = kCopied + sizeof(Header);
  static constexpr uint64_t kCreditsAtOnce = 2;

  static Memory allocate(size_t bytes);
  template <class Action>
  void guarded(const char* expected, Action action);
  [[noreturn]] void fail(const char* expected, const std::exception& error) const;
  Header lookAt(const std::byte* end) const;

  gloo::transport::Pair& pair_;
  const std::string peer_;
  const std::chrono::milliseconds timeout_;
  const int peersInbox_;

  const Memory inbox_ = allocate(kSlots * kSlotBytes);
  const Memory outbox_ = allocate(kSlots * (sizeof(Header) + kCopied));
  std::byte credit_[2] = {};  // arrives, leaves
  const Buffer arriving_, leaving_, creditArriving_, creditLeaving_;

  // Used by one thread at a time, the sending one and the receiving one.
  uint64_t sent_ = 0, credited_ = 0;
  uint64_t headersLeaving_ = 0;
  std::deque<Buffer> dataLeaving_;
  uint64_t received_ = 0, creditsLeaving_ = 0;
};

}  // namespace aurora::comm
