#include "comm/gloo/sender.h"

namespace aurora::comm {

Sender::~Sender() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
    queue_.clear();
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Sender::push(const Header& header, const std::byte* data, size_t bytes) {
  Message message{header, Bytes(data, data + bytes)};
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(message));
  }
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  changed_.notify_all();
}

bool Sender::idle() const {
  std::lock_guard lock(mutex_);
  return queue_.empty() && !sending_;
}

void Sender::finish() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return queue_.empty() && !sending_; });
}

void Sender::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    if (ending_) return;
    const Message message = std::move(queue_.front());
    queue_.pop_front();
    sending_ = true;
    lock.unlock();
    try {
      channel_.send(message.header, message.data.data(), message.data.size());
      channel_.finish();
      lock.lock();
    } catch (const Failure& failure) {
      failed_(failure);
      lock.lock();
      queue_.clear();
    }
    sending_ = false;
    changed_.notify_all();
  }
}

}  // namespace aurora::comm
