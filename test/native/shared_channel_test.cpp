// Channels through shared memory: two threads that map the same file, against what they sent; and what is wrong with files, messages and processes.
#include "check.h"
#ifdef AURORA_GLOO
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

#include "comm/gloo/shared_channel.h"

using namespace aurora;
using namespace aurora::test;
using namespace aurora::comm;

namespace {

constexpr const char* kHost = "127.0.0.1";

Mapping inboxAt(const SharedFile& file, int rank) { return Mapping(file.descriptor.number(), static_cast<size_t>(rank) * sizeof(Inbox), sizeof(Inbox)); }
Descriptor descriptorOf(pid_t process) { return Descriptor(static_cast<int>(syscall(SYS_pidfd_open, process, 0))); }

/// Two ends of one channel, in this process.
struct Ends {
  explicit Ends(std::chrono::milliseconds timeout = std::chrono::seconds(30), pid_t other = getpid())
      : one(inboxAt(file, 0), inboxAt(file, 1), descriptorOf(other), "rank 1", timeout),
        two(inboxAt(file, 1), inboxAt(file, 0), descriptorOf(other), "rank 0", timeout) {}
  const SharedFile file{kHost, inboxesBytes(2)};
  SharedChannel one, two;
};

Header messageOf(size_t bytes) {
  Header header;
  header.operation = Operation::send;
  header.bytes = bytes;
  return header;
}

void messagesArriveInOrder(std::mt19937_64& engine) {
  Ends ends;
  std::vector<std::vector<std::byte>> messages(200);
  for (auto& message : messages) {
    message.resize(engine() % 4 == 0 ? engine() % (Channel::kChunk + 1) : engine() % 100);
    for (auto& byte : message) byte = static_cast<std::byte>(engine());
  }
  const auto run = [&](SharedChannel& channel) {
    std::thread sending([&] {
      for (const auto& message : messages) channel.send(messageOf(0), message.data(), message.size());
    });
    for (const auto& message : messages) {
      const void* found = channel.receive(messageOf(message.size()));
      check(message.empty() || std::memcmp(found, message.data(), message.size()) == 0, "a message is what was sent");
      channel.release();
    }
    sending.join();
  };
  std::thread other([&] { run(ends.two); });
  run(ends.one);
  other.join();
}

std::string failureOf(const std::function<void()>& action, double seconds = 5) {
  const auto start = std::chrono::steady_clock::now();
  try {
    action();
  } catch (const Failure& failure) {
    check(std::chrono::steady_clock::now() - start < std::chrono::duration<double>(seconds), "what fails does so soon");
    return failure.expected + "; " + failure.found;
  }
  return "no failure";
}

void tells(const std::string& found, const std::string& words) { check(found.find(words) != std::string::npos, "'" + found + "' tells of '" + words + "'"); }

void whatIsNoMessageFails() {
  Ends ends;
  const std::byte data[16] = {};
  ends.one.send(messageOf(0), data, 16);
  tells(failureOf([&] { ends.two.receive(messageOf(12)); }), "rank 0 at send");
  ends.one.send(messageOf(0), data, 16);
  const Mapping inbox = inboxAt(ends.file, 1);
  std::memset(inbox.data() + offsetof(Inbox, slots), 0xa5, sizeof(Inbox::Slot) * Channel::kSlots);
  tells(failureOf([&] { ends.two.receive(messageOf(16)); }), "no message of this protocol");
}

void anEndWakesBothSides() {
  Ends ends;
  const std::byte last{7};
  ends.one.send(messageOf(0), &last, 1);
  std::string here, there;
  std::thread sender([&] {
    here = failureOf([&] {
      while (true) ends.two.send(messageOf(0), &last, 1);
    });
  });
  std::thread receiver([&] {
    there = failureOf([&] {
      check(*static_cast<const std::byte*>(ends.two.receive(messageOf(1))) == last, "what came before the end is heard");
      ends.two.release();
      ends.two.receive(messageOf(1));
    });
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  ends.one.end();
  sender.join();
  receiver.join();
  tells(here, "to send to rank 0; a connection that ended: it was closed there");
  tells(there, "data from rank 0; a connection that ended: it was closed there");
  const std::string self = failureOf([&] {
    for (;; ends.one.release()) ends.one.receive(messageOf(1));
  });
  tells(self, "data from rank 1; a connection that ended: it was closed here");
}

void waitsEnd() {
  Ends waiting(std::chrono::milliseconds(100));
  tells(failureOf([&] { waiting.one.receive(messageOf(1)); }), "data from rank 1 within 100 ms; nothing more from it");
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  Ends ends(std::chrono::seconds(30), child);
  std::thread killer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    kill(child, SIGKILL);
  });
  tells(failureOf([&] { ends.one.receive(messageOf(1)); }), "the process is gone");
  killer.join();
  waitpid(child, nullptr, 0);
}

void onlyTheRightFileIsTaken() {
  const size_t bytes = inboxesBytes(3);
  const SharedFile file(kHost, bytes);
  check(static_cast<bool>(Neighbour(file.place, bytes)), "a file is found by its place");
  check(!Neighbour(file.place, bytes + 4096), "a file of another size is not taken");
  Place other = file.place;
  other.key ^= 1;
  check(!Neighbour(other, bytes), "a file with another key is not taken");
  other = file.place;
  other.descriptor = 1'000'000;
  check(!Neighbour(other, bytes), "a number without a file is none");
  other.process = -5;
  check(!Neighbour(other, bytes), "nor is a process that is none");

  const Descriptor open(memfd_create("open", MFD_ALLOW_SEALING));
  check(ftruncate(open.number(), static_cast<off_t>(bytes)) == 0 && pwrite(open.number(), &file.place.key, 8, 0) == 8, "a file is made");
  other = {file.place.machine, file.place.key, getpid(), open.number()};
  check(!Neighbour(other, bytes), "a file that could shrink is not taken");

  check(SharedFile("another host", bytes).place.machine != file.place.machine, "another address is another machine");
  setenv("AURORA_SHARED_MEMORY", "0", 1);
  check(SharedFile(kHost, bytes).place.machine == 0, "AURORA_SHARED_MEMORY=0: no file");
  unsetenv("AURORA_SHARED_MEMORY");
}

}  // namespace

int main() {
  auto engine = randomEngine();
  messagesArriveInOrder(engine);
  whatIsNoMessageFails();
  anEndWakesBothSides();
  waitsEnd();
  onlyTheRightFileIsTaken();
  return finish("shared_channel_test");
}
#else
int main() { return aurora::test::finish("shared_channel_test: built without Gloo"); }
#endif
