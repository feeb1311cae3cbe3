// Messages between this rank and another, both ways, in order, with kSlots in flight at most each way. socket_channel.h goes over a connection,
// shared_channel.h through memory that both ranks map.
#pragma once

#include <cstdint>
#include <exception>
#include <string>

#include "comm/communicator.h"

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

  virtual ~Channel() = default;

  /// Waits until the other side has room for a message. `data` must stay as it is until finish. Both throw Failure, as all below.
  virtual void send(Header header, const void* data, size_t bytes) = 0;
  /// Whether `send` would not wait.
  virtual bool hasRoom() const = 0;
  /// Waits until all that was sent has left.
  virtual void finish() = 0;

  /// Waits for the next message, which must be `expected`, and shows its bytes, valid until `release`.
  virtual const void* receive(Header expected) = 0;
  virtual void release() = 0;

 protected:
  Channel(std::string peer, std::chrono::milliseconds timeout) : peer_(std::move(peer)), timeout_(timeout) {}

  [[noreturn]] void nothingCame(const char* expected) const;
  [[noreturn]] void hasEnded(const char* expected, const std::string& found) const;
  void check(const Header& expected, const Header& found) const;

  const std::string peer_;  // what errors call the other rank
  const std::chrono::milliseconds timeout_;
};

}  // namespace aurora::comm
