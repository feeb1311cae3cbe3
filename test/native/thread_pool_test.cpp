// The pool runs every task once, whatever its size, for several callers at a time; what a task throws reaches the caller.
#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include "check.h"
#include "core/error.h"

using namespace aurora;
using namespace aurora::test;

namespace {

void everyTaskRunsOnce(int threads) {
  cpu::ThreadPool pool(threads);
  for (int64_t tasks : {0, 1, 2, 3, 7, 64, 1000})
    for (int repeat = 0; repeat < 50; ++repeat) {
      std::vector<std::atomic<int>> runs(static_cast<size_t>(tasks));
      std::atomic<bool> threadsInRange{true};
      pool.parallel(tasks, [&](int64_t task, int thread) {
        ++runs[static_cast<size_t>(task)];
        if (thread < 0 || thread >= pool.threads()) threadsInRange = false;
      });
      for (const auto& count : runs) check(count == 1, "a task runs once, with " + std::to_string(threads) + " threads");
      check(threadsInRange, "thread numbers lie in [0, threads)");
    }
}

void oneThreadAtATimeHasANumber() {
  cpu::ThreadPool pool(4);
  std::vector<std::atomic<int>> busy(4);
  std::atomic<bool> shared{false};
  for (int repeat = 0; repeat < 100; ++repeat)
    pool.parallel(64, [&](int64_t, int thread) {
      if (busy[static_cast<size_t>(thread)].exchange(1)) shared = true;
      std::this_thread::yield();
      busy[static_cast<size_t>(thread)] = 0;
    });
  check(!shared, "two tasks never run at once under one thread's number");
}

void callersTakeTurns() {
  cpu::ThreadPool pool(3);
  std::vector<std::thread> callers;
  std::atomic<int64_t> sum{0};
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&] {
      for (int repeat = 0; repeat < 200; ++repeat) pool.parallel(10, [&](int64_t task, int) { sum += task; });
    });
  for (auto& caller : callers) caller.join();
  check(sum == 4 * 200 * 45, "regions of several callers do not mix");
}

void exceptionsReachTheCaller() {
  cpu::ThreadPool pool(3);
  for (int64_t culprit : {0, 5, 99}) {
    bool caught = false;
    try {
      pool.parallel(100, [&](int64_t task, int) {
        if (task == culprit) throw std::runtime_error("task");
      });
    } catch (const std::runtime_error&) {
      caught = true;
    }
    check(caught, "what a task throws reaches the caller");
    int64_t ran = 0;
    std::atomic<int64_t> count{0};
    pool.parallel(20, [&](int64_t, int) { ++count; });
    ran = count;
    check(ran == 20, "the pool works on after an exception");
  }
}

void sleepersWakeUp() {
  cpu::ThreadPool pool(4);
  for (int repeat = 0; repeat < 5; ++repeat) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic<int> count{0};
    pool.parallel(8, [&](int64_t, int) {
      ++count;
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    });
    check(count == 8, "work after a pause runs");
  }
}

}  // namespace

int main() {
  for (int threads : {1, 2, 5}) everyTaskRunsOnce(threads);
  oneThreadAtATimeHasANumber();
  callersTakeTurns();
  exceptionsReachTheCaller();
  sleepersWakeUp();
  return finish("thread pool");
}
