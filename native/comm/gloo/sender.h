// Sends that the receiver has no room for yet: copied, and sent by a thread, so that a stream which goes on to receive does so.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "comm/gloo/channel.h"

namespace aurora::comm {

class Sender {
 public:
  /// `failed` is called with what a send threw.
  Sender(Channel& channel, std::function<void(const Failure&)> failed) : channel_(channel), failed_(std::move(failed)) {}
  ~Sender();
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  /// Sends the message after all earlier ones.
  void push(const Header& header, const std::byte* data, size_t bytes);
  bool idle() const;
  /// Waits until all has left.
  void finish();

 private:
  struct Message {
    Header header;
    Bytes data;
  };
  void run();

  Channel& channel_;
  const std::function<void(const Failure&)> failed_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Message> queue_;
  bool sending_ = false, ending_ = false;
  std::thread thread_;  // started by the first message
};

}  // namespace aurora::comm
