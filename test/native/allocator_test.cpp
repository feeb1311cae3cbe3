// The caching allocator on a device of its own, whose streams run when told to: reuse, statistics, limits, and memory running out.
#include "core/allocator.h"

#include <deque>
#include <map>

#include "check.h"
#include "core/error.h"

using namespace aurora;
using namespace aurora::test;

namespace {

/// Runs nothing until it is told to.
class ManualStream final : public Stream {
 public:
  struct Mark final : Event {
    bool done() const override { return passed; }
    bool passed = false;
  };
  void then(std::function<void()> callback) override { queue_.push_back(std::move(callback)); }
  std::shared_ptr<Event> record() override {
    auto mark = std::make_shared<Mark>();
    then([mark] { mark->passed = true; });
    return mark;
  }
  void wait(std::shared_ptr<Event>) override {}
  void drain() override {
    while (!queue_.empty()) {
      queue_.front()();
      queue_.pop_front();
    }
  }
  void close() override { queue_.clear(); }

 private:
  std::deque<std::function<void()>> queue_;
};

/// Counts what is taken from the system, up to a limit.
class CountingBackend final : public Backend {
 public:
  DeviceInfo info() const override { return {"counting", "none", {}, 1}; }
  std::unique_ptr<Stream> createStream() override { return std::make_unique<ManualStream>(); }
  void* allocate(size_t bytes) override {
    if (held + bytes > limit) return nullptr;
    held += bytes;
    ++calls;
    return std::malloc(bytes < 64 ? bytes : 64);  // never written: only addresses matter
  }
  void release(void* memory, size_t bytes) override {
    held -= bytes;
    std::free(memory);
  }
  void write(Stream&, const View&, const void*, WireType) override {}
  void read(Stream&, const View&, void*, WireType) override {}

  size_t held = 0, limit = SIZE_MAX;
  int calls = 0;
};

struct Fixture {
  CountingBackend backend;
  std::vector<std::unique_ptr<Stream>> streams;
  std::unique_ptr<Allocator> allocator;
  Fixture() {
    for (int i = 0; i < 2; ++i) streams.push_back(backend.createStream());
    allocator = std::make_unique<Allocator>(backend, streams);
  }
  ~Fixture() {
    for (auto& stream : streams) stream->close();
    allocator.reset();
    check(backend.held == 0, "all memory goes back to the system");
  }
  Stream& stream(int i) { return *streams[static_cast<size_t>(i)]; }
};

constexpr size_t MiB = size_t{1} << 20;

void classesWasteLittle() {
  for (size_t bytes : {size_t{1}, size_t{64}, size_t{65}, size_t{1000}, 3 * MiB + 1, 17 * MiB, 1000 * MiB + 1}) {
    const size_t size = Allocator::sizeClass(bytes);
    check(size >= bytes && size % 64 == 0, "a class holds its request");
    check(size <= bytes + std::max<size_t>(64, bytes / 8), "a class wastes at most an eighth: " + std::to_string(bytes));
    check(Allocator::sizeClass(size) == size, "a class is its own class");
    if (bytes > 16 * MiB) check(size % (2 * MiB) == 0, "large blocks are multiples of 2 MiB");
  }
}

void freedMemoryServesItsStreamAtOnce() {
  Fixture f;
  auto a = f.allocator->allocate(1000, f.stream(0));
  check(f.allocator->statistics().allocated == 1000, "allocated counts what was asked for");
  f.allocator->free(a, {});
  const auto other = f.allocator->allocate(1000, f.stream(1));
  check(other.data != a.data, "another stream does not get it while work may be queued");
  const auto b = f.allocator->allocate(990, f.stream(0));
  check(b.data == a.data, "the same stream gets it at once");
  check(f.backend.calls == 2, "without asking the system");
  f.allocator->free(b, {});
  f.allocator->free(other, {});
  check(f.allocator->statistics().allocated == 0 && f.allocator->statistics().reserved == f.backend.held, "statistics agree");
  check(f.allocator->statistics().peak == 1990, "the peak is kept");
  f.allocator->resetPeak();
  check(f.allocator->statistics().peak == 0, "and set back");
}

void memoryUsedElsewhereWaitsForThatStream() {
  Fixture f;
  const auto a = f.allocator->allocate(5000, f.stream(0));
  f.allocator->free(a, {&f.stream(1)});
  const auto b = f.allocator->allocate(5000, f.stream(0));
  check(b.data != a.data, "not before the other stream has passed");
  f.stream(1).drain();
  const auto c = f.allocator->allocate(5000, f.stream(0));
  check(c.data == a.data, "afterwards it is free");
  f.allocator->free(b, {});
  f.allocator->free(c, {});
}

void reuseWastesLittle() {
  Fixture f;
  const auto large = f.allocator->allocate(64 * MiB, f.stream(0));
  f.allocator->free(large, {});
  const auto small = f.allocator->allocate(MiB, f.stream(0));
  check(small.data != large.data, "a large block does not serve a small request");
  const auto similar = f.allocator->allocate(56 * MiB, f.stream(0));
  check(similar.data == large.data, "but one of similar size");
  f.allocator->free(small, {});
  f.allocator->free(similar, {});
}

void trimGivesTheCacheBack() {
  Fixture f;
  const auto used = f.allocator->allocate(MiB, f.stream(0)), cached = f.allocator->allocate(2 * MiB, f.stream(0));
  f.allocator->free(cached, {});
  f.allocator->trim();
  check(f.backend.held == 3 * MiB, "not before the stream has run what it holds");
  f.stream(0).drain();
  check(f.backend.held == MiB && f.allocator->statistics().reserved == MiB, "then all but what is in use");
  f.allocator->free(used, {});
}

void theCacheIsBounded() {
  Fixture f;
  for (size_t i = 1; i <= 200; ++i) {
    const auto block = f.allocator->allocate(16 * MiB + i * 24 * MiB / 10, f.stream(0));
    f.allocator->free(block, {});
    f.stream(0).drain();
  }
  const auto& s = f.allocator->statistics();
  check(s.reserved <= s.peak + s.peak / 2 + 256 * MiB, "changing sizes do not pile up");
  check(s.reserved == f.backend.held, "what was cut went back");
}

void exhaustionTrimsThenFails() {
  Fixture f;
  f.backend.limit = 100 * MiB;
  const auto a = f.allocator->allocate(60 * MiB, f.stream(0));
  f.allocator->free(a, {});
  const auto b = f.allocator->allocate(90 * MiB, f.stream(1));
  check(b.data != nullptr, "the cache makes room");
  bool refused = false;
  try {
    f.allocator->allocate(60 * MiB, f.stream(0));
  } catch (const Error& error) {
    refused = std::string(error.code()) == code::kOutOfMemory;
  }
  check(refused, "then memory is out, as an error");
  check(f.allocator->statistics().allocated == 90 * MiB, "a refused request is not counted");
  f.allocator->free(b, {});
}

}  // namespace

int main() {
  classesWasteLittle();
  freedMemoryServesItsStreamAtOnce();
  memoryUsedElsewhereWaitsForThatStream();
  reuseWastesLittle();
  trimGivesTheCacheBack();
  theCacheIsBounded();
  exhaustionTrimsThenFails();
  return finish("allocator");
}
