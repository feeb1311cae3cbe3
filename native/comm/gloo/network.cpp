#include "comm/gloo/network.h"

#include <netdb.h>

#include <map>
#include <mutex>

#include "comm/gloo/channel.h"
#include "core/error.h"
#include "gloo/transport/tcp/device.h"

namespace aurora::comm {
namespace {

[[noreturn]] void refuse(const std::string& host, const std::string& found) {
  throw Error(code::kCommunication, "beginCommunicator", "host to be an address of this machine", "'" + host + "': " + found,
              "give the address that the other machines reach this one at; 127.0.0.1 serves on one machine");
}

/// As the system writes it. Gloo takes what is no address for one.
std::string inDigits(const std::string& host) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST;
  const int status = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (status != 0) refuse(host, gai_strerror(status));
  char digits[NI_MAXHOST];
  const int written = getnameinfo(found->ai_addr, found->ai_addrlen, digits, sizeof digits, nullptr, 0, NI_NUMERICHOST);
  freeaddrinfo(found);
  if (written != 0) refuse(host, gai_strerror(written));
  return digits;
}

}  // namespace

std::shared_ptr<gloo::transport::Device> networkDevice(const std::string& host) {
  // Never destroyed: threads may still hold a device when the process ends.
  static auto& mutex = *new std::mutex;
  static auto& devices = *new std::map<std::string, std::weak_ptr<gloo::transport::Device>>;
  const std::string address = inDigits(host);
  std::lock_guard lock(mutex);
  auto device = devices[address].lock();
  if (device) return device;
  try {
    device = gloo::transport::tcp::CreateDevice(gloo::transport::tcp::attr(address.c_str()));
  } catch (const std::exception& error) {
    refuse(host, words(error));
  }
  devices[address] = device;
  return device;
}

}  // namespace aurora::comm
