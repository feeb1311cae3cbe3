#include "comm/gloo/communicator.h"

#include <atomic>
#include <cstring>
#include <thread>
#include <utility>

#include "comm/gloo/network.h"
#include "comm/gloo/reduce.h"
#include "core/error.h"
#include "gloo/config.h"
#include "gloo/transport/context.h"

namespace aurora::comm {
namespace {

/// An address: where the rank's inboxes are, and for each rank of the group what it connects to, in order, with zeros for the rank itself.
struct AddressHead {
  uint32_t version = GLOO_VERSION;
  uint32_t group = 0;
  uint32_t entryBytes = 0;
  uint32_t entries = 0;
  Place inboxes;
};

/// FNV-1a of name and members: tells groups apart in messages.
uint32_t digest(const CommunicatorOptions& options) {
  uint32_t hash = 2166136261u;
  const auto mix = [&](unsigned char byte) { hash = (hash ^ byte) * 16777619u; };
  for (char letter : options.name) mix(static_cast<unsigned char>(letter));
  for (int rank : options.ranks)
    for (int shift = 0; shift < 32; shift += 8) mix(static_cast<unsigned char>(static_cast<uint32_t>(rank) >> shift));
  mix(static_cast<unsigned char>(options.size));
  return hash;
}

/// Ends all connections of a context, and wakes whoever waits: Gloo does so when a wait takes too long, and only then.
void endConnections(gloo::transport::Context& context) {
  char nothing;
  try {
    context.createUnboundBuffer(&nothing, 1)->waitRecv(nullptr, std::chrono::milliseconds(0));
  } catch (const std::exception&) {
    return;
  }
}

std::shared_ptr<gloo::transport::Context> newContext(gloo::transport::Device& device, const CommunicatorOptions& options) {
  auto context = device.createContext(options.rank, options.size);
  context->setTimeout(options.timeout);
  return context;
}

}  // namespace

GlooCommunicator::GlooCommunicator(CommunicatorOptions options)
    : options_(std::move(options)),
      device_(networkDevice(options_.host)),
      context_(newContext(*device_, options_)),
      group_(digest(options_)),
      inboxes_(options_.host, inboxesBytes(options_.size)) {
  sockets_.resize(static_cast<size_t>(options_.size));
  shared_.resize(static_cast<size_t>(options_.size));
  senders_.resize(static_cast<size_t>(options_.size));
  try {
    for (int rank = 0; rank < options_.size; ++rank)
      if (rank != options_.rank)
        sockets_[static_cast<size_t>(rank)] =
            std::make_unique<SocketChannel>(*context_->createPair(rank), nameOf(rank), options_.rank < rank, options_.timeout);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(code::kCommunication, "beginCommunicator", "a port to listen on at '" + options_.host + "'", words(error));
  }
}

GlooCommunicator::~GlooCommunicator() {
  // Ends the connections first: it wakes senders that wait, and nothing is written into the sockets' memory afterwards.
  fail({"an open group", "one that is closed"});
  senders_.clear();
}

Bytes GlooCommunicator::address() const {
  AddressHead head;
  head.group = group_;
  head.entries = static_cast<uint32_t>(options_.size);
  head.inboxes = inboxes_.place;
  std::vector<std::vector<char>> entries(static_cast<size_t>(options_.size));
  for (int rank = 0; rank < options_.size; ++rank)
    if (rank != options_.rank) {
      entries[static_cast<size_t>(rank)] = context_->getPair(rank)->address().bytes();
      head.entryBytes = static_cast<uint32_t>(entries[static_cast<size_t>(rank)].size());
    }
  Bytes bytes(sizeof head + entries.size() * head.entryBytes);
  std::memcpy(bytes.data(), &head, sizeof head);
  for (size_t rank = 0; rank < entries.size(); ++rank)
    if (!entries[rank].empty()) std::memcpy(bytes.data() + sizeof head + rank * head.entryBytes, entries[rank].data(), entries[rank].size());
  return bytes;
}

void GlooCommunicator::connect(const std::vector<Bytes>& addresses) {
  const auto refuse = [&](const std::string& expected, const std::string& found) {
    const Failure first = fail({expected, found});
    throw Error(code::kCommunication, "connectCommunicator", first.expected, first.found);
  };
  if (addresses.size() != static_cast<size_t>(options_.size)) refuse("the addresses of " + std::to_string(options_.size) + " ranks", std::to_string(addresses.size()));
  const Bytes own = address();
  AddressHead expected;
  std::memcpy(&expected, own.data(), sizeof expected);
  std::vector<Place> inboxes(addresses.size());
  for (int rank = 0; rank < options_.size; ++rank) {
    const Bytes& theirs = addresses[static_cast<size_t>(rank)];
    AddressHead head;
    const std::string expectedOf = "an address of " + nameOf(rank);
    if (theirs.size() < sizeof head) refuse(expectedOf, std::to_string(theirs.size()) + " bytes");
    std::memcpy(&head, theirs.data(), sizeof head);
    if (head.version != expected.version) refuse(expectedOf, "one of Gloo version " + std::to_string(head.version) + ", here " + std::to_string(expected.version));
    const bool ours = head.group == expected.group && head.entries == expected.entries && head.entryBytes == expected.entryBytes;
    if (theirs.size() != own.size() || !ours) refuse(expectedOf, "one of another group");
    inboxes[static_cast<size_t>(rank)] = head.inboxes;
  }

  std::atomic<int> waitingFor{options_.rank};
  std::mutex mutex;
  std::condition_variable changed;
  bool connected = false;
  // Gloo waits longer than the timeout for connections.
  std::thread watchdog([&] {
    std::unique_lock lock(mutex);
    if (changed.wait_for(lock, options_.timeout, [&] { return connected; })) return;
    fail({"a connection to " + nameOf(waitingFor) + " within " + std::to_string(options_.timeout.count()) + " ms", "none"});
  });
  std::optional<Failure> failure;
  try {
    for (int rank = 0; rank < options_.size; ++rank) {
      if (rank == options_.rank) continue;
      waitingFor = rank;
      const std::byte* entry = addresses[static_cast<size_t>(rank)].data() + sizeof expected + static_cast<size_t>(options_.rank) * expected.entryBytes;
      const auto* letters = reinterpret_cast<const char*>(entry);
      context_->getPair(rank)->connect(std::vector<char>(letters, letters + expected.entryBytes));
    }
    shareMemory(inboxes);
  } catch (const Failure& found) {
    failure = fail(found);
  } catch (const std::exception& error) {
    failure = fail({"a connection to " + nameOf(waitingFor), words(error)});
  }
  {
    std::lock_guard lock(mutex);
    connected = true;
  }
  changed.notify_all();
  watchdog.join();
  if (failure) refuse(failure->expected, failure->found);
}

/// Every rank tells every other that it is here, and whether it can reach the other's inbox. Two that can, use these from now on.
void GlooCommunicator::shareMemory(const std::vector<Place>& places) {
  const size_t size = sockets_.size();
  const auto bytesOf = inboxesBytes(options_.size);
  const auto inboxAt = [](const Descriptor& file, int rank) { return Mapping(file.number(), static_cast<size_t>(rank) * sizeof(Inbox), sizeof(Inbox)); };
  std::vector<Descriptor> processes(size);
  std::vector<Mapping> here(size), there(size);
  std::vector<uint8_t> reached(size);
  forOthers([&](int rank) {
    const auto other = static_cast<size_t>(rank);
    const Place& place = places[other];
    if (!inboxes_.descriptor || place.machine != inboxes_.place.machine) return;
    Neighbour neighbour(place, bytesOf);
    if (!neighbour) return;
    there[other] = inboxAt(neighbour.file, options_.rank);
    here[other] = inboxAt(inboxes_.descriptor, rank);
    processes[other] = std::move(neighbour.process);
    reached[other] = here[other] && there[other];
  });

  Header header = this->header(Operation::connect, {});
  header.bytes = 1;
  std::vector<std::unique_ptr<SharedChannel>> shared(size);
  forOthers([&](int rank) { channel(rank).send(header, &reached[static_cast<size_t>(rank)], 1); });
  forOthers([&](int rank) {
    const auto other = static_cast<size_t>(rank);
    const bool both = *static_cast<const uint8_t*>(channel(rank).receive(header)) && reached[other];
    channel(rank).release();
    if (both)
      shared[other] = std::make_unique<SharedChannel>(std::move(here[other]), std::move(there[other]), std::move(processes[other]), nameOf(rank), options_.timeout);
  });
  forOthers([&](int rank) { channel(rank).finish(); });
  inboxes_.descriptor.reset();
  std::lock_guard lock(mutex_);
  shared_ = std::move(shared);
  if (failure_) throw *failure_;
}

// --- failures ---------------------------------------------------------------------------------------------------------

Channel& GlooCommunicator::channel(int rank) {
  const auto index = static_cast<size_t>(rank);
  if (shared_[index]) return *shared_[index];
  return *sockets_[index];
}

Sender& GlooCommunicator::sender(int rank) {
  auto& sender = senders_[static_cast<size_t>(rank)];
  if (!sender) sender = std::make_unique<Sender>(channel(rank), [this](const Failure& failure) { fail(failure); });
  return *sender;
}

void GlooCommunicator::finishSenders() {
  for (const auto& sender : senders_)
    if (sender) sender->finish();
  if (const auto failure = failed()) throw *failure;
}

std::string GlooCommunicator::nameOf(int rank) const {
  const auto index = static_cast<size_t>(rank);
  const int known = index < options_.ranks.size() ? options_.ranks[index] : rank;
  return "rank " + std::to_string(known) + (options_.name.empty() ? "" : " of group '" + options_.name + "'");
}

std::optional<Failure> GlooCommunicator::failed() const {
  std::lock_guard lock(mutex_);
  return failure_;
}

Failure GlooCommunicator::fail(const Failure& failure) {
  Failure first;
  {
    std::lock_guard lock(mutex_);
    if (!failure_) failure_ = failure;
    first = *failure_;
    for (const auto& channel : shared_)
      if (channel) channel->end();
  }
  endConnections(*context_);
  return first;
}

void GlooCommunicator::abort(const std::string& reason) {
  fail({"group '" + options_.name + "' to go on", "it was aborted: " + (reason.empty() ? "no reason given" : reason)});
}
}  // namespace aurora::comm
