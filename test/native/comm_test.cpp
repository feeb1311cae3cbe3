// Communicators: a group of one, and Gloo's with several ranks in threads of one process, through shared memory and over sockets, against references in
// rank order.
#include "comm/communicator.h"

#include <signal.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <fstream>
#include <functional>
#include <thread>
#include <vector>

#include "check.h"
#include "comm/checks.h"
#include "comm/single.h"
#include "core/error.h"
#include "cpu/stream.h"
#ifdef AURORA_GLOO
#include "comm/gloo/channel.h"
#include "comm/gloo/communicator.h"
#include "comm/gloo/reduce.h"
#endif

using namespace aurora;
using namespace aurora::test;
using cpu::CpuStream;

namespace {

cpu::ThreadPool pool(1);

View viewOf(std::vector<std::byte>& memory, DType dtype, int64_t first, int64_t count) {
  View view{memory.data() + static_cast<size_t>(first) * byteSize(dtype), dtype, {count}};
  return view;
}

void aGroupOfOneIsTheIdentity() {
  CpuStream stream(pool);
  int copies = 0;
  auto single = singleCommunicator([&](Stream&, const View& x, const View& y) {
    ++copies;
    std::memcpy(y.data, x.data, x.bytes());
  });
  std::vector<std::byte> a(16, std::byte{7}), b(16);
  const View x = viewOf(a, DType::f32, 0, 4), y = viewOf(b, DType::f32, 0, 4);
  single->allReduce(stream, x, Reduction::sum);
  single->broadcast(stream, x, 0);
  single->barrier(stream);
  check(copies == 0, "a group of one moves nothing");
  single->allGather(stream, x, y);
  check(copies == 1 && a == b, "a gather of one copies");
  single->reduceScatter(stream, x, x, Reduction::max);
  check(copies == 1, "nothing is copied onto itself");
  check(!stream.takeError(), "a group of one does not fail");
  single->abort("enough");
  single->allReduce(stream, x, Reduction::sum);
  const auto error = stream.takeError();
  check(error && std::string(error->code) == code::kCommunication && error->found.find("enough") != std::string::npos, "an aborted group of one fails");
}

void refused(const char* expectedCode, const std::string& what, const std::function<void()>& call) {
  try {
    call();
    check(false, what + " is refused");
  } catch (const Error& error) {
    check(std::string(error.code()) == expectedCode, what + " is refused with " + expectedCode);
  }
}

void wrongCallsAreRefused() {
  std::vector<std::byte> memory(1024);
  const auto f32 = [&](int64_t first, int64_t count) { return viewOf(memory, DType::f32, first, count); };
  checkParts("allGather", "x", f32(0, 4), "y", f32(4, 8), 0, 2);
  checkParts("allGather", "x", f32(8, 4), "y", f32(4, 8), 1, 2);
  refused(code::kShape, "an odd part", [&] { checkParts("allGather", "x", f32(0, 3), "y", f32(4, 8), 0, 2); });
  refused(code::kInvalidArgument, "another rank's part", [&] { checkParts("allGather", "x", f32(4, 4), "y", f32(4, 8), 1, 2); });
  refused(code::kInvalidArgument, "an overlap", [&] { checkParts("allGather", "x", f32(2, 4), "y", f32(4, 8), 0, 2); });
  refused(code::kDType, "two dtypes", [&] { checkParts("allGather", "x", viewOf(memory, DType::i32, 0, 4), "y", f32(4, 8), 0, 2); });
  refused(code::kDType, "a sum of bytes", [&] { checkReducible("allReduce", viewOf(memory, DType::u8, 0, 4)); });
  refused(code::kInvalidArgument, "a root outside", [] { checkRank("broadcast", "root", 2, 2); });
  refused(code::kInvalidArgument, "a negative root", [] { checkRank("broadcast", "root", -1, 2); });
  refused(code::kInvalidArgument, "a message to oneself", [] { checkPeer("send", "to", 1, 1, 2); });
}

#ifdef AURORA_GLOO
using comm::GlooCommunicator;

/// Ranks of one group in threads of this process.
class World {
 public:
  explicit World(int size, std::chrono::milliseconds timeout = std::chrono::seconds(30), const std::string& name = "test") {
    std::vector<Bytes> addresses;
    for (int rank = 0; rank < size; ++rank) {
      CommunicatorOptions options;
      options.rank = rank;
      options.size = size;
      options.name = name;
      for (int other = 0; other < size; ++other) options.ranks.push_back(10 + other);
      options.host = "127.0.0.1";
      options.timeout = timeout;
      communicators.push_back(std::make_shared<GlooCommunicator>(options));
      streams.push_back(std::make_unique<CpuStream>(pool));
      addresses.push_back(communicators.back()->address());
    }
    std::vector<std::thread> threads;
    for (auto& communicator : communicators) threads.emplace_back([&] { communicator->connect(addresses); });
    for (auto& thread : threads) thread.join();
  }
  ~World() {
    for (auto& stream : streams) stream->drain();
  }

  int size() const { return static_cast<int>(communicators.size()); }
  Communicator& at(int rank) { return *communicators[static_cast<size_t>(rank)]; }
  Stream& stream(int rank) { return *streams[static_cast<size_t>(rank)]; }
  void drain() {
    for (auto& stream : streams) stream->drain();
  }
  void checkNoFailure(const std::string& what) {
    for (int rank = 0; rank < size(); ++rank)
      if (const auto error = stream(rank).takeError())
        check(false, what + ", rank " + std::to_string(rank) + ": " + error->operation + ": expected " + error->expected + ", found " + error->found);
  }
  AsyncError failure(int rank, const std::string& what) {
    auto error = stream(rank).takeError();
    check(error.has_value(), what + ": rank " + std::to_string(rank) + " fails");
    return error.value_or(AsyncError{"", "", "", "", ""});
  }

  std::vector<std::shared_ptr<GlooCommunicator>> communicators;
  std::vector<std::unique_ptr<CpuStream>> streams;
};

/// Whether ranks of this process have inboxes in each other's memory.
bool sharesMemory() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    if (line.find("aurora-inboxes") != std::string::npos) return true;
  return false;
}

float bf16ToFloat(uint16_t x) {
  const uint32_t bits = static_cast<uint32_t>(x) << 16;
  float y;
  std::memcpy(&y, &bits, sizeof y);
  return y;
}

double valueAt(const std::vector<std::byte>& memory, DType dtype, int64_t i) {
  if (dtype == DType::f32) return reinterpret_cast<const float*>(memory.data())[i];
  if (dtype == DType::bf16) return bf16ToFloat(reinterpret_cast<const uint16_t*>(memory.data())[i]);
  return reinterpret_cast<const int32_t*>(memory.data())[i];
}

std::vector<std::byte> randomMemory(std::mt19937_64& engine, DType dtype, int64_t count) {
  std::vector<std::byte> memory(static_cast<size_t>(count) * byteSize(dtype));
  std::normal_distribution<float> normal;
  for (int64_t i = 0; i < count; ++i) {
    const float x = normal(engine);
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    if (dtype == DType::f32) std::memcpy(memory.data() + 4 * i, &x, 4);
    if (dtype == DType::bf16) reinterpret_cast<uint16_t*>(memory.data())[i] = static_cast<uint16_t>(bits >> 16);
    if (dtype == DType::i32) reinterpret_cast<int32_t*>(memory.data())[i] = static_cast<int32_t>(engine() >> 40);
  }
  return memory;
}

/// Whether `found` element `i` is the reduction of the inputs': exactly in order and in f32, and near the f64 result.
bool isReduction(const std::vector<std::vector<std::byte>>& inputs, DType dtype, Reduction reduction, int64_t i, double found) {
  if (dtype == DType::i32) {
    int64_t result = static_cast<int64_t>(valueAt(inputs[0], dtype, i));
    for (size_t r = 1; r < inputs.size(); ++r) {
      const auto next = static_cast<int64_t>(valueAt(inputs[r], dtype, i));
      result = reduction == Reduction::sum ? result + next : std::max(result, next);
    }
    return static_cast<double>(static_cast<int32_t>(result)) == found;
  }
  float inOrder = static_cast<float>(valueAt(inputs[0], dtype, i));
  double exact = inOrder, magnitude = std::fabs(exact);
  for (size_t r = 1; r < inputs.size(); ++r) {
    const double next = valueAt(inputs[r], dtype, i);
    magnitude += std::fabs(next);
    inOrder = reduction == Reduction::sum ? inOrder + static_cast<float>(next) : std::max(inOrder, static_cast<float>(next));
    exact = reduction == Reduction::sum ? exact + next : std::max(exact, next);
  }
  if (dtype == DType::f32 && found != inOrder) return false;
  // One rounding of each f32 addition, and bf16's of the result.
  const double bound = magnitude * static_cast<double>(inputs.size()) * 0x1p-24 + (dtype == DType::bf16 ? std::fabs(exact) * 0x1p-8 : 0);
  if (std::fabs(found - exact) > bound) return false;
  if (dtype != DType::bf16) return true;
  // Rounded once, to nearest even: no neighbour is nearer to the f32 sum.
  const uint16_t bits = static_cast<uint16_t>([&] {
    uint32_t b;
    const float f = static_cast<float>(found);
    std::memcpy(&b, &f, sizeof b);
    return b >> 16;
  }());
  for (int step : {-1, 1}) {
    const double other = bf16ToFloat(static_cast<uint16_t>(bits + step));
    const double distance = std::fabs(found - inOrder), otherDistance = std::fabs(other - inOrder);
    if (otherDistance < distance || (otherDistance == distance && bits % 2 == 1)) return false;
  }
  return true;
}

constexpr DType kReducible[] = {DType::f32, DType::bf16, DType::i32};
std::string label(const char* what, int ranks, DType dtype, int64_t size) {
  return std::string(what) + " of " + std::to_string(size) + " " + name(dtype) + " over " + std::to_string(ranks) + " ranks";
}

void reductionsAreInRankOrder(std::mt19937_64& engine, World& world, int64_t size) {
  const int ranks = world.size();
  for (DType dtype : kReducible)
    for (Reduction reduction : {Reduction::sum, Reduction::max}) {
      const std::string what = label(reduction == Reduction::sum ? "sum" : "max", ranks, dtype, size);
      std::vector<std::vector<std::byte>> inputs, results[2];
      for (int rank = 0; rank < ranks; ++rank) inputs.push_back(randomMemory(engine, dtype, size));
      for (auto& repeat : results) {
        repeat = inputs;
        for (int rank = 0; rank < ranks; ++rank) world.at(rank).allReduce(world.stream(rank), viewOf(repeat[static_cast<size_t>(rank)], dtype, 0, size), reduction);
        world.drain();
      }
      world.checkNoFailure(what);
      check(results[0] == results[1], what + " is repeatable");
      for (int rank = 1; rank < ranks; ++rank) check(results[0][static_cast<size_t>(rank)] == results[0][0], what + " is the same on every rank");
      int64_t wrong = 0;
      for (int64_t i = 0; i < size; ++i) wrong += !isReduction(inputs, dtype, reduction, i, valueAt(results[0][0], dtype, i));
      check(wrong == 0, what + ": " + std::to_string(wrong) + " wrong elements");

      // A scatter has every rank's part of the same bits; in place, and apart.
      const int64_t whole = size * ranks;
      std::vector<std::vector<std::byte>> scattered, apart, expected;
      for (int rank = 0; rank < ranks; ++rank) scattered.push_back(randomMemory(engine, dtype, whole));
      expected = scattered;
      auto first = scattered;
      for (int rank = 0; rank < ranks; ++rank) {
        const auto r = static_cast<size_t>(rank);
        apart.emplace_back(static_cast<size_t>(size) * byteSize(dtype));
        world.at(rank).allReduce(world.stream(rank), viewOf(expected[r], dtype, 0, whole), reduction);
        world.at(rank).reduceScatter(world.stream(rank), viewOf(first[r], dtype, 0, whole), viewOf(apart[r], dtype, 0, size), reduction);
        world.at(rank).reduceScatter(world.stream(rank), viewOf(scattered[r], dtype, 0, whole), viewOf(scattered[r], dtype, size * rank, size), reduction);
      }
      world.drain();
      world.checkNoFailure(what + " scattered");
      for (int rank = 0; rank < ranks; ++rank) {
        const auto r = static_cast<size_t>(rank);
        const size_t offset = static_cast<size_t>(size * rank) * byteSize(dtype), bytes = apart[r].size();
        check(bytes == 0 || std::memcmp(apart[r].data(), expected[r].data() + offset, bytes) == 0, what + " scattered");
        check(bytes == 0 || std::memcmp(scattered[r].data() + offset, expected[r].data() + offset, bytes) == 0, what + " scattered in place");
      }
    }
}

void dataMovesUnchanged(std::mt19937_64& engine, World& world, int64_t size) {
  const int ranks = world.size();
  for (DType dtype : {DType::f32, DType::bf16, DType::u8}) {
    const std::string what = label("a gather", ranks, dtype, size);
    std::vector<std::byte> whole(static_cast<size_t>(size * ranks) * byteSize(dtype));
    for (auto& byte : whole) byte = static_cast<std::byte>(engine());
    const size_t bytes = static_cast<size_t>(size) * byteSize(dtype);
    std::vector<std::vector<std::byte>> parts, apart, inPlace, everywhere;
    const int root = static_cast<int>(engine() % static_cast<uint64_t>(ranks));
    for (int rank = 0; rank < ranks; ++rank) {
      const auto own = whole.begin() + static_cast<std::ptrdiff_t>(bytes) * rank;
      parts.emplace_back(own, own + static_cast<std::ptrdiff_t>(bytes));
      apart.emplace_back(whole.size());
      inPlace.emplace_back(whole.size());
      std::copy(parts.back().begin(), parts.back().end(), inPlace.back().begin() + static_cast<std::ptrdiff_t>(bytes) * rank);
      everywhere.emplace_back(rank == root ? whole : std::vector<std::byte>(whole.size()));
    }
    for (int rank = 0; rank < ranks; ++rank) {
      const auto r = static_cast<size_t>(rank);
      world.at(rank).allGather(world.stream(rank), viewOf(parts[r], dtype, 0, size), viewOf(apart[r], dtype, 0, size * ranks));
      world.at(rank).allGather(world.stream(rank), viewOf(inPlace[r], dtype, size * rank, size), viewOf(inPlace[r], dtype, 0, size * ranks));
      world.at(rank).broadcast(world.stream(rank), viewOf(everywhere[r], dtype, 0, size * ranks), root);
      world.at(rank).barrier(world.stream(rank));
    }
    world.drain();
    world.checkNoFailure(what);
    for (const auto& all : {apart, inPlace, everywhere})
      for (const auto& one : all) check(one == whole, what + " or a broadcast has all data");
  }
}

/// All send to all before anybody receives.
void messagesDoNotWaitForEachOther(std::mt19937_64& engine, World& world, int64_t size) {
  const int ranks = world.size();
  const std::string what = label("messages", ranks, DType::u8, size);
  std::vector<std::vector<std::vector<std::byte>>> sent(static_cast<size_t>(ranks)), received(static_cast<size_t>(ranks));
  for (int rank = 0; rank < ranks; ++rank)
    for (int other = 0; other < ranks; ++other) {
      auto& memory = sent[static_cast<size_t>(rank)].emplace_back(static_cast<size_t>(size));
      for (auto& byte : memory) byte = static_cast<std::byte>(engine());
      received[static_cast<size_t>(rank)].emplace_back(static_cast<size_t>(size));
    }
  const auto copies = sent;
  for (int rank = 0; rank < ranks; ++rank) {
    const auto r = static_cast<size_t>(rank);
    for (int other = 0; other < ranks; ++other) {
      auto& memory = sent[r][static_cast<size_t>(other)];
      if (other == rank) continue;
      world.at(rank).send(world.stream(rank), viewOf(memory, DType::u8, 0, size), other);
      // A send that is done may be written over.
      world.stream(rank).then([&memory] { std::fill(memory.begin(), memory.end(), std::byte{0}); });
    }
    for (int other = 0; other < ranks; ++other)
      if (other != rank) world.at(rank).receive(world.stream(rank), viewOf(received[r][static_cast<size_t>(other)], DType::u8, 0, size), other);
    world.at(rank).flush(world.stream(rank));
  }
  world.drain();
  world.checkNoFailure(what);
  for (int rank = 0; rank < ranks; ++rank)
    for (int other = 0; other < ranks; ++other)
      if (other != rank)
        check(received[static_cast<size_t>(rank)][static_cast<size_t>(other)] == copies[static_cast<size_t>(other)][static_cast<size_t>(rank)], what + " arrive");
}

void specialValuesReduce() {
  const float nan = std::nanf(""), infinity = INFINITY;
  const float a[] = {nan, 1, infinity, -0.0f}, b[] = {1, nan, -infinity, 0.0f};
  float y[4];
  const void* parts[] = {a, b};
  comm::reduce(DType::f32, Reduction::max, parts, 2, y, 4);
  check(std::isnan(y[0]) && std::isnan(y[1]) && y[2] == infinity && y[3] == 0, "a maximum with NaN is NaN");
  comm::reduce(DType::f32, Reduction::sum, parts, 2, y, 4);
  check(std::isnan(y[0]) && std::isnan(y[1]) && std::isnan(y[2]) && y[3] == 0, "a sum with NaN is NaN");
  const uint16_t c[] = {0x7f80, 0x7f81, 0x7fff, 0x7f7f}, d[] = {0, 0, 0, 0x7f7f};
  uint16_t z[4];
  const void* halves[] = {c, d};
  comm::reduce(DType::bf16, Reduction::sum, halves, 2, z, 4);
  check(z[0] == 0x7f80 && std::isnan(bf16ToFloat(z[1])) && std::isnan(bf16ToFloat(z[2])) && z[3] == 0x7f80, "bf16 keeps infinities and NaN");
  const int32_t large[] = {2147483647, -5}, more[] = {1, 3};
  int32_t w[2];
  const void* integers[] = {large, more};
  comm::reduce(DType::i32, Reduction::sum, integers, 2, w, 2);
  check(w[0] == INT32_MIN && w[1] == -2, "integers wrap around");
}

double secondsFor(const std::function<void()>& action) {
  const auto start = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void anAbortWakesWhoWaits() {
  World world(2);
  std::vector<std::byte> memory(64);
  const View x = viewOf(memory, DType::f32, 0, 16);
  world.at(0).receive(world.stream(0), x, 1);
  world.at(0).allReduce(world.stream(0), x, Reduction::sum);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  check(secondsFor([&] {
          world.at(0).abort("the test says so");
          world.stream(0).drain();
        }) < 5, "an abort wakes a receive");
  const AsyncError error = world.failure(0, "abort");
  check(std::string(error.code) == code::kCommunication && error.operation == "receive" && error.found.find("the test says so") != std::string::npos,
        "an abort gives its reason: " + error.found);
  world.at(0).barrier(world.stream(0));
  world.stream(0).drain();
  check(world.failure(0, "after an abort").found.find("the test says so") != std::string::npos, "what follows an abort fails with its reason");
  // The other rank sees the connection end.
  world.at(1).receive(world.stream(1), x, 0);
  world.stream(1).drain();
  const AsyncError other = world.failure(1, "the other's abort");
  check(other.expected.find("rank 10") != std::string::npos && other.found.find("ended") != std::string::npos, "the other rank: " + other.expected + ", " + other.found);
}

void aTimeoutNamesTheRank() {
  World world(3, std::chrono::milliseconds(300));
  std::vector<std::byte> memory(64);
  const View x = viewOf(memory, DType::f32, 0, 16);
  world.at(0).receive(world.stream(0), x, 2);
  world.stream(0).drain();
  const AsyncError error = world.failure(0, "a timeout");
  check(error.operation == "receive" && error.expected == "data from rank 12 of group 'test' within 300 ms", "a timeout names the rank: " + error.expected);
}

void whatDoesNotFitFails() {
  const auto both = [](const std::string& what, auto first, auto second, const std::string& words) {
    World world(2, std::chrono::seconds(20));
    std::vector<std::byte> a(1 << 20), b(1 << 20);
    first(world.at(0), world.stream(0), a);
    second(world.at(1), world.stream(1), b);
    check(secondsFor([&] { world.drain(); }) < 10, what + " does not wait for the timeout");
    const AsyncError errors[] = {world.failure(0, what), world.failure(1, what)};
    bool told = false;
    for (const auto& error : errors) {
      check(std::string(error.code) == code::kCommunication, what + " fails with ERR_COMMUNICATION");
      told = told || (error.expected + ", " + error.found).find(words) != std::string::npos;
    }
    check(told, what + " is told: " + errors[0].expected + ", " + errors[0].found + "; " + errors[1].expected + ", " + errors[1].found);
  };
  const auto allReduce = [](DType dtype, int64_t count, Reduction reduction) {
    return [=](Communicator& c, Stream& s, std::vector<std::byte>& m) { c.allReduce(s, viewOf(m, dtype, 0, count), reduction); };
  };
  const auto sum = Reduction::sum;
  both("two sizes", allReduce(DType::f32, 100, sum), allReduce(DType::f32, 102, sum), "408 bytes");
  both("a small and a large size", allReduce(DType::f32, 100, sum), allReduce(DType::f32, 200000, sum), "800000 bytes");
  both("two dtypes", allReduce(DType::f32, 100, sum), allReduce(DType::i32, 100, sum), "i32");
  both("two reductions", allReduce(DType::f32, 100, sum), allReduce(DType::f32, 100, Reduction::max), "(max)");
  both("two operations", allReduce(DType::f32, 100, sum), [](Communicator& c, Stream& s, std::vector<std::byte>&) { c.barrier(s); }, "barrier");
  const auto broadcast = [](int root) {
    return [=](Communicator& c, Stream& s, std::vector<std::byte>& m) {
      c.broadcast(s, viewOf(m, DType::f32, 0, 8), root);
      c.barrier(s);  // two roots only send
    };
  };
  both("two roots", broadcast(0), broadcast(1), "from place");
}

/// The last data of a rank that has ended is still data.
void lastWordsAreHeard() {
  for (int64_t size : {4, 100000}) {
    World world(2);
    std::vector<std::byte> a(static_cast<size_t>(size), std::byte{5}), b(static_cast<size_t>(size));
    world.at(0).send(world.stream(0), viewOf(a, DType::u8, 0, size), 1);
    world.at(0).flush(world.stream(0));
    world.stream(0).drain();
    world.communicators[0].reset();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    world.at(1).receive(world.stream(1), viewOf(b, DType::u8, 0, size), 0);
    world.stream(1).drain();
    world.checkNoFailure("last words");
    check(a == b, "last words are heard");
    world.communicators[0] = world.communicators[1];
  }
}

void wrongAddressesAreRefused() {
  CommunicatorOptions options;
  options.size = 2;
  options.name = "a";
  options.host = "127.0.0.1";
  options.timeout = std::chrono::milliseconds(200);
  const auto begin = [&] { return std::make_shared<GlooCommunicator>(options); };
  const Bytes own = begin()->address();
  refused(code::kCommunication, "too few addresses", [&] { begin()->connect({own}); });
  refused(code::kCommunication, "an empty address", [&] { begin()->connect({own, {}}); });
  Bytes garbage = own;
  for (auto& byte : garbage) byte = std::byte{0xa5};
  refused(code::kCommunication, "an address of nothing", [&] { begin()->connect({own, garbage}); });
  CommunicatorOptions other = options;
  other.rank = 1;
  other.name = "b";
  refused(code::kCommunication, "an address of another group", [&] { begin()->connect({own, std::make_shared<GlooCommunicator>(other)->address()}); });
  other.name = "a";
  auto second = std::make_shared<GlooCommunicator>(other);
  const auto first = begin();
  check(secondsFor([&] { refused(code::kCommunication, "a rank that does not come", [&] { first->connect({own, second->address()}); }); }) < 10,
        "a rank that does not come is not waited for beyond the timeout");
  CpuStream stream(pool);
  first->barrier(stream);
  stream.drain();
  check(stream.takeError().has_value(), "what was not connected fails");
  for (const char* host : {"no such host", "", "203.0.113.7"}) {
    options.host = host;
    refused(code::kCommunication, std::string("host '") + host + "'", [&] { GlooCommunicator none(options); });
  }
}

void manyGroupsOfTheSameRanks() {
  std::vector<std::unique_ptr<World>> worlds;
  for (int i = 0; i < 10; ++i) worlds.push_back(std::make_unique<World>(2 + i % 3, std::chrono::seconds(30), "group " + std::to_string(i)));
  std::vector<std::unique_ptr<float>> numbers;
  for (int repeat = 0; repeat < 5; ++repeat)
    for (auto& world : worlds)
      for (int rank = 0; rank < world->size(); ++rank) {
        numbers.push_back(std::make_unique<float>(static_cast<float>(rank + 1)));
        float* number = numbers.back().get();
        const float expected = static_cast<float>(world->size() * (world->size() + 1)) / 2;
        world->at(rank).allReduce(world->stream(rank), View{number, DType::f32, {1}}, Reduction::sum);
        world->stream(rank).then([number, expected] { check(*number == expected, "groups beside each other do not mix"); });
      }
  for (auto& world : worlds) {
    world->drain();
    world->checkNoFailure("many groups");
  }
}
#endif

}  // namespace

int main() {
  signal(SIGPIPE, SIG_IGN);  // as Node does
  auto engine = randomEngine();
  aGroupOfOneIsTheIdentity();
  wrongCallsAreRefused();
#ifdef AURORA_GLOO
  specialValuesReduce();
  for (const char* sharedMemory : {"1", "0"}) {
    setenv("AURORA_SHARED_MEMORY", sharedMemory, 1);
    for (int ranks = 2; ranks <= 5; ++ranks) {
      World world(ranks);
      check(sharesMemory() == (*sharedMemory == '1'), "memory is shared unless that is turned off");
      const int64_t chunk = static_cast<int64_t>(comm::Channel::kChunk);
      for (int64_t size : {int64_t{0}, int64_t{1}, int64_t{7}, int64_t{64}, static_cast<int64_t>(engine() % 5000), chunk / 4 - 1, chunk / 4 * ranks + 3,
                           static_cast<int64_t>(engine() % 500000)})
        reductionsAreInRankOrder(engine, world, size);
      for (int64_t size : {int64_t{0}, int64_t{5}, static_cast<int64_t>(engine() % 5000), chunk + 1, static_cast<int64_t>(engine() % 500000)}) {
        dataMovesUnchanged(engine, world, size);
        messagesDoNotWaitForEachOther(engine, world, size * 7);
      }
    }
    anAbortWakesWhoWaits();
    aTimeoutNamesTheRank();
    whatDoesNotFitFails();
    lastWordsAreHeard();
    wrongAddressesAreRefused();
    manyGroupsOfTheSameRanks();
  }
#endif
  return finish("comm_test");
}
