#include "hip/stream.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"

namespace aurora::hip {
namespace {

constexpr size_t kFaultWords = 64;
constexpr size_t kStagingBytes = size_t{4} << 20;

}  // namespace

class GpuStream::GpuEvent final : public Event {
 public:
  explicit GpuEvent(int device) : device(device), marker(runtime::createMarker()) {}
  ~GpuEvent() override { runtime::destroyMarker(marker); }

  bool done() const override {
    try {
      runtime::use(device);
      return runtime::done(marker);
    } catch (const Error&) {
      return true;  // the device failed: nobody waits for ever
    }
  }

  const int device;
  const Marker marker;
};

namespace {

/// The event of a stream that takes no more work, or cannot.
class PassedEvent final : public Event {
 public:
  bool done() const override { return true; }
};

}  // namespace

GpuStream::GpuStream(int device, const DeviceProperties& properties)
    : device_(device), properties_(properties), queue_(runtime::createQueue()), executor_([this] { execute(); }) {}

GpuStream::~GpuStream() {
  close();
  vendor_.reset();
  for (const Scratch& scratch : scratch_)
    if (scratch.memory) runtime::release(scratch.memory);
  if (staging_) runtime::releasePinned(staging_);
  if (faults_) runtime::release(faults_);
  for (uint64_t* words : idleFaults_) runtime::releasePinned(words);
  runtime::destroyQueue(queue_);
}

void GpuStream::then(std::function<void()> callback) {
  if (closed_) return;
  push(std::move(callback));
}

std::shared_ptr<Event> GpuStream::record() {
  if (closed_) return std::make_shared<PassedEvent>();
  return recordHere();
}

void GpuStream::wait(std::shared_ptr<Event> event) {
  if (closed_ || dynamic_cast<PassedEvent*>(event.get())) return;
  auto* own = dynamic_cast<GpuEvent*>(event.get());
  if (!own) throw Error(code::kDevice, "waitEvent", "an event of a GPU stream", "an event of another kind of device");
  runtime::use(device_);
  runtime::wait(queue_, own->marker);
}

void GpuStream::drain() {
  try {
    runtime::use(device_);
    runtime::synchronize(queue_);
  } catch (const Error& error) {
    failed("synchronize", error);
  }
  if (!closed_) push(nullptr);  // for the indices
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return tasks_.empty() && !running_; });
}

void GpuStream::close() {
  closed_ = true;
  try {
    runtime::use(device_);
    runtime::synchronize(queue_);
  } catch (const Error& error) {
    failed("close", error);
  }
  std::deque<Task> dropped;
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
    dropped.swap(tasks_);
    for (const Task& task : dropped)
      if (task.faults) idleFaults_.push_back(task.faults);
  }
  changed_.notify_all();
  dropped.clear();
  if (executor_.joinable()) executor_.join();
}

void* GpuStream::scratch(const char* operation, int slot, size_t bytes) {
  Scratch& scratch = scratch_[slot];
  if (bytes > scratch.bytes || (runtime::kEmulated && bytes != scratch.bytes)) {
    if (scratch.memory) runtime::release(std::exchange(scratch.memory, nullptr));
    scratch.bytes = 0;
    scratch.memory = runtime::allocate(bytes);
    if (!scratch.memory) throw Error(code::kOutOfMemory, operation, std::to_string(bytes) + " bytes for its workspace", "none left");
    scratch.bytes = bytes;
  }
  return scratch.memory;
}

Indices GpuStream::indices(const char* operation, std::string expected, const View& indices, int64_t size, bool negativeAllowed, const char* place) {
  if (!faults_) {
    faults_ = static_cast<uint64_t*>(runtime::allocate(kFaultWords * sizeof(uint64_t)));
    if (!faults_) throw Error(code::kOutOfMemory, operation, "memory for its workspace", "none left");
    runtime::set(queue_, faults_, 0xff, kFaultWords * sizeof(uint64_t));
  }
  if (rules_.size() == kFaultWords) push(nullptr);
  rules_.push_back({operation, std::move(expected), place, stack_});
  return {indices.as<int32_t>(), size, negativeAllowed, faults_ + rules_.size() - 1};
}

void GpuStream::copyToDevice(void* y, const void* host, size_t bytes) {
  for (size_t done = 0, part; done < bytes; done += part) {
    part = std::min(kStagingBytes, bytes - done);
    void* const middle = staging();
    copyOnHost(middle, static_cast<const std::byte*>(host) + done, part);
    runtime::copyToDevice(queue_, static_cast<std::byte*>(y) + done, middle, part);
  }
}

void GpuStream::copyToHost(void* host, const void* x, size_t bytes) {
  for (size_t done = 0, part; done < bytes; done += part) {
    part = std::min(kStagingBytes, bytes - done);
    void* const middle = staging();
    runtime::copyToHost(queue_, middle, static_cast<const std::byte*>(x) + done, part);
    copyOnHost(static_cast<std::byte*>(host) + done, middle, part);
  }
}

/// In the queue's order, so that one piece of page-locked memory serves all copies.
void GpuStream::copyOnHost(void* to, const void* from, size_t bytes) {
  struct Copy {
    void* to;
    const void* from;
    size_t bytes;
  };
  auto copy = std::make_unique<Copy>(Copy{to, from, bytes});
  runtime::callOnHost(
      queue_,
      [](void* data) {
        const std::unique_ptr<Copy> copy(static_cast<Copy*>(data));
        std::memcpy(copy->to, copy->from, copy->bytes);
      },
      copy.get());
  copy.release();
}

void* GpuStream::staging() {
  if (!staging_) staging_ = runtime::allocatePinned(kStagingBytes);
  if (!staging_) throw Error(code::kOutOfMemory, "copy", std::to_string(kStagingBytes) + " bytes of page-locked memory", "none left");
  return staging_;
}

std::shared_ptr<Event> GpuStream::recordHere() {
  try {
    runtime::use(device_);
    auto event = std::make_shared<GpuEvent>(device_);
    runtime::record(queue_, event->marker);
    return event;
  } catch (const Error& error) {
    failed("record", error);
    return std::make_shared<PassedEvent>();
  }
}

/// The executor calls `callback` after all that is enqueued, and after its look at the indices used till now.
void GpuStream::push(std::function<void()> callback) {
  Task task;
  task.callback = std::move(callback);
  try {
    takeFaults(task);
  } catch (const Error& error) {
    failed("synchronize", error);
  }
  task.after = recordHere();
  {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  changed_.notify_all();
}

/// Enqueues a copy of the fault words in use, and clears them for the next operations.
void GpuStream::takeFaults(Task& task) {
  if (rules_.empty()) return;
  runtime::use(device_);
  task.rules = std::exchange(rules_, {});
  {
    std::lock_guard lock(mutex_);
    if (!idleFaults_.empty()) {
      task.faults = idleFaults_.back();
      idleFaults_.pop_back();
    }
  }
  const size_t bytes = task.rules.size() * sizeof(uint64_t);
  if (!task.faults) task.faults = static_cast<uint64_t*>(runtime::allocatePinned(kFaultWords * sizeof(uint64_t)));
  if (!task.faults) throw Error(code::kOutOfMemory, "synchronize", "page-locked memory", "none left");
  std::fill_n(task.faults, task.rules.size(), kNoFault);
  runtime::copyToHost(queue_, task.faults, faults_, bytes);
  runtime::set(queue_, faults_, 0xff, bytes);
}

void GpuStream::execute() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !tasks_.empty(); });
    if (ending_) return;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    running_ = true;
    lock.unlock();
    finish(task);
    lock.lock();
    if (task.faults) idleFaults_.push_back(task.faults);
    running_ = false;
    if (tasks_.empty()) changed_.notify_all();
  }
}

void GpuStream::finish(Task& task) {
  if (const auto* event = dynamic_cast<GpuEvent*>(task.after.get())) {
    try {
      runtime::use(device_);
      runtime::synchronize(event->marker);
    } catch (const Error& error) {
      failed("synchronize", error);
    }
  }
  for (size_t i = 0; task.faults && i < task.rules.size(); ++i) {
    const uint64_t found = task.faults[i];
    if (found == kNoFault) continue;
    const IndexRule& rule = task.rules[i];
    fail({code::kIndex, rule.operation, rule.expected,
          std::to_string(static_cast<int32_t>(found)) + " " + rule.place + " " + std::to_string(found >> 32), rule.stack});
  }
  if (task.callback) task.callback();
  task.callback = nullptr;
  task.after = nullptr;
}

void GpuStream::failed(const char* operation, const std::exception& error) {
  fail({code::kDevice, operation, "the device to go on", error.what(), ""});
}

void* Context::scratchBytes(int slot, size_t bytes) { return stream.scratch(operation, slot, bytes); }

Indices Context::indices(std::string expected, const View& indices, int64_t size, bool negativeAllowed, const char* place) {
  return stream.indices(operation, std::move(expected), indices, size, negativeAllowed, place);
}

bool Context::gemm(const Gemm& product) { return stream.gemm(product); }

}  // namespace aurora::hip
