// A CPU stream: a queue of work and one executor thread that runs it in order, with the shared pool's help.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "core/stream.h"
#include "cpu/kernels.h"
#include "cpu/scratch.h"
#include "cpu/thread_pool.h"

namespace aurora::cpu {

class CpuStream final : public Stream {
 public:
  explicit CpuStream(ThreadPool& pool);
  ~CpuStream() override;

  /// Runs body(Context&) in order. What it throws becomes a failure of the stream. `operation` is a literal.
  template <class Body>
  void submit(const char* operation, Body body) {
    struct Work final : Task {
      explicit Work(Body b) : body(std::move(b)) {}
      void run(Context& context) override { body(context); }
      Body body;
    };
    push(std::make_unique<Work>(std::move(body)), operation);
  }

  void then(std::function<void()> callback) override;
  std::shared_ptr<Event> record() override;
  void wait(std::shared_ptr<Event> event) override;
  void drain() override;
  void close() override;

 private:
  struct Task {
    virtual ~Task() = default;
    virtual void run(Context&) = 0;
    /// False while the task waits for another stream, whose event will wake this one.
    virtual bool ready() const { return true; }

    const char* operation = "";
    std::string stack;
  };
  /// Wakes the executor, and those who wait for it. Shared with the events that this stream waits for, which may outlive it.
  struct Signal {
    std::mutex mutex;
    std::condition_variable changed;
  };
  class StreamEvent;
  struct Record;
  struct Wait;

  void push(std::unique_ptr<Task> task, const char* operation);
  void execute();
  void run(Task& task);

  ThreadPool& pool_;
  Scratch scratch_;  // the executor's
  const std::shared_ptr<Signal> signal_ = std::make_shared<Signal>();
  // Guarded by the signal's mutex.
  std::deque<std::unique_ptr<Task>> queue_;
  bool running_ = false;
  bool sleeping_ = false;
  bool closed_ = false;

  std::atomic<size_t> submitted_{0};  // for the executor's short spin, which takes no lock
  std::thread executor_;
};

}  // namespace aurora::cpu
