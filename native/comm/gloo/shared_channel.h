// A channel through memory that two ranks of one machine share. What a rank sends it copies into the other's inbox, a ring of slots, from where the other
// takes it: no system call but to sleep and to wake.
#pragma once

#include <atomic>
#include <memory>

#include "comm/gloo/channel.h"
#include "comm/gloo/shared_memory.h"

namespace aurora::comm {

/// What one rank sent another and the other has yet to take. Zeros are an empty one.
struct Inbox {
  /// A count that one side raises and the other waits for.
  struct alignas(64) Count {
    std::atomic<uint32_t> value;
    std::atomic<uint32_t> sleeping;  // somebody is about to, and must be woken
  };
  struct Slot {
    std::byte data[Channel::kChunk];
    Header header;
  };

  uint64_t key;  // of the file, in its first inbox
  Count sent, taken;
  alignas(64) std::atomic<uint32_t> writerEnded, readerEnded;
  alignas(4096) Slot slots[Channel::kSlots];
};
static_assert(std::atomic<uint32_t>::is_always_lock_free && sizeof(Inbox) % 4096 == 0);

/// A rank's file: an inbox from each rank of its group, in order.
size_t inboxesBytes(int ranks);

class SharedChannel final : public Channel {
 public:
  /// Takes messages from `here`, this rank's inbox from the other, and leaves them in `there`, the other's from this one.
  SharedChannel(Mapping here, Mapping there, Descriptor otherProcess, std::string peer, std::chrono::milliseconds timeout);
  ~SharedChannel() override { end(); }

  void send(Header header, const void* data, size_t bytes) override;
  bool hasRoom() const override;
  void finish() override {}
  const void* receive(Header expected) override;
  void release() override;

  /// From any thread: whoever waits, here or there, waits no longer, and finds the channel ended once it has taken what is there.
  void end();

 private:
  template <class Ready>
  void await(Inbox::Count& count, const char* expected, Ready ready);

  const Mapping here_, there_;
  Inbox &in_, &out_;
  const Descriptor otherProcess_;
  // Used by one thread at a time, the sending one and the receiving one.
  uint64_t sent_ = 0, received_ = 0;
};

}  // namespace aurora::comm
