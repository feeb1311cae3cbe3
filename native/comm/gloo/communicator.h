// A group over Gloo's TCP connections, for CPU tensors; between ranks on one machine through memory that they share (AURORA_SHARED_MEMORY=0: not).
//
// A reduction is direct: every rank sends each other rank that one's piece, sums its own piece in rank order, and sends the sum to all. That is
// 2 (R − 1)/R of the buffer for R ranks, as a ring's, in two steps instead of 2 (R − 1). Where it costs no more bytes, or few, each rank sends all
// instead, and sums all: one step. Pieces go in chunks, so that sending, receiving and summing run beside each other; what arrives waits in the
// channels' own memory, 1 MiB for each other rank.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "comm/communicator.h"
#include "comm/gloo/sender.h"
#include "comm/gloo/shared_channel.h"
#include "comm/gloo/socket_channel.h"
#include "gloo/transport/device.h"

namespace aurora::comm {

class GlooCommunicator final : public Communicator, public std::enable_shared_from_this<GlooCommunicator> {
 public:
  explicit GlooCommunicator(CommunicatorOptions options);
  ~GlooCommunicator() override;

  Bytes address() const override;
  void connect(const std::vector<Bytes>& addresses) override;
  void allReduce(Stream&, const View& x, Reduction) override;
  void allGather(Stream&, const View& x, const View& y) override;
  void reduceScatter(Stream&, const View& x, const View& y, Reduction) override;
  void broadcast(Stream&, const View& x, int root) override;
  void send(Stream&, const View& x, int to) override;
  void receive(Stream&, const View& x, int from) override;
  void barrier(Stream&) override;
  void flush(Stream&) override;
  void abort(const std::string& reason) override;

 private:
  /// Elements [start, start + count) of a tensor.
  struct Range {
    int64_t start, count;
  };
  /// A tensor cut into one piece for each rank, and pieces into chunks; every rank cuts equally.
  struct Pieces {
    std::byte* data;
    size_t elementBytes;
    int64_t size, ranks;
    int64_t chunk() const { return static_cast<int64_t>(Channel::kChunk / elementBytes); }
    Range piece(int rank) const { return {size * rank / ranks, size * (rank + 1) / ranks - size * rank / ranks}; }
    Range part(int rank, int64_t chunk) const;
    int64_t chunks() const;
    std::byte* at(const Range& range) const { return data + static_cast<size_t>(range.start) * elementBytes; }
    size_t bytes(const Range& range) const { return static_cast<size_t>(range.count) * elementBytes; }
  };

  template <class Body>
  void enqueue(Stream& stream, const char* operation, Body body);
  Header header(Operation operation, const View& x, uint64_t call = 0) const;
  Header collective(Operation operation, const View& x);

  void runAllReduce(const View& x, Reduction reduction);
  void runDirectAllReduce(const View& x, const Header& header, Reduction reduction);
  void runAllGather(const View& x, const View& y);
  void runReduceScatter(const View& x, const View& y, Reduction reduction);
  void runBroadcast(const View& x, int root);
  void runSend(const View& x, int to);
  void runReceive(const View& x, int from);
  void meet(Header header);

  void sendPart(const Pieces& pieces, const Header& header, int to, int of, int64_t chunk);
  void takePart(const Pieces& pieces, const Header& header, int of, int64_t chunk);
  /// out = the reduction of what all ranks have of `range`, of which the others sent theirs.
  void reduceRange(const Pieces& pieces, const Header& header, Reduction reduction, DType dtype, const Range& range, std::byte* out);
  /// Calls for every other rank, beginning with the next one, so that not all speak to the same one first.
  template <class Action>
  void forOthers(Action action) {
    for (int step = 1; step < options_.size; ++step) action((options_.rank + step) % options_.size);
  }

  void shareMemory(const std::vector<Place>& places);
  Channel& channel(int rank);
  Sender& sender(int rank);
  void finishSenders();
  std::string nameOf(int rank) const;
  /// The first failure, this one if there was none before. Ends all connections.
  Failure fail(const Failure& failure);
  std::optional<Failure> failed() const;

  const CommunicatorOptions options_;
  const std::shared_ptr<gloo::transport::Device> device_;
  const std::shared_ptr<gloo::transport::Context> context_;
  uint32_t group_ = 0;
  SharedFile inboxes_;
  // By rank; none for this one.
  std::vector<std::unique_ptr<SocketChannel>> sockets_;
  std::vector<std::unique_ptr<SharedChannel>> shared_;  // those on this machine
  std::vector<std::unique_ptr<Sender>> senders_;

  std::mutex running_;  // one operation at a time
  uint64_t calls_ = 0;  // collectives that were enqueued
  mutable std::mutex mutex_;
  std::optional<Failure> failure_;
};

}  // namespace aurora::comm
