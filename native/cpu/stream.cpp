#include "cpu/stream.h"

#include <algorithm>
#include <new>
#include <vector>

#include "core/error.h"
#include "core/spin.h"

namespace aurora::cpu {

class CpuStream::StreamEvent final : public Event {
 public:
  bool done() const override { return done_.load(std::memory_order_acquire); }

  void complete() {
    std::vector<std::shared_ptr<Signal>> waiting;
    {
      std::lock_guard lock(mutex_);
      done_.store(true, std::memory_order_release);
      waiting.swap(waiting_);
    }
    for (const auto& signal : waiting) {
      // Between its check and its sleep a waiter holds the mutex: taking it makes sure that the notice is not missed.
      { std::lock_guard lock(signal->mutex); }
      signal->changed.notify_all();
    }
  }

  void subscribe(std::shared_ptr<Signal> signal) {
    std::lock_guard lock(mutex_);
    if (!done()) waiting_.push_back(std::move(signal));
  }

 private:
  std::atomic<bool> done_{false};
  std::mutex mutex_;
  std::vector<std::shared_ptr<Signal>> waiting_;
};

/// Its end completes the event, whether it ran or was dropped by a closing stream: nobody waits for ever.
struct CpuStream::Record final : Task {
  explicit Record(std::shared_ptr<StreamEvent> e) : event(std::move(e)) {}
  ~Record() override { event->complete(); }
  void run(Context&) override {}
  std::shared_ptr<StreamEvent> event;
};

struct CpuStream::Wait final : Task {
  explicit Wait(std::shared_ptr<Event> e) : event(std::move(e)) {}
  void run(Context&) override {}
  bool ready() const override { return event->done(); }
  std::shared_ptr<Event> event;
};

CpuStream::CpuStream(ThreadPool& pool) : pool_(pool), executor_([this] { execute(); }) {}

CpuStream::~CpuStream() { close(); }

void CpuStream::then(std::function<void()> callback) {
  submit("then", [callback = std::move(callback)](Context&) { callback(); });
}

std::shared_ptr<Event> CpuStream::record() {
  auto event = std::make_shared<StreamEvent>();
  push(std::make_unique<Record>(event), "recordEvent");
  return event;
}

void CpuStream::wait(std::shared_ptr<Event> event) {
  auto* own = dynamic_cast<StreamEvent*>(event.get());
  if (!own) throw Error(code::kDevice, "waitEvent", "an event of a CPU stream", "an event of another kind of device");
  own->subscribe(signal_);
  push(std::make_unique<Wait>(std::move(event)), "waitEvent");
}

void CpuStream::drain() {
  std::unique_lock lock(signal_->mutex);
  signal_->changed.wait(lock, [this] { return queue_.empty() && !running_; });
}

void CpuStream::close() {
  std::deque<std::unique_ptr<Task>> dropped;
  {
    std::lock_guard lock(signal_->mutex);
    closed_ = true;
    dropped.swap(queue_);
  }
  signal_->changed.notify_all();
  dropped.clear();
  if (executor_.joinable()) executor_.join();
}

void CpuStream::push(std::unique_ptr<Task> task, const char* operation) {
  task->operation = operation;
  task->stack = std::exchange(callerStack, {});
  bool asleep;
  {
    std::lock_guard lock(signal_->mutex);
    if (closed_) return;
    queue_.push_back(std::move(task));
    submitted_.fetch_add(1, std::memory_order_relaxed);
    asleep = sleeping_;
  }
  if (asleep) signal_->changed.notify_all();
}

void CpuStream::execute() {
  size_t started = 0;
  std::unique_lock lock(signal_->mutex);
  const auto wakeUp = [this] { return closed_ || (!queue_.empty() && queue_.front()->ready()); };
  while (true) {
    if (queue_.empty() && !closed_) {
      // The next call usually follows within microseconds, and waking a sleeper costs more than that.
      lock.unlock();
      spinUntil([&] { return submitted_.load(std::memory_order_relaxed) != started; });
      lock.lock();
    }
    sleeping_ = true;
    signal_->changed.wait(lock, wakeUp);
    sleeping_ = false;
    if (closed_) return;
    std::unique_ptr<Task> task = std::move(queue_.front());
    queue_.pop_front();
    ++started;
    running_ = true;
    lock.unlock();
    run(*task);
    task.reset();
    lock.lock();
    running_ = false;
    if (queue_.empty()) signal_->changed.notify_all();
  }
}

void CpuStream::run(Task& task) {
  Context context{pool_, scratch_, *this, task.operation, task.stack};
  try {
    task.run(context);
  } catch (const Error& error) {
    fail({error.code(), task.operation, error.expected(), error.found(), task.stack});
  } catch (const std::bad_alloc&) {
    fail({code::kOutOfMemory, task.operation, "memory for its workspace", "none left", task.stack});
  } catch (const std::exception& error) {
    fail({code::kDevice, task.operation, "to run", error.what(), task.stack});
  }
}

}  // namespace aurora::cpu
