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

constexpr int64_t kAhead = 2;  // chunks that are sent before the first is waited for; the channels' slots hold them (see runAllReduce)

/// An address: for each rank of the group what it connects to, in order, with zeros for the rank itself.
struct AddressHead {
  uint32_t version = GLOO_VERSION;
  uint32_t group = 0;
  uint32_t entryBytes = 0;
  uint32_t entries = 0;
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
    : options_(std::move(options)), device_(networkDevice(options_.host)), context_(newContext(*device_, options_)), group_(digest(options_)) {
  channels_.resize(static_cast<size_t>(options_.size));
  senders_.resize(static_cast<size_t>(options_.size));
  try {
    for (int rank = 0; rank < options_.size; ++rank)
      if (rank != options_.rank)
        channels_[static_cast<size_t>(rank)] =
            std::make_unique<Channel>(*context_->createPair(rank), nameOf(rank), options_.rank < rank, options_.timeout);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(code::kCommunication, "beginCommunicator", "a port to listen on at '" + options_.host + "'", words(error));
  }
}

GlooCommunicator::~GlooCommunicator() {
  // Ends the connections first: it wakes senders that wait, and nothing is written into the channels' memory afterwards.
  fail({"an open group", "one that is closed"});
  senders_.clear();
}

Bytes GlooCommunicator::address() const {
  AddressHead head;
  head.group = group_;
  head.entries = static_cast<uint32_t>(options_.size);
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
  for (int rank = 0; rank < options_.size; ++rank) {
    const Bytes& theirs = addresses[static_cast<size_t>(rank)];
    AddressHead head;
    const std::string expectedOf = "an address of " + nameOf(rank);
    if (theirs.size() < sizeof head) refuse(expectedOf, std::to_string(theirs.size()) + " bytes");
    std::memcpy(&head, theirs.data(), sizeof head);
    if (head.version != expected.version) refuse(expectedOf, "one of Gloo version " + std::to_string(head.version) + ", here " + std::to_string(expected.version));
    if (theirs.size() != own.size() || std::memcmp(&head, &expected, sizeof head) != 0) refuse(expectedOf, "one of another group");
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
    meet(header(Operation::connect, {}));
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

// --- operations -------------------------------------------------------------------------------------------------------

template <class Body>
void GlooCommunicator::enqueue(Stream& stream, const char* operation, Body body) {
  std::string stack = std::exchange(stream.callerStack, {});
  stream.then([self = shared_from_this(), &stream, operation, stack = std::move(stack), body = std::move(body)] {
    std::lock_guard lock(self->running_);
    std::optional<Failure> failure = self->failed();
    try {
      if (!failure) body();
      if (!failure) failure = self->failed();  // of a sender, or an abort while the last data arrived
    } catch (const Failure& found) {
      failure = self->fail(found);
    } catch (const std::exception& error) {
      failure = self->fail({"to run", error.what()});
    }
    if (failure) stream.fail({code::kCommunication, operation, failure->expected, failure->found, stack});
  });
}

Header GlooCommunicator::header(Operation operation, const View& x, uint64_t call) const {
  Header header;
  header.group = group_;
  header.operation = operation;
  header.dtype = static_cast<uint8_t>(x.dtype);
  header.call = call;
  header.total = x ? x.bytes() : 0;
  return header;
}

Header GlooCommunicator::collective(Operation operation, const View& x) { return header(operation, x, ++calls_); }

void GlooCommunicator::allReduce(Stream& stream, const View& x, Reduction reduction) {
  enqueue(stream, "allReduce", [=, this] { runAllReduce(x, reduction); });
}
void GlooCommunicator::allGather(Stream& stream, const View& x, const View& y) {
  enqueue(stream, "allGather", [=, this] { runAllGather(x, y); });
}
void GlooCommunicator::reduceScatter(Stream& stream, const View& x, const View& y, Reduction reduction) {
  enqueue(stream, "reduceScatter", [=, this] { runReduceScatter(x, y, reduction); });
}
void GlooCommunicator::broadcast(Stream& stream, const View& x, int root) {
  enqueue(stream, "broadcast", [=, this] { runBroadcast(x, root); });
}
void GlooCommunicator::send(Stream& stream, const View& x, int to) {
  enqueue(stream, "send", [=, this] { runSend(x, to); });
}
void GlooCommunicator::receive(Stream& stream, const View& x, int from) {
  enqueue(stream, "receive", [=, this] { runReceive(x, from); });
}
void GlooCommunicator::barrier(Stream& stream) {
  enqueue(stream, "barrier", [this] {
    finishSenders();
    meet(collective(Operation::barrier, {}));
  });
}
void GlooCommunicator::flush(Stream& stream) {
  enqueue(stream, "flush", [this] { finishSenders(); });
}

GlooCommunicator::Range GlooCommunicator::Pieces::part(int rank, int64_t index) const {
  const Range whole = piece(rank);
  const int64_t start = std::min(index * chunk(), whole.count);
  return {whole.start + start, std::min(chunk(), whole.count - start)};
}

int64_t GlooCommunicator::Pieces::chunks() const {
  const int64_t longest = (size + ranks - 1) / ranks;
  return (longest + chunk() - 1) / chunk();
}

template <class Action>
void GlooCommunicator::forOthers(Action action) {
  for (int step = 1; step < options_.size; ++step) action((options_.rank + step) % options_.size);
}

void GlooCommunicator::sendPart(const Pieces& pieces, const Header& header, int to, int of, int64_t chunk) {
  const Range range = pieces.part(of, chunk);
  if (range.count > 0) channel(to).send(header, pieces.at(range), pieces.bytes(range));
}

void GlooCommunicator::takePart(const Pieces& pieces, const Header& header, int of, int64_t chunk) {
  const Range range = pieces.part(of, chunk);
  if (range.count == 0) return;
  Header expected = header;
  expected.bytes = pieces.bytes(range);
  std::memcpy(pieces.at(range), channel(of).receive(expected), pieces.bytes(range));
  channel(of).release();
}

void GlooCommunicator::reducePart(const Pieces& pieces, const Header& header, Reduction reduction, DType dtype, int64_t chunk, std::byte* out) {
  const Range range = pieces.part(options_.rank, chunk);
  if (range.count == 0) return;
  Header expected = header;
  expected.bytes = pieces.bytes(range);
  std::vector<const void*> parts(static_cast<size_t>(options_.size));
  for (int rank = 0; rank < options_.size; ++rank)
    parts[static_cast<size_t>(rank)] = rank == options_.rank ? pieces.at(range) : channel(rank).receive(expected);
  reduce(dtype, reduction, parts.data(), options_.size, out, static_cast<size_t>(range.count));
  forOthers([&](int rank) { channel(rank).release(); });
}

void GlooCommunicator::runAllReduce(const View& x, Reduction reduction) {
  finishSenders();
  Header header = collective(Operation::allReduce, x);
  header.reduction = static_cast<uint8_t>(reduction);
  const Pieces pieces{x.as<std::byte>(), byteSize(x.dtype), x.size(), options_.size};
  const int64_t chunks = pieces.chunks();
  const auto sendChunk = [&](int64_t chunk) {
    if (chunk < chunks) forOthers([&](int rank) { sendPart(pieces, header, rank, rank, chunk); });
  };
  const auto takeSum = [&](int64_t chunk) { forOthers([&](int rank) { takePart(pieces, header, rank, chunk); }); };
  // Two ranks' messages to each other come in one order: chunks kAhead before the sums. A rank waits for credit only when it is at least two steps
  // ahead of the one that it waits for: 2 (3 kAhead − 1) / 2 + kCreditsAtOnce messages fit the slots. So no two ever wait for each other.
  for (int64_t chunk = 0; chunk < kAhead; ++chunk) sendChunk(chunk);
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const Range own = pieces.part(options_.rank, chunk);
    reducePart(pieces, header, reduction, x.dtype, chunk, pieces.at(own));
    forOthers([&](int rank) { sendPart(pieces, header, rank, options_.rank, chunk); });
    sendChunk(chunk + kAhead);
    if (chunk + 1 >= kAhead) takeSum(chunk + 1 - kAhead);
  }
  for (int64_t chunk = std::max<int64_t>(0, chunks + 1 - kAhead); chunk < chunks; ++chunk) takeSum(chunk);
  forOthers([&](int rank) { channel(rank).finish(); });
}

void GlooCommunicator::runReduceScatter(const View& x, const View& y, Reduction reduction) {
  finishSenders();
  Header header = collective(Operation::reduceScatter, x);
  header.reduction = static_cast<uint8_t>(reduction);
  const Pieces pieces{x.as<std::byte>(), byteSize(x.dtype), x.size(), options_.size};
  const int64_t chunks = pieces.chunks();
  const auto sendChunk = [&](int64_t chunk) {
    if (chunk < chunks) forOthers([&](int rank) { sendPart(pieces, header, rank, rank, chunk); });
  };
  for (int64_t chunk = 0; chunk < kAhead; ++chunk) sendChunk(chunk);
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const size_t offset = static_cast<size_t>(pieces.part(options_.rank, chunk).start - pieces.piece(options_.rank).start) * pieces.elementBytes;
    reducePart(pieces, header, reduction, x.dtype, chunk, y.as<std::byte>() + offset);
    sendChunk(chunk + kAhead);
  }
  forOthers([&](int rank) { channel(rank).finish(); });
}

void GlooCommunicator::runAllGather(const View& x, const View& y) {
  finishSenders();
  const Header header = collective(Operation::allGather, y);
  const Pieces pieces{y.as<std::byte>(), byteSize(y.dtype), y.size(), options_.size};
  std::byte* const own = pieces.at(pieces.piece(options_.rank));
  if (own != x.data && x.bytes() > 0) std::memcpy(own, x.data, x.bytes());
  const int64_t chunks = pieces.chunks();
  const auto sendChunk = [&](int64_t chunk) {
    if (chunk < chunks) forOthers([&](int rank) { sendPart(pieces, header, rank, options_.rank, chunk); });
  };
  for (int64_t chunk = 0; chunk < kAhead; ++chunk) sendChunk(chunk);
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    forOthers([&](int rank) { takePart(pieces, header, rank, chunk); });
    sendChunk(chunk + kAhead);
  }
  forOthers([&](int rank) { channel(rank).finish(); });
}

void GlooCommunicator::runBroadcast(const View& x, int root) {
  finishSenders();
  Header header = collective(Operation::broadcast, x);
  header.root = static_cast<uint32_t>(root);
  const Pieces whole{x.as<std::byte>(), byteSize(x.dtype), x.size(), 1};
  for (int64_t chunk = 0; chunk < whole.chunks(); ++chunk) {
    const Range range = whole.part(0, chunk);
    header.bytes = whole.bytes(range);
    if (root == options_.rank) {
      forOthers([&](int rank) { channel(rank).send(header, whole.at(range), whole.bytes(range)); });
    } else {
      std::memcpy(whole.at(range), channel(root).receive(header), whole.bytes(range));
      channel(root).release();
    }
  }
  if (root == options_.rank) forOthers([&](int rank) { channel(rank).finish(); });
}

void GlooCommunicator::runSend(const View& x, int to) {
  const Header header = this->header(Operation::send, x);
  const Pieces whole{x.as<std::byte>(), byteSize(x.dtype), x.size(), 1};
  int64_t chunk = 0;
  const auto each = [&](auto more, auto action) {
    for (; chunk < whole.chunks() && more(); ++chunk) {
      const Range range = whole.part(0, chunk);
      action(whole.at(range), whole.bytes(range));
    }
  };
  if (sender(to).idle()) {
    each([&] { return channel(to).hasRoom(); }, [&](const std::byte* data, size_t bytes) { channel(to).send(header, data, bytes); });
    channel(to).finish();
  }
  each([] { return true; }, [&](const std::byte* data, size_t bytes) { sender(to).push(header, data, bytes); });
}

void GlooCommunicator::runReceive(const View& x, int from) {
  Header header = this->header(Operation::send, x);
  const Pieces whole{x.as<std::byte>(), byteSize(x.dtype), x.size(), 1};
  for (int64_t chunk = 0; chunk < whole.chunks(); ++chunk) {
    const Range range = whole.part(0, chunk);
    header.bytes = whole.bytes(range);
    std::memcpy(whole.at(range), channel(from).receive(header), whole.bytes(range));
    channel(from).release();
  }
}

/// Every rank tells every other that it is here.
void GlooCommunicator::meet(Header header) {
  forOthers([&](int rank) { channel(rank).send(header, nullptr, 0); });
  forOthers([&](int rank) {
    channel(rank).receive(header);
    channel(rank).release();
  });
  forOthers([&](int rank) { channel(rank).finish(); });
}

// --- failures ---------------------------------------------------------------------------------------------------------

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
  }
  endConnections(*context_);
  return first;
}

void GlooCommunicator::abort(const std::string& reason) {
  fail({"group '" + options_.name + "' to go on", "it was aborted: " + (reason.empty() ? "no reason given" : reason)});
}
}  // namespace aurora::comm
