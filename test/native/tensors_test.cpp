// The table of tensors: generations, views that share memory, and calls' operands: devices, overlaps, disposed ids.
#include "core/tensors.h"

#include <atomic>
#include <functional>
#include <set>
#include <thread>

#include "check.h"
#include "core/error.h"
#include "core/ops.h"

using namespace aurora;
using namespace aurora::test;

namespace {

/// The code of the error that `act` throws; "" without one.
std::string codeOf(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.code();
  }
  return "";
}

void staleIdsAreErrors() {
  Device device("cpu");
  Tensors tensors;
  std::set<Id> seen;
  for (int i = 0; i < 1000; ++i) {
    const Id id = tensors.allocate(device, DType::f32, {4});
    check(id != 0 && seen.insert(id).second, "an id is never given twice");
    check(tensors.get(id, "test", "x").view.shape == Shape{4}, "a live id is its tensor");
    tensors.free(id);
    check(codeOf([&] { tensors.get(id, "test", "x"); }) == code::kDisposed, "a freed id is an error");
    check(codeOf([&] { tensors.free(id); }) == code::kDisposed, "freeing twice is an error");
  }
  for (Id forged : {Id{0}, Id{1}, Id{12345}, (Id{7} << 32) | 3, (Id{1} << 53) - 1})
    check(codeOf([&] { tensors.get(forged, "test", "x"); }) == code::kDisposed, "a forged id is an error");
  check(tensors.count(device) == 0 && device.allocator().statistics().allocated == 0, "nothing is left");
}

void aSlotEndsWithItsGenerations() {
  Device device("cpu");
  Tensors tensors;
  const Id first = tensors.allocate(device, DType::u8, {1});
  tensors.free(first);
  Id last = first;
  for (int i = 0; i < (1 << 21) + 5; ++i) {
    const Id id = tensors.allocate(device, DType::u8, {1});
    if (id >= Id{1} << 53) return check(false, "ids stay below 2^53");
    if (id == first || id == last) return check(false, "a used-up slot starts anew");
    last = id;
    tensors.free(id);
  }
  check((last & 0xffffffffu) != (first & 0xffffffffu), "a used-up slot is left for another");
}

void viewsShareMemory() {
  Device device("cpu");
  Tensors tensors;
  const Id whole = tensors.allocate(device, DType::bf16, {4, 6});
  const Id part = tensors.view(whole, 6, {2, 6});
  const View &a = tensors.get(whole, "test", "x").view, &b = tensors.get(part, "test", "x").view;
  check(static_cast<char*>(b.data) - static_cast<char*>(a.data) == 12, "a view starts at its offset");
  check(tensors.count(device) == 2 && device.allocator().statistics().allocated == 48, "and takes no memory");
  tensors.free(whole);
  check(device.allocator().statistics().allocated == 48, "memory lives until its last tensor");
  tensors.free(part);
  check(device.allocator().statistics().allocated == 0, "and no longer");

  const Id x = tensors.allocate(device, DType::f32, {10});
  check(codeOf([&] { tensors.view(x, 5, {6}); }) == code::kShape, "a view ends inside");
  check(codeOf([&] { tensors.view(x, 11, {0}); }) == code::kShape, "a view starts inside");
  check(codeOf([&] { tensors.view(x, -1, {1}); }) == code::kShape, "not before the start");
  const Id end = tensors.view(x, 10, {0});
  check(tensors.get(end, "test", "x").view.size() == 0, "an empty view may lie at the end");
  const Id narrow = tensors.view(x, 2, {3});
  check(codeOf([&] { tensors.view(narrow, 0, {4}); }) == code::kShape, "a view of a view is bounded by it");
  tensors.clear();
  check(device.allocator().statistics().allocated == 0, "clear frees all");
}

void operandsDoNotOverlap() {
  Device device("cpu"), other("cpu");
  Tensors tensors;
  const Id x = tensors.allocate(device, DType::f32, {8}), y = tensors.allocate(device, DType::f32, {8});
  const Id left = tensors.view(x, 0, {5}), right = tensors.view(x, 4, {4}), same = tensors.view(x, 0, {8});
  const Id elsewhere = tensors.allocate(other, DType::f32, {8});
  const auto add = [&](Id a, Role roleA, Id b, Role roleB, MayBe mayBe = {}) {
    return codeOf([&] {
      Operands operands("test", tensors);
      View viewA, viewB;
      operands.add("a", a, viewA, roleA, {});
      operands.add("b", b, viewB, roleB, mayBe);
      check(&operands.enqueue() == &device, "operands know their device");
    });
  };
  check(add(x, Role::input, y, Role::output).empty(), "apart is fine");
  check(add(x, Role::input, same, Role::input).empty(), "inputs may be the same");
  check(add(left, Role::input, right, Role::input).empty(), "or overlap");
  check(add(x, Role::input, same, Role::output) == code::kInvalidArgument, "an output is not an input");
  check(add(x, Role::input, same, Role::output, {"a"}).empty(), "unless it may be");
  check(add(left, Role::input, right, Role::output, {"a"}) == code::kInvalidArgument, "and then wholly");
  check(add(left, Role::update, right, Role::update) == code::kInvalidArgument, "updates lie apart");
  check(add(x, Role::input, elsewhere, Role::output) == code::kDevice, "one call, one device");
  check(add(x, Role::input, 0, Role::output) == code::kInvalidArgument, "a tensor that is needed");
  check(add(x, Role::input, 0, Role::optionalOutput).empty(), "and one that is not");
  tensors.clear();
}

void memoryUsedOnAnotherStreamComesBackLater() {
  Device device("cpu");
  Tensors tensors;
  const Id x = tensors.allocate(device, DType::f32, {1000});
  void* const memory = tensors.get(x, "test", "x").view.data;
  const size_t second = device.createStream();
  device.use(second);
  std::atomic<bool> release{false};
  device.stream().then([&] {
    while (!release) std::this_thread::yield();
  });
  tensors.get(x, "test", "x").storage->usedOn(device.stream());
  device.use(0);
  tensors.free(x);
  const Id y = tensors.allocate(device, DType::f32, {1000});
  check(tensors.get(y, "test", "y").view.data != memory, "memory in use on another stream is not given out");
  release = true;
  device.streams()[second]->drain();
  const Id z = tensors.allocate(device, DType::f32, {1000});
  check(tensors.get(z, "test", "z").view.data == memory, "afterwards it is");
  tensors.clear();
}

}  // namespace

int main() {
  staleIdsAreErrors();
  aSlotEndsWithItsGenerations();
  viewsShareMemory();
  operandsDoNotOverlap();
  memoryUsedOnAnotherStreamComesBackLater();
  return finish("tensors");
}
