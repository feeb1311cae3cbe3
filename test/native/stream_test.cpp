// CPU streams: order, failures, events across streams, and closing with work in the queue.
#include "cpu/stream.h"

#include <atomic>
#include <chrono>
#include <new>
#include <thread>
#include <vector>

#include "check.h"
#include "core/error.h"

using namespace aurora;
using namespace aurora::test;
using cpu::Context;
using cpu::CpuStream;

namespace {

cpu::ThreadPool pool(2);

void sleepFor(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

void workRunsInOrder() {
  CpuStream stream(pool);
  std::vector<int> order;
  for (int i = 0; i < 1000; ++i) stream.submit("test", [&order, i](Context&) { order.push_back(i); });
  stream.then([&order] { order.push_back(1000); });
  stream.drain();
  check(order.size() == 1001, "all work runs");
  for (int i = 0; i < static_cast<int>(order.size()); ++i) check(order[static_cast<size_t>(i)] == i, "work runs in order");
}

void failuresAreKeptOnceWithTheirStack() {
  CpuStream stream(pool);
  stream.callerStack = "at caller";
  stream.submit("first", [](Context& context) { context.fail(code::kIndex, "a row", "none"); });
  stream.submit("second", [](Context&) { throw std::bad_alloc(); });
  stream.drain();
  const auto error = stream.takeError();
  check(error && error->operation == "first" && error->stack == "at caller" && std::string(error->code) == code::kIndex,
        "the first failure is kept, with its operation and stack");
  check(!stream.takeError(), "a failure is taken once");

  stream.submit("exhausted", [](Context&) { throw std::bad_alloc(); });
  stream.drain();
  const auto exhausted = stream.takeError();
  check(exhausted && std::string(exhausted->code) == code::kOutOfMemory && exhausted->stack.empty(), "bad_alloc is out of memory");

  stream.submit("mistaken", [](Context&) { throw Error(code::kShape, "inner", "this", "that"); });
  stream.drain();
  const auto mistaken = stream.takeError();
  check(mistaken && mistaken->operation == "mistaken" && mistaken->expected == "this" && mistaken->found == "that", "an Error is kept");
}

void eventsOrderStreams() {
  CpuStream first(pool), second(pool);
  for (int repeat = 0; repeat < 50; ++repeat) {
    std::atomic<bool> early{false}, done{false};
    first.submit("slow", [&](Context&) {
      sleepFor(repeat % 3);
      done = true;
    });
    const auto event = first.record();
    second.wait(event);
    second.submit("after", [&](Context&) { early = !done; });
    second.drain();
    check(!early, "work waits for the other stream's event");
    check(event->done(), "a passed event is done");
  }
}

void closingDropsTheQueueAndWaitsForTheRunning() {
  std::atomic<bool> started{false}, finished{false}, dropped{false};
  const auto token = std::make_shared<int>(0);
  CpuStream other(pool);
  std::shared_ptr<Event> event;
  {
    CpuStream stream(pool);
    stream.submit("long", [&](Context&) {
      started = true;
      sleepFor(20);
      finished = true;
    });
    stream.submit("queued", [&, token](Context&) { dropped = true; });
    event = stream.record();
    other.wait(event);
    while (!started) std::this_thread::yield();
    stream.close();
    check(finished, "close waits for the running work");
    check(!dropped && token.use_count() == 1, "close drops the queued work");
    check(event->done(), "a dropped event is done: nobody waits for ever");
    stream.then([&, token] { dropped = true; });
    check(!dropped && token.use_count() == 1, "work after close is dropped");
    check(stream.record()->done(), "an event of a closed stream is done");
    stream.drain();
  }
  other.drain();
}

void aWaitingStreamCloses() {
  CpuStream first(pool), second(pool);
  std::atomic<bool> release{false};
  first.submit("blocked", [&](Context&) {
    while (!release) sleepFor(1);
  });
  second.wait(first.record());
  second.close();  // must not wait for the first
  release = true;
  first.drain();
}

void enqueueIsCheap() {
  CpuStream stream(pool);
  constexpr int kCalls = 20000;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kCalls; ++i) stream.submit("test", [](Context&) {});
  const double nanoseconds = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count() / kCalls;
  stream.drain();
  std::printf("enqueue: %.0f ns\n", nanoseconds);
}

}  // namespace

int main() {
  workRunsInOrder();
  failuresAreKeptOnceWithTheirStack();
  eventsOrderStreams();
  closingDropsTheQueueAndWaitsForTheRunning();
  aWaitingStreamCloses();
  enqueueIsCheap();
  return finish("stream");
}
