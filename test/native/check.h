// What the native tests share: plain checks that count failures, random numbers with a printed seed, kernels without a stream.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "core/stream.h"
#include "cpu/kernels.h"

namespace aurora::test {

inline int failures = 0;

/// Records a failure, with what was being checked, and goes on.
inline void check(bool holds, const std::string& what) {
  if (holds) return;
  ++failures;
  std::fprintf(stderr, "FAILED: %s\n", what.c_str());
}

/// A test's exit status.
inline int finish(const char* name) {
  std::printf("%s: %s\n", name, failures ? "failed" : "passed");
  return failures ? 1 : 0;
}

/// Fresh numbers in every run; AURORA_TEST_SEED repeats one.
inline std::mt19937_64 randomEngine() {
  const char* given = std::getenv("AURORA_TEST_SEED");
  const uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("AURORA_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return std::mt19937_64(seed);
}

/// A stream that only collects failures: kernels are called directly.
class FailureStream final : public Stream {
 public:
  void then(std::function<void()> callback) override { callback(); }
  std::shared_ptr<Event> record() override { return nullptr; }
  void wait(std::shared_ptr<Event>) override {}
  void drain() override {}
  void close() override {}
};

/// All that a kernel needs, with a pool of its own.
struct Workbench {
  explicit Workbench(int threads) : pool(threads) {}
  cpu::Context context(const char* operation) { return {pool, scratch, stream, operation, stack}; }

  cpu::ThreadPool pool;
  cpu::Scratch scratch;
  FailureStream stream;
  std::string stack;
};

}  // namespace aurora::test
