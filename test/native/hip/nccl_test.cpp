// Groups over NCCL, with a library of this file's in NCCL's place: which of its functions are called with what, and what becomes of failures.
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "check.h"
#include "core/error.h"
#include "hip/comm/communicator.h"
#include "hip/stream.h"

using namespace aurora;
using namespace aurora::test;

namespace {

struct Call {
  const char* function;
  const void *x, *y;
  size_t count;
  int type, detail;  // operation, root or peer
};
std::mutex mutex;
std::condition_variable changed;
std::vector<Call> calls;
int status = 0, asynchronous = 0, aborts = 0, destroyed = 0, initialised = 0;
bool blocks = false;

int record(Call call) {
  std::unique_lock lock(mutex);
  calls.push_back(call);
  if (blocks) {
    changed.wait(lock, [] { return aborts > 0; });
    return 6;  // "remote error"
  }
  return status;
}

hip::Nccl fake() {
  hip::Nccl nccl;
  nccl.found = true;
  nccl.described.name = "fake";
  nccl.getUniqueId = [](hip::Nccl::Id* id) {
    std::memset(id->bytes, 42, sizeof id->bytes);
    return 0;
  };
  nccl.commInitRank = [](hip::Nccl::Comm* comm, int size, hip::Nccl::Id id, int rank) {
    check(size == 2 && rank == 0 && id.bytes[127] == 42, "a communicator is made of the group's first rank's id");
    *comm = &calls;
    std::lock_guard lock(mutex);
    if (blocks) return 2;
    ++initialised;
    return 0;
  };
  nccl.commDestroy = [](hip::Nccl::Comm) {
    ++destroyed;
    return 0;
  };
  nccl.commAbort = [](hip::Nccl::Comm) {
    std::lock_guard lock(mutex);
    ++aborts;
    changed.notify_all();
    return 0;
  };
  nccl.commGetAsyncError = [](hip::Nccl::Comm, int* error) {
    std::lock_guard lock(mutex);
    *error = asynchronous;
    return 0;
  };
  nccl.getErrorString = [](int code) { return code == 6 ? "remote error" : "some error"; };
  nccl.allReduce = [](const void* x, void* y, size_t count, int type, int operation, hip::Nccl::Comm, void*) {
    return record({"allReduce", x, y, count, type, operation});
  };
  nccl.allGather = [](const void* x, void* y, size_t count, int type, hip::Nccl::Comm, void*) { return record({"allGather", x, y, count, type, 0}); };
  nccl.reduceScatter = [](const void* x, void* y, size_t count, int type, int operation, hip::Nccl::Comm, void*) {
    return record({"reduceScatter", x, y, count, type, operation});
  };
  nccl.broadcast = [](const void* x, void* y, size_t count, int type, int root, hip::Nccl::Comm, void*) { return record({"broadcast", x, y, count, type, root}); };
  nccl.send = [](const void* x, size_t count, int type, int to, hip::Nccl::Comm, void*) { return record({"send", x, nullptr, count, type, to}); };
  nccl.receive = [](void* y, size_t count, int type, int from, hip::Nccl::Comm, void*) { return record({"receive", nullptr, y, count, type, from}); };
  return nccl;
}

const hip::Nccl library = fake();

struct Bench {
  explicit Bench(std::chrono::milliseconds timeout = std::chrono::seconds(30)) {
    calls.clear();
    status = asynchronous = aborts = destroyed = 0;
    blocks = false;
    CommunicatorOptions options;
    options.size = 2;
    options.name = "test";
    options.timeout = timeout;
    communicator = hip::communicator(library, options);
    communicator->connect({communicator->address(), {}});
  }

  hip::DeviceProperties properties = hip::runtime::properties(0);
  hip::GpuStream stream{0, properties};
  std::shared_ptr<Communicator> communicator;
};

void expectCall(const char* function, const void* x, const void* y, size_t count, int type, int detail) {
  check(calls.size() == 1, std::string(function) + " is one call");
  if (calls.size() == 1) {
    const Call& call = calls[0];
    check(std::string(call.function) == function && call.x == x && call.y == y && call.count == count && call.type == type && call.detail == detail,
          std::string(function) + " with " + std::to_string(call.count) + " elements of type " + std::to_string(call.type) + ", " + std::to_string(call.detail));
  }
  calls.clear();
}

void callsAreNccls() {
  {
    Bench bench;
    std::vector<float> memory(64);
    const View f32{memory.data(), DType::f32, {8}}, bf16{memory.data(), DType::bf16, {8}}, i32{memory.data(), DType::i32, {8}}, u16{memory.data(), DType::u16, {8}};
    const View whole{memory.data() + 16, DType::f32, {4, 4}};
    Communicator& c = *bench.communicator;
    c.allReduce(bench.stream, f32, Reduction::sum);
    expectCall("allReduce", f32.data, f32.data, 8, 7, 0);
    c.allReduce(bench.stream, bf16, Reduction::max);
    expectCall("allReduce", bf16.data, bf16.data, 8, 9, 2);
    c.allReduce(bench.stream, i32, Reduction::sum);
    expectCall("allReduce", i32.data, i32.data, 8, 2, 0);
    c.allGather(bench.stream, f32, whole);
    expectCall("allGather", f32.data, whole.data, 8, 7, 0);
    c.reduceScatter(bench.stream, whole, f32, Reduction::sum);
    expectCall("reduceScatter", whole.data, f32.data, 8, 7, 0);
    c.broadcast(bench.stream, u16, 1);
    expectCall("broadcast", u16.data, u16.data, 16, 1, 1);
    c.send(bench.stream, f32, 1);
    expectCall("send", f32.data, nullptr, 8, 7, 1);
    c.receive(bench.stream, f32, 1);
    expectCall("receive", nullptr, f32.data, 8, 7, 1);
    c.barrier(bench.stream);
    check(calls.size() == 1 && calls[0].count == 1 && calls[0].type == 2, "a barrier is a sum of one integer");
    c.flush(bench.stream);
    bench.stream.drain();
    check(!bench.stream.takeError(), "nothing fails");
  }
  check(destroyed == 1 && aborts == 0, "a communicator that went well is destroyed");
}

void expectFailure(Bench& bench, const char* operation, const std::string& words) {
  bench.stream.drain();
  const auto error = bench.stream.takeError();
  check(error && std::string(error->code) == code::kCommunication && error->operation == operation && error->found.find(words) != std::string::npos,
        std::string(operation) + " fails with " + words + ", not " + (error ? error->found : "nothing"));
}

void failuresEndTheGroup() {
  std::vector<float> memory(8);
  const View x{memory.data(), DType::f32, {8}};
  {
    Bench bench;
    status = 3;
    bench.communicator->allReduce(bench.stream, x, Reduction::sum);
    expectFailure(bench, "allReduce", "some error");
    status = 0;
    bench.communicator->barrier(bench.stream);
    expectFailure(bench, "barrier", "some error");
    bench.communicator->flush(bench.stream);
    expectFailure(bench, "flush", "some error");
  }
  check(aborts == 1 && destroyed == 0, "a communicator that failed is aborted, once");
  {
    Bench bench;
    bench.communicator->abort("the test says so");
    bench.communicator->send(bench.stream, x, 1);
    expectFailure(bench, "send", "the test says so");
  }
  {
    Bench bench(std::chrono::milliseconds(100));
    blocks = true;
    bench.communicator->receive(bench.stream, x, 1);  // returns when the watcher ends it
    expectFailure(bench, "receive", "did not come within 100 ms");
    check(aborts == 1, "who waits too long is ended");
  }
  {
    Bench bench;
    blocks = true;
    asynchronous = 6;
    bench.communicator->receive(bench.stream, x, 1);
    expectFailure(bench, "receive", "remote error");
  }
  CommunicatorOptions options;
  options.size = 2;
  blocks = true;
  const auto none = hip::communicator(library, options);
  try {
    none->connect({none->address(), {}});
    check(false, "a library that refuses is told of");
  } catch (const Error& error) {
    check(error.found() == "some error", "a library that refuses is told of");
  }
  try {
    hip::communicator(options);
    check(false, "the emulator has no groups");
  } catch (const Error& error) {
    check(std::string(error.code()) == code::kNotSupported, "the emulator has no groups");
  }
}

}  // namespace

int main() {
  callsAreNccls();
  failuresEndTheGroup();
  return finish("nccl_test");
}
