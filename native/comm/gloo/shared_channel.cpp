#include "comm/gloo/shared_channel.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstring>

#include "core/spin.h"

namespace aurora::comm {
namespace {

constexpr long kNap = 20;  // milliseconds between two looks at whether the other process lives

void sleepWhile(std::atomic<uint32_t>& word, uint32_t value, long milliseconds) {
  const timespec time{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  syscall(SYS_futex, &word, FUTEX_WAIT, value, &time, nullptr, 0);
}

void wake(Inbox::Count& count) {
  if (count.sleeping.load() && count.sleeping.exchange(0)) syscall(SYS_futex, &count.value, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

void raise(Inbox::Count& count) {
  count.value.fetch_add(1);
  wake(count);
}

uint32_t now(const Inbox::Count& count) { return count.value.load(); }

}  // namespace

size_t inboxesBytes(int ranks) { return static_cast<size_t>(ranks) * sizeof(Inbox); }

SharedChannel::SharedChannel(Mapping here, Mapping there, Descriptor otherProcess, std::string peer, std::chrono::milliseconds timeout)
    : Channel(std::move(peer), timeout),
      here_(std::move(here)),
      there_(std::move(there)),
      in_(*reinterpret_cast<Inbox*>(here_.data())),
      out_(*reinterpret_cast<Inbox*>(there_.data())),
      otherProcess_(std::move(otherProcess)) {}

/// Waits for what the other side's next steps on `count` make true. Counts naps instead of looking at a clock: while all are stopped, no time passes.
template <class Ready>
void SharedChannel::await(Inbox::Count& count, const char* expected, Ready ready) {
  if (spinUntil(ready)) return;
  for (long waited = 0;; waited += kNap) {
    const uint32_t seen = now(count);
    count.sleeping.store(1);
    if (ready()) return;
    if (out_.writerEnded.load()) hasEnded(expected, "it was closed here");
    if (in_.writerEnded.load() || out_.readerEnded.load()) hasEnded(expected, "it was closed there");
    if (isGone(otherProcess_)) hasEnded(expected, "the process is gone");
    const long left = static_cast<long>(timeout_.count()) - waited;
    if (left <= 0) nothingCame(expected);
    sleepWhile(count.value, seen, std::min(left, kNap));
  }
}

bool SharedChannel::hasRoom() const { return static_cast<uint32_t>(sent_) - now(out_.taken) < kSlots; }

void SharedChannel::send(Header header, const void* data, size_t bytes) {
  await(out_.taken, "to send to ", [this] { return hasRoom(); });
  Inbox::Slot& slot = out_.slots[sent_ % kSlots];
  header.message = ++sent_;
  header.bytes = bytes;
  if (bytes > 0) std::memcpy(slot.data, data, bytes);
  slot.header = header;
  raise(out_.sent);
}

const void* SharedChannel::receive(Header expected) {
  await(in_.sent, "data from ", [this] { return now(in_.sent) != static_cast<uint32_t>(received_); });
  const Inbox::Slot& slot = in_.slots[received_ % kSlots];
  expected.message = ++received_;
  const Header found = slot.header;  // as it is now: the other side could change it
  check(expected, found);
  return slot.data;
}

void SharedChannel::release() { raise(in_.taken); }

void SharedChannel::end() {
  out_.writerEnded = 1;
  in_.readerEnded = 1;
  for (Inbox::Count* count : {&in_.sent, &in_.taken, &out_.sent, &out_.taken}) wake(*count);
}

}  // namespace aurora::comm
