// A GPU stream: a queue of the vendor's, and a thread of its own that waits for points in it and runs what follows them: callbacks, and a
// look at the indices that kernels found to be wrong.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "core/stream.h"
#include "hip/faults.h"
#include "hip/kernels.h"
#include "hip/portable/vendor.h"

namespace aurora::hip {

class GpuStream final : public Stream {
 public:
  GpuStream(int device, const DeviceProperties& properties);
  ~GpuStream() override;

  void then(std::function<void()> callback) override;
  std::shared_ptr<Event> record() override;
  void wait(std::shared_ptr<Event> event) override;
  void drain() override;
  void close() override;

  /// Calls body(Context&), which enqueues; nothing once the stream is closed. `operation` is a literal.
  template <class Body>
  void submit(const char* operation, Body&& body) {
    stack_ = std::exchange(callerStack, {});
    if (closed_) return;
    runtime::use(device_);
    Context context{*this, queue_, properties_, operation};
    body(context);
  }

  /// For Context.
  void* scratch(const char* operation, int slot, size_t bytes);
  Indices indices(const char* operation, std::string expected, const View& indices, int64_t size, bool negativeAllowed, const char* place);
  bool gemm(const Gemm& product) { return vendorGemm(queue_, vendor_, product); }

  /// The copies between a tensor and host memory of any kind, which must stay valid until they have run. They pass through page-locked memory, a piece
  /// at a time.
  void copyToDevice(void* y, const void* host, size_t bytes);
  void copyToHost(void* host, const void* x, size_t bytes);

 private:
  class GpuEvent;
  /// What to say when the fault word of an operation's indices holds one.
  struct IndexRule {
    const char* operation;
    std::string expected;
    const char* place;
    std::string stack;
  };
  struct Task {
    std::shared_ptr<Event> after;
    std::vector<IndexRule> rules;
    uint64_t* faults = nullptr;  // a word for each rule
    std::function<void()> callback;
  };

  std::shared_ptr<Event> recordHere();
  void push(std::function<void()> callback);
  void takeFaults(Task& task);
  void* staging();
  void copyOnHost(void* to, const void* from, size_t bytes);
  void execute();
  void finish(Task& task);
  void failed(const char* operation, const std::exception& error);

  const int device_;
  const DeviceProperties& properties_;
  Queue queue_;
  std::string stack_;  // of the call that is being enqueued
  std::unique_ptr<VendorHandle> vendor_;
  struct Scratch {
    void* memory = nullptr;
    size_t bytes = 0;
  } scratch_[Context::kScratchSlots];
  void* staging_ = nullptr;
  uint64_t* faults_ = nullptr;    // on the device
  std::vector<IndexRule> rules_;  // of the words in use
  bool closed_ = false;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  std::vector<uint64_t*> idleFaults_;  // page-locked copies of the device's words
  bool running_ = false;
  bool ending_ = false;
  std::thread executor_;
};

}  // namespace aurora::hip
