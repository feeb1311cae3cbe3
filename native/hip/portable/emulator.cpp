// Blocks and threads as fibers. Switching is _setjmp and _longjmp, a few nanoseconds; ucontext, whose switch is a system call, only makes a
// fiber's first frame. The checked longjmp of fortified builds takes a switch of stacks for a mistake.
#undef _FORTIFY_SOURCE
#include "hip/portable/portable.h"

#include <csetjmp>
#include <csignal>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "core/error.h"
#include "hip/portable/emulator_memory.h"
#include "hip/portable/emulator_touches.h"
#include "hip/portable/kernel_name.h"

namespace aurora::hip::emulator {
namespace {

constexpr size_t kStack = size_t{128} << 10, kStackGuard = size_t{16} << 10;

enum class State : uint8_t { ready, atBarrier, meeting, ended };

struct Fiber {
  jmp_buf jump;
  State state;
  uint8_t parity;  // of its wave operations so far
  const char* operation;
  Site site;
  size_t bytes;
  void (*complete)(std::byte*);
  std::vector<std::pair<void*, const void*>> copies;  // to, from
};

struct Failure {
  int64_t block;
  int thread;  // −1: none in particular
  std::string expected, found;
};

struct Launch {
  Grid grid;
  int threads;
  size_t sharedBytes;
  Body body;
  void* arguments;
  int64_t blocks = int64_t{grid.x} * grid.y * grid.z;
  std::atomic<int64_t> next{0};
  std::mutex mutex;
  std::optional<Failure> failure{};  // of the first block that has one

  void fail(Failure failed) {
    next = blocks;
    std::lock_guard lock(mutex);
    if (!failure || failed.block < failure->block) failure = std::move(failed);
  }
};

std::string place(const char* what, Site site) { return std::string(what) + " at " + site.file + ":" + std::to_string(site.line); }

/// A host thread that runs blocks, with the fibers and the shared memory of one block.
class Worker {
 public:
  Worker();
  void run(Launch& launch);

  Fiber& currentFiber() { return fibers_[static_cast<size_t>(current.thread)]; }
  std::byte* payloads(int wave, int parity) { return payloads_.data() + static_cast<size_t>(2 * wave + parity) * kWave * kMaxPayload; }
  void suspend(Fiber& fiber, State state) {
    fiber.state = state;
    leave(fiber);
  }
  [[noreturn]] void fault(std::string expected, std::string found) {
    fault_ = {0, current.thread, std::move(expected), std::move(found)};
    _longjmp(home_, kFaulted);
  }
  bool running() const { return running_; }
  void touch(size_t at, size_t bytes, bool write) {
    if (const auto conflict = touches_.touch(current.thread, shared_.data(), at, bytes, write)) race(*conflict);
  }
  /// What the running thread wrote shows when it next waits.
  void judgeWrites() {
    if (const auto conflict = touches_.judgeWrites(shared_.data())) race(*conflict);
  }
  [[noreturn]] void touched(void* address) {
    address_ = address;
    _longjmp(home_, kTouched);
  }

 private:
  enum Return { kSuspended = 1, kFaulted, kTouched };

  static void enter();
  __attribute__((noinline)) void leave(Fiber& fiber) {
    if (_setjmp(fiber.jump) == 0) _longjmp(home_, kSuspended);
  }
  __attribute__((noinline)) int resume(Fiber& fiber) {
    running_ = true;
    const int why = _setjmp(home_);
    if (why == 0) _longjmp(fiber.jump, 1);
    running_ = false;
    return why;
  }
  void make(size_t thread);
  bool runWave(int wave);
  bool waveMet(int wave);
  bool runBlock();
  std::optional<Failure> stuck() const;
  std::string whereIs(const Fiber& fiber) const;
  [[noreturn]] void race(const Conflict&);

  jmp_buf home_;
  bool running_ = false;
  void* address_ = nullptr;
  Failure fault_{};
  Launch* launch_ = nullptr;
  std::byte* stacks_;
  std::vector<Fiber> fibers_;
  std::vector<std::byte> payloads_ = std::vector<std::byte>(2 * kMaxBlockThreads * kMaxPayload);
  GuardedMemory shared_{kMaxSharedBytes};
  Touches touches_{kMaxSharedBytes};
};

thread_local Worker* worker __attribute__((tls_model("initial-exec"))) = nullptr;
struct sigaction previous;

void onSegmentationFault(int signal, siginfo_t* info, void* context) {
  if (worker && worker->running()) worker->touched(info->si_addr);
  if (previous.sa_flags & SA_SIGINFO) return previous.sa_sigaction(signal, info, context);
  if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) return previous.sa_handler(signal);
  ::signal(SIGSEGV, SIG_DFL);  // and the instruction is tried again
}

void catchSegmentationFaults() {
  struct sigaction action {};
  action.sa_sigaction = onSegmentationFault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigaction(SIGSEGV, &action, &previous);
}

Worker::Worker() {
  const size_t bytes = (kStack + kStackGuard) * kMaxBlockThreads;
  void* stacks = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stacks == MAP_FAILED || !shared_.data()) throw std::bad_alloc();
  stacks_ = static_cast<std::byte*>(stacks);
  fibers_.reserve(kMaxBlockThreads);
  worker = this;
}

/// What a fiber's first frame runs: a thread of a block, then of another, for ever.
void Worker::enter() {
  Worker& self = *worker;
  Fiber& fiber = self.currentFiber();
  while (true) {
    self.suspend(fiber, State::ended);
    self.launch_->body(self.launch_->arguments);
    self.judgeWrites();
  }
}

void Worker::make(size_t thread) {
  std::byte* stack = stacks_ + thread * (kStack + kStackGuard) + kStackGuard;
  mprotect(stack, kStack, PROT_READ | PROT_WRITE);
  if (thread == fibers_.size()) fibers_.emplace_back();
  fibers_[thread] = {};
  ucontext_t context, here;
  getcontext(&context);
  context.uc_stack.ss_sp = stack;
  context.uc_stack.ss_size = kStack;
  context.uc_link = nullptr;
  makecontext(&context, &Worker::enter, 0);
  current.thread = static_cast<int>(thread);
  if (_setjmp(home_) == 0) swapcontext(&here, &context);
}

void Worker::run(Launch& launch) {
  launch_ = &launch;
  while (fibers_.size() < static_cast<size_t>(launch.threads)) make(fibers_.size());
  current.threads = launch.threads;
  current.grid = launch.grid;
  for (int64_t block; (block = launch.next++) < launch.blocks;) {
    const int64_t row = block / launch.grid.x;
    current.block = {block % launch.grid.x, row % launch.grid.y, row / launch.grid.y};
    shared_.resize(launch.sharedBytes);
    current.shared = shared_.data();
    current.sharedBytes = launch.sharedBytes;
    touches_.nextStretch();
    touches_.forgetWrites();
    for (int i = 0; i < launch.threads; ++i) {
      Fiber& fiber = fibers_[static_cast<size_t>(i)];
      fiber.state = State::ready;
      fiber.operation = nullptr;
      fiber.copies.clear();
    }
    bool ran = runBlock();
    if (ran && !shared_.whole()) {
      ran = false;
      fault_ = {0, -1, "writes inside the launch's " + std::to_string(launch.sharedBytes) + " bytes of shared memory", "written bytes right beside them"};
    }
    if (ran) continue;
    fault_.block = block;
    launch.fail(std::move(fault_));
    // Its fibers stand somewhere inside the kernel.
    for (size_t i = 0; i < fibers_.size(); ++i) make(i);
  }
}

/// Whether all threads have ended; if not, fault_ says why.
bool Worker::runBlock() {
  const int waves = launch_->threads / kWave;
  while (true) {
    for (int wave = 0; wave < waves; ++wave) {
      do {
        if (!runWave(wave)) return false;
      } while (waveMet(wave));
    }
    const Fiber& first = fibers_[0];
    const auto asFirst = [&](const Fiber& fiber) { return fiber.state == first.state && (first.state == State::ended || fiber.site == first.site); };
    const bool together = std::all_of(fibers_.begin(), fibers_.begin() + launch_->threads, asFirst);
    if (together && first.state == State::ended) return true;
    if (!together || first.state != State::atBarrier) {
      fault_ = *stuck();
      return false;
    }
    for (int i = 0; i < launch_->threads; ++i) fibers_[static_cast<size_t>(i)].state = State::ready;
    touches_.nextStretch();
  }
}

/// Each ready lane, up to where it waits or ends.
bool Worker::runWave(int wave) {
  for (int thread = wave * kWave; thread < (wave + 1) * kWave; ++thread) {
    Fiber& fiber = fibers_[static_cast<size_t>(thread)];
    if (fiber.state != State::ready) continue;
    current.thread = thread;
    const int why = resume(fiber);
    if (why == kSuspended) continue;
    if (why == kTouched)
      fault_ = {0, thread, "access inside device or shared memory",
                shared_.near(address_) ? shared_.describe(address_, "shared memory") : describeAddress(address_)};
    return false;
  }
  return true;
}

/// Lets the lanes go on when all are in the same wave operation.
bool Worker::waveMet(int wave) {
  Fiber* lanes = &fibers_[static_cast<size_t>(wave * kWave)];
  for (int lane = 0; lane < kWave; ++lane)
    if (lanes[lane].state != State::meeting || lanes[lane].site != lanes[0].site || lanes[lane].operation != lanes[0].operation) return false;
  if (lanes[0].complete) lanes[0].complete(payloads(wave, lanes[0].parity ^ 1));
  for (int lane = 0; lane < kWave; ++lane) lanes[lane].state = State::ready;
  return true;
}

void Worker::race(const Conflict& conflict) {
  const Fiber &here = currentFiber(), &there = fibers_[static_cast<size_t>(conflict.other)];
  const std::string after = here.operation ? place(here.operation, here.site) : "the kernel's start";
  const std::string before = there.state == State::ended ? "its end" : place(there.operation, there.site);
  fault("a blockSync between accesses of two waves to shared memory, one of which writes",
        "thread " + std::to_string(current.thread) + " after " + after + (conflict.changes ? " changes" : " reads") + " byte " + std::to_string(conflict.byte) +
            ", which thread " + std::to_string(conflict.other) + (conflict.afterWrite ? " wrote" : " read") + " before " + before);
}

std::string Worker::whereIs(const Fiber& fiber) const {
  if (fiber.state == State::ended) return "has ended";
  return "waits in " + place(fiber.operation, fiber.site);
}

/// Why nobody can go on: first a wave operation that lanes are missing from, else a barrier.
std::optional<Failure> Worker::stuck() const {
  const auto missing = [&](int first, int last, const Fiber& waiting) -> std::optional<int> {
    for (int i = first; i < last; ++i) {
      const Fiber& other = fibers_[static_cast<size_t>(i)];
      if (other.state != waiting.state || !(other.site == waiting.site) || other.operation != waiting.operation) return i;
    }
    return std::nullopt;
  };
  for (State state : {State::meeting, State::atBarrier})
    for (int thread = 0; thread < launch_->threads; ++thread) {
      const Fiber& fiber = fibers_[static_cast<size_t>(thread)];
      if (fiber.state != state) continue;
      const bool wave = state == State::meeting;
      const int first = wave ? thread / kWave * kWave : 0, last = wave ? first + kWave : launch_->threads;
      const auto other = missing(first, last, fiber);
      if (!other) continue;
      return Failure{0, *other,
                     place(fiber.operation, fiber.site) + " reached by all " + std::to_string(last - first) + (wave ? " lanes of the wave" : " threads of the block"),
                     "thread " + std::to_string(thread) + " there while thread " + std::to_string(*other) + " " + whereIs(fibers_[static_cast<size_t>(*other)])};
    }
  return std::nullopt;
}

/// Host threads that run blocks; they live as long as the process.
class Pool {
 public:
  static Pool& shared() {
    static auto* const pool = new Pool;
    return *pool;
  }

  void run(Launch& launch) {
    std::lock_guard one(launches_);
    std::unique_lock lock(mutex_);
    launch_ = &launch;
    wanted_ = static_cast<int>(std::min<int64_t>(threads_, launch.blocks));
    busy_ = wanted_;
    wake_.notify_all();
    done_.wait(lock, [&] { return busy_ == 0; });
  }

 private:
  Pool() : threads_(std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, 8)) {
    catchSegmentationFaults();
    for (int i = 0; i < threads_; ++i) std::thread([this] { work(); }).detach();
  }

  void work() {
    // A fiber may have run out of stack when its fault is handled.
    std::vector<std::byte> handlerStack(size_t{64} << 10);
    stack_t alternative{handlerStack.data(), 0, handlerStack.size()};
    sigaltstack(&alternative, nullptr);
    const auto self = std::make_unique<Worker>();
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [&] { return wanted_ > 0; });
      --wanted_;
      Launch& launch = *launch_;
      lock.unlock();
      self->run(launch);
      lock.lock();
      if (--busy_ == 0) done_.notify_all();
    }
  }

  const int threads_;
  std::mutex launches_, mutex_;
  std::condition_variable wake_, done_;
  Launch* launch_ = nullptr;
  int wanted_ = 0, busy_ = 0;
};

std::string blockText(const Launch& launch, int64_t block) {
  const int64_t x = launch.grid.x, y = launch.grid.y;
  return "(" + std::to_string(block % x) + ", " + std::to_string(block / x % y) + ", " + std::to_string(block / x / y) + ")";
}

}  // namespace

thread_local Current current __attribute__((tls_model("initial-exec")));

void barrier(Site site) {
  worker->judgeWrites();
  Fiber& fiber = worker->currentFiber();
  fiber.operation = "blockSync";
  fiber.site = site;
  worker->suspend(fiber, State::atBarrier);
}

std::byte* meet(const char* operation, const void* payload, size_t bytes, Site site, void (*complete)(std::byte*)) {
  worker->judgeWrites();
  Fiber& fiber = worker->currentFiber();
  std::byte* all = worker->payloads(current.thread / kWave, fiber.parity);
  memcpy(all + static_cast<size_t>(current.thread % kWave) * bytes, payload, bytes);
  fiber.parity ^= 1;
  fiber.operation = operation;
  fiber.site = site;
  fiber.complete = complete;
  worker->suspend(fiber, State::meeting);
  return all;
}

void copyLater(void* shared, const void* p) { worker->currentFiber().copies.push_back({shared, p}); }

void makeCopies() {
  auto& copies = worker->currentFiber().copies;
  for (const auto& [to, from] : copies) {
    touch(static_cast<size_t>(static_cast<std::byte*>(to) - current.shared), 16, true);
    memcpy(to, from, 16);
  }
  copies.clear();
}

void touch(size_t at, size_t bytes, bool write) {
  if (worker && worker->running()) worker->touch(at, bytes, write);
}

void fault(const std::string& expected, const std::string& found) { worker->fault(expected, found); }

void run(const char* kernel, Grid grid, int threads, size_t sharedBytes, Body body, void* arguments) {
  const std::string name = kernelName(kernel);
  if (threads < 1 || threads > kMaxBlockThreads || threads % kWave != 0)
    throw Error(code::kDevice, name, "a multiple of " + std::to_string(kWave) + " threads a block, at most " + std::to_string(kMaxBlockThreads),
                std::to_string(threads));
  if (sharedBytes > kMaxSharedBytes)
    throw Error(code::kDevice, name, "at most " + std::to_string(kMaxSharedBytes) + " bytes of shared memory", std::to_string(sharedBytes));
  if (grid.y > 65535 || grid.z > 65535 || grid.x > 0x7fffffff / static_cast<unsigned>(threads))
    throw Error(code::kDevice, name, "a grid of at most 2^31 threads along x and 65535 blocks along y and z",
                std::to_string(grid.x) + " × " + std::to_string(grid.y) + " × " + std::to_string(grid.z));
  Launch launch{grid, threads, sharedBytes, body, arguments};
  Pool::shared().run(launch);
  if (const auto& failure = launch.failure)
    throw Error(code::kDevice, name, failure->expected,
                failure->found + ", in block " + blockText(launch, failure->block) + (failure->thread < 0 ? "" : ", thread " + std::to_string(failure->thread)));
  const std::string damage = damagedAllocation();
  if (!damage.empty()) throw Error(code::kDevice, name, "writes inside device memory", damage);
}

}  // namespace aurora::hip::emulator
