// A channel over a Gloo connection. Gloo offers one-sided writes into memory that the other side registered; on these it keeps kSlots messages in flight
// each way, takes them in order, and hands back credits for those it has taken.
#pragma once

#include <cstdlib>
#include <deque>
#include <memory>

#include "comm/gloo/channel.h"
#include "gloo/transport/buffer.h"
#include "gloo/transport/pair.h"

namespace aurora::comm {

class SocketChannel final : public Channel {
 public:
  /// Before the pair is connected. `low`: this rank comes before the other in the group.
  SocketChannel(gloo::transport::Pair& pair, std::string peer, bool low, std::chrono::milliseconds timeout);

  void send(Header header, const void* data, size_t bytes) override;
  bool hasRoom() const override { return sent_ - credited_ < kSlots; }
  void finish() override;
  const void* receive(Header expected) override;
  void release() override;

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
