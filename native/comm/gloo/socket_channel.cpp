#include "comm/gloo/socket_channel.h"

#include <cstring>
#include <new>

namespace aurora::comm {
namespace {

// Gloo forgets the memory registered under a slot when any buffer of that slot and side ends, those for sending included. So the two ranks of a pair
// register theirs under different slots.
constexpr int inboxSlot(bool low) { return low ? 0 : 2; }
constexpr int creditSlot(bool low) { return low ? 1 : 3; }

}  // namespace

SocketChannel::Memory SocketChannel::allocate(size_t bytes) {
  void* memory = std::aligned_alloc(alignof(Header), bytes);
  if (!memory) throw std::bad_alloc();
  return Memory(static_cast<std::byte*>(memory));
}

SocketChannel::SocketChannel(gloo::transport::Pair& pair, std::string peer, bool low, std::chrono::milliseconds timeout)
    : Channel(std::move(peer), timeout),
      pair_(pair),
      peersInbox_(inboxSlot(!low)),
      arriving_(pair.createRecvBuffer(inboxSlot(low), inbox_.get(), kSlots * kSlotBytes)),
      leaving_(pair.createSendBuffer(peersInbox_, outbox_.get(), kSlots * kCopiedBytes)),
      creditArriving_(pair.createRecvBuffer(creditSlot(low), &credit_[0], 1)),
      creditLeaving_(pair.createSendBuffer(creditSlot(!low), &credit_[1], 1)) {
  const Header none;
  for (uint64_t slot = 0; slot < kSlots; ++slot) std::memcpy(inbox_.get() + slot * kSlotBytes + kChunk, &none, sizeof none);
}

void SocketChannel::fail(const char* expected, const std::exception& error) const {
  const std::string found = words(error);
  if (found.find("timeout") != std::string::npos) nothingCame(expected);
  hasEnded(expected, found);
}

template <class Action>
void SocketChannel::guarded(const char* expected, Action action) {
  try {
    action();
  } catch (const std::exception& error) {
    fail(expected, error);
  }
}

void SocketChannel::send(Header header, const void* data, size_t bytes) {
  if (!hasRoom()) {
    guarded("to send to ", [&] { creditArriving_->waitRecv(); });
    credited_ += kCreditsAtOnce;
  }
  const uint64_t slot = sent_ % kSlots;
  header.message = ++sent_;
  header.bytes = bytes;
  const size_t end = slot * kCopiedBytes + kCopied, endThere = slot * kSlotBytes + kChunk;
  std::memcpy(outbox_.get() + end, &header, sizeof header);
  guarded("to send to ", [&] {
    const bool copied = bytes <= kCopied;
    if (copied && bytes > 0) std::memcpy(outbox_.get() + end - bytes, data, bytes);
    if (!copied) {
      // What is eight messages old was credited, so it has left.
      if (dataLeaving_.size() == kSlots) {
        dataLeaving_.front()->waitSend();
        dataLeaving_.pop_front();
      }
      dataLeaving_.push_back(pair_.createSendBuffer(peersInbox_, const_cast<void*>(data), bytes));
      dataLeaving_.back()->send(0, bytes, endThere - bytes);
    }
    const size_t with = copied ? bytes : 0;
    leaving_->send(end - with, with + sizeof header, endThere - with);
    ++headersLeaving_;
  });
}

void SocketChannel::finish() {
  guarded("to send to ", [&] {
    for (; headersLeaving_ > 0; --headersLeaving_) leaving_->waitSend();
    for (; !dataLeaving_.empty(); dataLeaving_.pop_front()) dataLeaving_.front()->waitSend();
  });
}

Header SocketChannel::lookAt(const std::byte* end) const {
  Header found;
  std::memcpy(&found, end, sizeof found);
  return found;
}

const void* SocketChannel::receive(Header expected) {
  const std::byte* const end = inbox_.get() + received_ % kSlots * kSlotBytes + kChunk;
  expected.message = ++received_;
  Header found;
  try {
    arriving_->waitRecv();
    if (expected.bytes > kCopied) arriving_->waitRecv();
    found = lookAt(end);
    if (found.message != expected.message) {  // another message than expected, with its header still to come
      arriving_->waitRecv();
      found = lookAt(end);
    }
  } catch (const std::exception& error) {
    // The connection ended, and nothing writes here any more. What had arrived before is there all the same.
    found = lookAt(end);
    if (found.message != expected.message) fail("data from ", error);
  }
  check(expected, found);
  return end - expected.bytes;
}

void SocketChannel::release() {
  if (received_ % kCreditsAtOnce != 0) return;
  // A rank that has ended needs no credit: the next wait for it will tell.
  try {
    if (creditsLeaving_ > 0) creditLeaving_->waitSend();
    creditsLeaving_ = 0;
    creditLeaving_->send(0, 1, 0);
    creditsLeaving_ = 1;
  } catch (const std::exception&) {
    return;
  }
}

}  // namespace aurora::comm
