#include "hip/comm/communicator.h"

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "core/error.h"
#include "hip/stream.h"

namespace aurora::hip {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kGlance = std::chrono::milliseconds(5);  // how often the queue is looked at while operations run

struct Elements {
  size_t count;
  int type;
};
/// What is only moved goes as bytes where NCCL has no such type.
Elements elementsOf(const View& x) {
  const auto count = static_cast<size_t>(x.size());
  if (x.dtype == DType::f32) return {count, Nccl::f32};
  if (x.dtype == DType::bf16) return {count, Nccl::bf16};
  if (x.dtype == DType::i32) return {count, Nccl::i32};
  return {x.bytes(), Nccl::u8};
}

int operationOf(Reduction reduction) { return reduction == Reduction::sum ? Nccl::sum : Nccl::max; }

class NcclCommunicator final : public Communicator {
 public:
  NcclCommunicator(const Nccl& nccl, CommunicatorOptions options) : nccl_(nccl), options_(std::move(options)) {
    if (options_.rank != 0) return;
    runtime::use(options_.device);
    if (const int status = nccl_.getUniqueId(&id_); status != Nccl::kSuccess)
      throw Error(code::kCommunication, "beginCommunicator", "an id of " + nccl_.described.name, nccl_.getErrorString(status));
  }

  ~NcclCommunicator() override {
    {
      std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    if (watcher_.joinable()) watcher_.join();
    for (const Watched& watched : watched_) release(watched);
    if (comm_ && !aborted_.exchange(true)) nccl_.commDestroy(comm_);
  }

  /// Rank 0's id; nothing of the others.
  Bytes address() const override {
    const auto* bytes = reinterpret_cast<const std::byte*>(id_.bytes);
    return options_.rank == 0 ? Bytes(bytes, bytes + sizeof id_) : Bytes();
  }

  void connect(const std::vector<Bytes>& addresses) override {
    if (addresses.size() != static_cast<size_t>(options_.size) || addresses[0].size() != sizeof id_)
      throw Error(code::kCommunication, "connectCommunicator", "the address of the group's first rank and " + std::to_string(options_.size - 1) + " others",
                  std::to_string(addresses.size()) + " addresses");
    // The library's own call waits for ever; when the time is up its thread is left behind.
    struct Attempt {
      std::mutex mutex;
      std::condition_variable changed;
      std::optional<int> status;
      Nccl::Comm comm = nullptr;
    };
    const auto attempt = std::make_shared<Attempt>();
    Nccl::Id id;
    std::memcpy(&id, addresses[0].data(), sizeof id);
    std::thread([attempt, id, init = nccl_.commInitRank, options = options_] {
      Nccl::Comm comm = nullptr;
      int status;
      try {
        runtime::use(options.device);
        status = init(&comm, options.size, id, options.rank);
      } catch (const Error&) {
        status = 1;  // "unhandled error of the device"
      }
      std::lock_guard lock(attempt->mutex);
      attempt->status = status;
      attempt->comm = comm;
      attempt->changed.notify_all();
    }).detach();
    std::unique_lock lock(attempt->mutex);
    if (!attempt->changed.wait_for(lock, options_.timeout, [&] { return attempt->status.has_value(); }))
      throw Error(code::kCommunication, "connectCommunicator", "all ranks of group '" + options_.name + "' within " + std::to_string(options_.timeout.count()) + " ms",
                  "not all of them");
    if (*attempt->status != Nccl::kSuccess)
      throw Error(code::kCommunication, "connectCommunicator", "group '" + options_.name + "' to be connected by " + nccl_.described.name,
                  nccl_.getErrorString(*attempt->status));
    comm_ = attempt->comm;
    watcher_ = std::thread([this] { watch(); });
  }

  void allReduce(Stream& stream, const View& x, Reduction reduction) override {
    const Elements of = elementsOf(x);
    run(stream, "allReduce", [&](Context& context) {
      return nccl_.allReduce(x.data, x.data, of.count, of.type, operationOf(reduction), comm_, context.queue.native);
    });
  }
  void allGather(Stream& stream, const View& x, const View& y) override {
    const Elements of = elementsOf(x);
    run(stream, "allGather", [&](Context& context) { return nccl_.allGather(x.data, y.data, of.count, of.type, comm_, context.queue.native); });
  }
  void reduceScatter(Stream& stream, const View& x, const View& y, Reduction reduction) override {
    const Elements of = elementsOf(y);
    run(stream, "reduceScatter", [&](Context& context) {
      return nccl_.reduceScatter(x.data, y.data, of.count, of.type, operationOf(reduction), comm_, context.queue.native);
    });
  }
  void broadcast(Stream& stream, const View& x, int root) override {
    const Elements of = elementsOf(x);
    run(stream, "broadcast", [&](Context& context) { return nccl_.broadcast(x.data, x.data, of.count, of.type, root, comm_, context.queue.native); });
  }
  void send(Stream& stream, const View& x, int to) override {
    const Elements of = elementsOf(x);
    run(stream, "send", [&](Context& context) { return nccl_.send(x.data, of.count, of.type, to, comm_, context.queue.native); });
  }
  void receive(Stream& stream, const View& x, int from) override {
    const Elements of = elementsOf(x);
    run(stream, "receive", [&](Context& context) { return nccl_.receive(x.data, of.count, of.type, from, comm_, context.queue.native); });
  }
  void barrier(Stream& stream) override {
    run(stream, "barrier", [&](Context& context) {
      int32_t* const token = context.scratch<int32_t>(0, 1);
      runtime::set(context.queue, token, 0, sizeof *token);
      return nccl_.allReduce(token, token, 1, Nccl::i32, Nccl::sum, comm_, context.queue.native);
    });
  }
  void flush(Stream& stream) override {
    if (const auto reason = failed()) stream.fail({code::kCommunication, "flush", "group '" + options_.name + "' to go on", *reason, std::exchange(stream.callerStack, {})});
  }

  void abort(const std::string& reason) override { fail("it was aborted: " + (reason.empty() ? "no reason given" : reason)); }

 private:
  /// An operation in the queue, between two points of it. It begins to wait for others when the first has passed.
  struct Watched {
    Marker before, after;
    bool enqueued = false;  // `after` was recorded
    const char* operation;
    Stream* stream;
    std::string stack;
    std::optional<Clock::time_point> started;
  };

  template <class Enqueue>
  void run(Stream& stream, const char* operation, Enqueue enqueue) {
    const std::string stack = stream.callerStack;
    static_cast<GpuStream&>(stream).submit(operation, [&](Context& context) {
      if (const auto reason = failed()) return tell(stream, operation, stack, *reason);
      // Watched from before the call, which may itself wait for other ranks.
      Watched* const watched = begin(context.queue, operation, stream, stack);
      const int status = enqueue(context);
      if (status != Nccl::kSuccess && status != Nccl::kInProgress) {
        fail(nccl_.getErrorString(status));
        tell(stream, operation, stack, *failed());
      }
      std::lock_guard lock(mutex_);
      runtime::record(context.queue, watched->after);
      watched->enqueued = true;
    });
  }

  Watched* begin(Queue queue, const char* operation, Stream& stream, const std::string& stack) {
    Watched watched{runtime::createMarker(), runtime::createMarker(), false, operation, &stream, stack, std::nullopt};
    runtime::record(queue, watched.before);
    std::lock_guard lock(mutex_);
    watched_.push_back(std::move(watched));
    changed_.notify_all();
    return &watched_.back();  // a deque's elements stay where they are; the watcher takes none away before it is enqueued
  }

  static void release(const Watched& watched) {
    runtime::destroyMarker(watched.before);
    runtime::destroyMarker(watched.after);
  }

  void tell(Stream& stream, const char* operation, const std::string& stack, const std::string& found) const {
    stream.fail({code::kCommunication, operation, "group '" + options_.name + "' to go on", found, stack});
  }

  std::optional<std::string> failed() const {
    std::lock_guard lock(failureMutex_);
    return failure_;
  }

  void fail(const std::string& reason) {
    {
      std::lock_guard lock(failureMutex_);
      if (!failure_) failure_ = reason;
    }
    // Ends the library's kernels, and its calls that wait.
    if (comm_ && !aborted_.exchange(true)) nccl_.commAbort(comm_);
  }

  void watch() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return ending_ || !watched_.empty(); });
      if (ending_) return;
      glance();
      changed_.wait_for(lock, kGlance, [this] { return ending_; });
    }
  }

  /// Takes away what has run; tells of what waits too long, and of what the library says went wrong.
  void glance() {
    try {
      runtime::use(options_.device);
      while (!watched_.empty()) {
        Watched& first = watched_.front();
        if (first.enqueued && runtime::done(first.after)) {
          if (const auto reason = failed()) tell(*first.stream, first.operation, first.stack, *reason);
          release(first);
          watched_.pop_front();
          continue;
        }
        if (!first.started && runtime::done(first.before)) first.started = Clock::now();
        int status = Nccl::kSuccess;
        if (!aborted_) nccl_.commGetAsyncError(comm_, &status);
        if (status != Nccl::kSuccess && status != Nccl::kInProgress)
          fail(nccl_.getErrorString(status));
        else if (first.started && Clock::now() - *first.started > options_.timeout)
          fail("some rank that did not come within " + std::to_string(options_.timeout.count()) + " ms");
        return;
      }
    } catch (const Error& error) {
      fail(error.found());
    }
  }

  const Nccl& nccl_;
  const CommunicatorOptions options_;
  Nccl::Id id_{};
  Nccl::Comm comm_ = nullptr;
  std::atomic<bool> aborted_{false};
  mutable std::mutex failureMutex_;
  std::optional<std::string> failure_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Watched> watched_;
  bool ending_ = false;
  std::thread watcher_;
};

}  // namespace

std::shared_ptr<Communicator> communicator(const Nccl& nccl, const CommunicatorOptions& options) {
  if (!nccl.found)
    throw Error(code::kCommunication, "beginCommunicator", "the library " + nccl.described.name, nccl.described.error,
                "its path may be added to LD_LIBRARY_PATH; \"npx aurora doctor\" shows what is found");
  return std::make_shared<NcclCommunicator>(nccl, options);
}

std::shared_ptr<Communicator> communicator(const CommunicatorOptions& options) {
  if (runtime::kEmulated)
    throw Error(code::kNotSupported, "beginCommunicator", "a 'hip' or 'cuda' device for kind 'nccl'", "the emulator", "kind 'gloo' is for the CPU");
  return communicator(nccl(), options);
}

}  // namespace aurora::hip
