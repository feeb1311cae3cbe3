// Streams and events: an ordered queue of work on a device, and a point in it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace aurora {

/// Work that went wrong after its call had returned: which operation, and where JavaScript had called it.
struct AsyncError {
  const char* code;
  std::string operation, expected, found;
  std::string stack;  // names the caller's JavaScript stack (addon/callers.h), empty when it was not noted
};

/// Done when all work enqueued before it was recorded has run.
class Event {
 public:
  virtual ~Event() = default;
  virtual bool done() const = 0;
};

class Stream {
 public:
  virtual ~Stream() = default;

  /// Runs `callback` on the stream's own thread after all work enqueued so far. It must be short and must not throw.
  virtual void then(std::function<void()> callback) = 0;
  virtual std::shared_ptr<Event> record() = 0;
  /// Work enqueued from now on starts after `event`.
  virtual void wait(std::shared_ptr<Event> event) = 0;
  /// Blocks the calling thread until the stream is empty. For shutdown and native tests; JavaScript awaits `then` instead.
  virtual void drain() = 0;
  /// Drops work that has not started and waits for the one that has; later submissions are dropped too.
  virtual void close() = 0;

  /// The first failure since the last take; later ones are consequences.
  void fail(AsyncError error) {
    std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error);
  }
  std::optional<AsyncError> takeError() {
    std::lock_guard lock(mutex_);
    auto error = std::move(error_);
    error_.reset();
    return error;
  }
  /// Names the JavaScript stack of the call being enqueued, for operations whose data can fail; consumed by the next submission.
  std::string callerStack;

 private:
  std::mutex mutex_;
  std::optional<AsyncError> error_;
};

}  // namespace aurora
