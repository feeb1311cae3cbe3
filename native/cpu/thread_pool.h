// One pool of threads for the process, shared by all CPU streams. AURORA_NUM_THREADS sets its size (default: the CPUs this process
// may run on, cgroup limits included). The calling executor thread works too, so a pool of n has n − 1 threads of its own. Idle threads sleep.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace aurora::cpu {

class ThreadPool {
 public:
  static ThreadPool& shared();

  explicit ThreadPool(int threads);
  ~ThreadPool();
  int threads() const;

  /// Calls body(task, thread) for every task in [0, tasks), tasks handed out dynamically; thread in [0, threads()). Returns when all
  /// are done. How a problem is cut into tasks must not depend on threads(): results then do not either. Not reentrant from a body.
  /// Regions of several executors take turns.
  template <class Body>
  void parallel(int64_t tasks, Body&& body) {
    using Plain = std::remove_reference_t<Body>;
    run(tasks, [](void* b, int64_t task, int thread) { (*static_cast<Plain*>(b))(task, thread); },
        const_cast<void*>(static_cast<const void*>(&body)));
  }

 private:
  using Call = void (*)(void* body, int64_t task, int thread);
  void run(int64_t tasks, Call call, void* body);

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace aurora::cpu
