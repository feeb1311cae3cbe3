// What a group does together, in messages.
#include <cstring>
#include <utility>

#include "comm/gloo/communicator.h"
#include "comm/gloo/reduce.h"

namespace aurora::comm {
namespace {

constexpr int64_t kAhead = 2;  // chunks that are sent before the first is waited for; the channels' slots hold them (see runAllReduce)
constexpr size_t kFew = size_t{8} << 10;  // bytes that take longer to wait for than to send

}  // namespace

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

void GlooCommunicator::reduceRange(const Pieces& pieces, const Header& header, Reduction reduction, DType dtype, const Range& range, std::byte* out) {
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
  if (options_.size == 2 || x.bytes() <= kFew) return runDirectAllReduce(x, header, reduction);
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
    reduceRange(pieces, header, reduction, x.dtype, own, pieces.at(own));
    forOthers([&](int rank) { sendPart(pieces, header, rank, options_.rank, chunk); });
    sendChunk(chunk + kAhead);
    if (chunk + 1 >= kAhead) takeSum(chunk + 1 - kAhead);
  }
  for (int64_t chunk = std::max<int64_t>(0, chunks + 1 - kAhead); chunk < chunks; ++chunk) takeSum(chunk);
  forOthers([&](int rank) { channel(rank).finish(); });
}

/// Every rank sends all of x, and sums all.
void GlooCommunicator::runDirectAllReduce(const View& x, const Header& header, Reduction reduction) {
  const Pieces whole{x.as<std::byte>(), byteSize(x.dtype), x.size(), 1};
  const auto sendChunk = [&](int64_t chunk) {
    if (chunk < whole.chunks()) forOthers([&](int rank) { sendPart(whole, header, rank, 0, chunk); });
  };
  for (int64_t chunk = 0; chunk < kAhead; ++chunk) sendChunk(chunk);
  for (int64_t chunk = 0; chunk < whole.chunks(); ++chunk) {
    forOthers([&](int rank) { channel(rank).finish(); });  // what was sent is about to be overwritten
    const Range range = whole.part(0, chunk);
    reduceRange(whole, header, reduction, x.dtype, range, whole.at(range));
    sendChunk(chunk + kAhead);
  }
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
    const Range own = pieces.part(options_.rank, chunk);
    const size_t offset = static_cast<size_t>(own.start - pieces.piece(options_.rank).start) * pieces.elementBytes;
    reduceRange(pieces, header, reduction, x.dtype, own, y.as<std::byte>() + offset);
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

}  // namespace aurora::comm
