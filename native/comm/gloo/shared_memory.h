// Memory that processes of one machine share: a file without a name, which the others open by its owner's /proc/PID/fd. So nothing is left behind when a
// process dies, and only processes of the same user find it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace aurora::comm {

/// A descriptor that is closed at its end. -1: none.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : number_(other.number_) { other.number_ = -1; }
  Descriptor& operator=(Descriptor&& other) noexcept;
  void reset();
  int number() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_;
};

/// Mapped for reading and writing until its end.
class Mapping {
 public:
  Mapping() = default;
  Mapping(int descriptor, size_t offset, size_t bytes);
  ~Mapping();
  Mapping(Mapping&& other) noexcept : data_(other.data_), bytes_(other.bytes_) { other.data_ = nullptr; }
  Mapping& operator=(Mapping&& other) noexcept;
  std::byte* data() const { return data_; }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

/// Where a rank's file is, for the other ranks.
struct Place {
  uint64_t machine = 0;  // equal for processes that may share memory; 0: none
  uint64_t key = 0;      // stands in the file's first bytes: another file under the same number is not taken for it
  int32_t process = 0, descriptor = -1;
};

/// A file of `bytes` zeros that cannot shrink, which nothing but its mappings takes memory for. None, place.machine = 0, where the system has no such files.
struct SharedFile {
  SharedFile(const std::string& host, size_t bytes);
  Descriptor descriptor;
  Place place;
};

/// Another process's file and the process, which can be asked whether it lives. None of both when they are not to be had.
struct Neighbour {
  Neighbour(const Place& place, size_t bytes);
  Descriptor process, file;
  explicit operator bool() const { return process && file; }
};

/// From the process's descriptor.
bool isGone(const Descriptor& process);

}  // namespace aurora::comm
