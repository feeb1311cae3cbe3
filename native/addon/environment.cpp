#include "addon/environment.h"

#include <algorithm>

#include "addon/errors.h"

namespace aurora::addon {
namespace {

constexpr size_t kEventsBeforeSweep = 64;
constexpr int64_t kReportStep = int64_t{1} << 20;

}  // namespace

Environment::Environment(Napi::Env env)
    : env_(env),
      arrayBuffer_(Napi::Persistent(env.Global().Get("ArrayBuffer").As<Napi::Function>())),
      notifier_(Notifier::New(env, "aurora", 0, 1, this)) {
  notifier_.Unref(env);
  // Hooks run in reverse order: the streams are closed before the notifier goes, so none of their threads can call it then.
  napi_add_env_cleanup_hook(env, [](void* self) { static_cast<Environment*>(self)->close(); }, this);
}

void Environment::close() {
  // Streams and threads that wait for other processes wait no longer.
  communicators.abortAll("the process or its worker thread is ending");
  for (auto& device : devices_) device->close();
  for (auto& [id, pending] : pending_)
    if (pending.worker.joinable()) pending.worker.join();
  communicators.clear();
  pending_.clear();
  events_.clear();
  tensors.clear();
  devices_.clear();
}

int64_t Environment::openDevice(const std::string& name) {
  const auto known = std::find(deviceNames_.begin(), deviceNames_.end(), name);
  if (known != deviceNames_.end()) return known - deviceNames_.begin() + 1;
  devices_.push_back(std::make_unique<Device>(name));
  deviceNames_.push_back(name);
  return static_cast<int64_t>(devices_.size());
}

Device& Environment::device(int64_t id, const char* operation) const {
  if (id < 1 || id > static_cast<int64_t>(devices_.size()))
    throw Error(code::kDevice, operation, "a device that was opened", "number " + std::to_string(id));
  return *devices_[static_cast<size_t>(id - 1)];
}

int64_t Environment::idOf(const Device& device) const {
  return std::find_if(devices_.begin(), devices_.end(), [&](const auto& known) { return known.get() == &device; }) - devices_.begin() + 1;
}

size_t Environment::stream(int64_t device, int64_t stream, const char* operation) const {
  const size_t count = this->device(device, operation).streams().size();
  const int64_t number = stream - streamId(device, 0);
  if (number < 0 || number >= static_cast<int64_t>(count))
    throw Error(code::kDevice, operation, "a stream of device " + std::to_string(device), "number " + std::to_string(stream));
  return static_cast<size_t>(number);
}

int64_t Environment::recordEvent(Device& device) {
  if (events_.size() >= kEventsBeforeSweep) std::erase_if(events_, [](const auto& item) { return item.second.event->done(); });
  events_.emplace(++lastEvent_, RecordedEvent{device.stream().record(), &device});
  return lastEvent_;
}

void Environment::waitEvent(Device& device, int64_t event) {
  if (event < 1 || event > lastEvent_) throw Error(code::kInvalidArgument, "waitEvent", "an event", "number " + std::to_string(event));
  const auto found = events_.find(event);
  if (found == events_.end()) return;
  if (found->second.device != &device)
    throw Error(code::kDevice, "waitEvent", "an event of the same device", "one of another");
  device.stream().wait(found->second.event);
  if (found->second.event->done()) events_.erase(found);
}

uint64_t Environment::addPending(Pending pending) {
  if (pending_.empty()) notifier_.Ref(env_);
  pending_.emplace(++lastPending_, std::move(pending));
  return lastPending_;
}

/// From any thread.
void Environment::complete(uint64_t pending, std::optional<AsyncError> error) {
  {
    std::lock_guard lock(completedMutex_);
    completed_.push_back({pending, std::move(error)});
  }
  notifier_.NonBlockingCall();
}

Napi::Promise Environment::whenRun(const std::vector<Stream*>& streams, Napi::Object result, std::function<void()> before) {
  auto deferred = Napi::Promise::Deferred::New(env_);
  const Napi::Promise promise = deferred.Promise();
  const uint64_t id = addPending(
      {deferred, result.IsEmpty() ? Napi::ObjectReference() : Napi::Persistent(result), streams.size(), std::move(before), std::nullopt, {}});
  for (Stream* stream : streams) stream->then([this, id, stream] { complete(id, stream->takeError()); });
  return promise;
}

Napi::Promise Environment::whenDone(std::function<void()> work) {
  auto deferred = Napi::Promise::Deferred::New(env_);
  const Napi::Promise promise = deferred.Promise();
  const uint64_t id = addPending({deferred, {}, 1, nullptr, std::nullopt, {}});
  pending_.at(id).worker = std::thread([this, id, work = std::move(work)] {
    std::optional<AsyncError> failure;
    try {
      work();
    } catch (const Error& error) {
      failure = AsyncError{error.code(), error.operation(), error.expected(), error.found(), ""};
    } catch (const std::exception& error) {
      failure = AsyncError{code::kDevice, "work", "to run", error.what(), ""};
    }
    complete(id, std::move(failure));
  });
  return promise;
}

void Environment::deliverAll(Napi::Env env, Napi::Function, Environment* self, void*) {
  if (static_cast<napi_env>(env) == nullptr) return;  // the environment is closing
  std::vector<Completion> completed;
  {
    std::lock_guard lock(self->completedMutex_);
    completed.swap(self->completed_);
  }
  for (auto& completion : completed) self->deliver(std::move(completion));
}

void Environment::deliver(Completion completion) {
  const auto found = pending_.find(completion.pending);
  Pending& waiting = found->second;
  if (completion.error && !waiting.error) waiting.error = std::move(completion.error);
  if (--waiting.streams > 0) return;
  Pending pending = std::move(waiting);
  pending_.erase(found);
  if (pending.worker.joinable()) pending.worker.join();
  if (pending_.empty()) notifier_.Unref(env_);
  if (pending.before) pending.before();
  if (pending.error)
    pending.deferred.Reject(toJs(env_, *pending.error));
  else
    pending.deferred.Resolve(pending.result.IsEmpty() ? env_.Undefined() : pending.result.Value());
}

Napi::ArrayBuffer Environment::newArrayBuffer(size_t bytes) {
  try {
    return arrayBuffer_.New({Napi::Number::New(env_, static_cast<double>(bytes))}).As<Napi::ArrayBuffer>();
  } catch (const Napi::Error&) {
    throw Error(code::kOutOfMemory, "read", std::to_string(bytes) + " bytes of host memory", "less");
  }
}

void Environment::reportMemory() {
  int64_t reserved = 0;
  for (const auto& device : devices_) reserved += static_cast<int64_t>(device->allocator().statistics().reserved);
  const int64_t change = reserved - reported_;
  if (change < kReportStep && change > -kReportStep) return;
  Napi::MemoryManagement::AdjustExternalMemory(env_, change);
  reported_ = reserved;
}

}  // namespace aurora::addon
