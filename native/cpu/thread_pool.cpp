#include "cpu/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/spin.h"
#include "cpu/limits.h"

namespace aurora::cpu {
namespace {

constexpr int kMostThreads = 1024;

int configuredThreads() {
  const char* text = std::getenv("AURORA_NUM_THREADS");
  if (!text || !*text) return std::min(kMostThreads, availableProcessors());
  int threads = 0;
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), threads);
  if (error != std::errc() || *end != '\0' || threads < 1 || threads > kMostThreads)
    throw Error(code::kInvalidArgument, "AURORA_NUM_THREADS", "a whole number from 1 to " + std::to_string(kMostThreads),
                std::string("'") + text + "'");
  return threads;
}

}  // namespace

/// A region of parallel work is published through `gate`: an epoch, an open bit, and the number of workers inside. A worker may
/// join only while the gate is open, and the region ends when it is closed and empty; workers that sleep through a short region are
/// never waited for.
struct ThreadPool::State {
  static constexpr uint32_t kInside = 0x7fff, kOpen = 0x8000, kEpoch = 0x10000;

  int threads = 1;
  std::vector<std::thread> workers;
  std::mutex turn;  // regions of several executors take turns

  // The open region. Written before the gate opens, read by those inside.
  int64_t tasks = 0;
  Call call = nullptr;
  void* body = nullptr;
  std::atomic<int64_t> next{0};
  std::mutex failureMutex;
  std::exception_ptr failure;

  alignas(64) std::atomic<uint32_t> gate{0};
  alignas(64) std::atomic<int> sleepers{0};
  std::atomic<bool> stop{false};
  std::mutex sleep;
  std::condition_variable wake, empty;

  static bool isOpen(uint32_t gate) { return gate & kOpen; }

  void work(int thread) {
    int64_t task;
    while ((task = next.fetch_add(1, std::memory_order_relaxed)) < tasks) {
      try {
        call(body, task, thread);
      } catch (...) {
        std::lock_guard lock(failureMutex);
        if (!failure) failure = std::current_exception();
        next.store(tasks, std::memory_order_relaxed);
      }
    }
  }

  bool join(uint32_t& seen) {
    uint32_t now = gate.load(std::memory_order_acquire);
    while (isOpen(now) && now / kEpoch != seen) {
      if (gate.compare_exchange_weak(now, now + 1, std::memory_order_acquire)) {
        seen = now / kEpoch;
        return true;
      }
    }
    return false;
  }

  void leave() {
    const uint32_t before = gate.fetch_sub(1, std::memory_order_acq_rel);
    if (!isOpen(before) && (before & kInside) == 1) {
      { std::lock_guard lock(sleep); }
      empty.notify_one();
    }
  }

  void serve(int thread) {
    uint32_t seen = ~0u;  // the epoch last worked for
    const auto ready = [&] {
      const uint32_t now = gate.load();
      return stop.load(std::memory_order_relaxed) || (isOpen(now) && now / kEpoch != seen);
    };
    while (true) {
      if (!spinUntil(ready)) {
        std::unique_lock lock(sleep);
        sleepers.fetch_add(1);
        wake.wait(lock, ready);
        sleepers.fetch_sub(1);
      }
      if (stop.load(std::memory_order_relaxed)) return;
      if (join(seen)) {
        work(thread);
        leave();
      }
    }
  }

  void open() {
    next.store(0, std::memory_order_relaxed);
    const uint32_t epoch = gate.load(std::memory_order_relaxed) / kEpoch + 1;
    gate.store(epoch * kEpoch | kOpen);
    const int wanted = static_cast<int>(std::min<int64_t>(tasks - 1, sleepers.load()));
    if (wanted <= 0) return;
    { std::lock_guard lock(sleep); }
    if (wanted >= threads - 1) return wake.notify_all();
    for (int i = 0; i < wanted; ++i) wake.notify_one();
  }

  void close() {
    gate.fetch_and(~kOpen, std::memory_order_acq_rel);
    const auto left = [&] { return (gate.load(std::memory_order_acquire) & kInside) == 0; };
    if (spinUntil(left)) return;
    std::unique_lock lock(sleep);
    empty.wait(lock, left);
  }
};

ThreadPool& ThreadPool::shared() {
  // Never destroyed: executors of any thread may use it until the process ends.
  static ThreadPool* const pool = new ThreadPool(configuredThreads());
  return *pool;
}

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  state_->threads = std::clamp(threads, 1, kMostThreads);
  for (int thread = 1; thread < state_->threads; ++thread)
    state_->workers.emplace_back([state = state_.get(), thread] { state->serve(thread); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(state_->sleep);
    state_->stop = true;
  }
  state_->wake.notify_all();
  for (auto& worker : state_->workers) worker.join();
}

int ThreadPool::threads() const { return state_->threads; }

void ThreadPool::run(int64_t tasks, Call call, void* body) {
  State& s = *state_;
  if (tasks <= 1 || s.threads == 1) {
    for (int64_t task = 0; task < tasks; ++task) call(body, task, 0);
    return;
  }
  std::lock_guard turn(s.turn);
  s.tasks = tasks;
  s.call = call;
  s.body = body;
  s.open();
  s.work(0);
  s.close();
  if (s.failure) std::rethrow_exception(std::exchange(s.failure, nullptr));
}

}  // namespace aurora::cpu
