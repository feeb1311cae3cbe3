// What one JavaScript environment (the main thread, or a worker) has of the native side: its devices, tensors and pending promises.
// Environments share nothing but the pool of threads.
#pragma once

#include <napi.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "addon/callers.h"
#include "addon/communicators.h"
#include "core/device.h"
#include "core/tensors.h"

namespace aurora::addon {

class Environment {
 public:
  explicit Environment(Napi::Env env);
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  Napi::Env env() const { return env_; }
  /// Of the package (src/errors.ts); empty before `initialize`.
  Napi::FunctionReference errorClass;
  Callers callers;

 private:
  // Declared before the tensors, which live in the devices' memory.
  std::vector<std::unique_ptr<Device>> devices_;
  std::vector<std::string> deviceNames_;

 public:
  Tensors tensors;
  Communicators communicators;

  /// Devices are numbered from 1, streams across all devices, so that one of another device is an error.
  int64_t openDevice(const std::string& name);
  Device& device(int64_t id, const char* operation) const;
  int64_t idOf(const Device& device) const;
  static int64_t streamId(int64_t device, size_t stream) { return device * static_cast<int64_t>(Device::kMaxStreams) + static_cast<int64_t>(stream); }
  /// The stream's number on `device`.
  size_t stream(int64_t device, int64_t stream, const char* operation) const;

  /// Events are numbered for ever; those done need no memory, and waiting for them is nothing.
  int64_t recordEvent(Device& device);
  void waitEvent(Device& device, int64_t event);

  /// When `streams` have run all that is enqueued now, calls `before` and resolves to `result` (undefined without one), or rejects with
  /// the first failure of theirs.
  Napi::Promise whenRun(const std::vector<Stream*>& streams, Napi::Object result = {}, std::function<void()> before = nullptr);

  /// Runs `work` on a thread of its own; resolves when it has returned, or rejects with what it threw.
  Napi::Promise whenDone(std::function<void()> work);

  /// `new ArrayBuffer(bytes)`: too large a size throws ERR_OUT_OF_MEMORY, where Node-API's own function would end the process.
  Napi::ArrayBuffer newArrayBuffer(size_t bytes);

  /// Tells V8 how much memory lies outside its heap, so that forgotten tensors are collected in time.
  void reportMemory();

 private:
  struct Pending {
    Napi::Promise::Deferred deferred;
    Napi::ObjectReference result;  // empty: undefined
    size_t streams;
    std::function<void()> before;
    std::optional<AsyncError> error;
    std::thread worker;  // of whenDone
  };
  struct Completion {
    uint64_t pending;
    std::optional<AsyncError> error;
  };
  static void deliverAll(Napi::Env env, Napi::Function, Environment* self, void*);
  using Notifier = Napi::TypedThreadSafeFunction<Environment, void, &Environment::deliverAll>;

  uint64_t addPending(Pending pending);
  void complete(uint64_t pending, std::optional<AsyncError> error);
  void deliver(Completion completion);
  void close();

  Napi::Env env_;
  Napi::FunctionReference arrayBuffer_;
  struct RecordedEvent {
    std::shared_ptr<Event> event;
    Device* device;
  };
  std::map<int64_t, RecordedEvent> events_;
  int64_t lastEvent_ = 0;

  std::unordered_map<uint64_t, Pending> pending_;
  uint64_t lastPending_ = 0;
  Notifier notifier_;  // wakes the event loop; keeps the process alive only while promises are pending
  std::mutex completedMutex_;
  std::vector<Completion> completed_;

  int64_t reported_ = 0;
};

}  // namespace aurora::addon
