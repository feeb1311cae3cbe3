// Workspace of a kernel: 64-byte aligned, grown once and kept by the stream's executor, so that steady training allocates nothing.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

#include "cpu/pages.h"

namespace aurora::cpu {

class Scratch {
 public:
  /// `count` elements of uninitialised memory, valid until the kernel returns or calls `get` with the same slot again.
  /// Slots (0 … 7) let one kernel hold several buffers.
  template <class T>
  T* get(int slot, size_t count) {
    return static_cast<T*>(bytes(slot, count * sizeof(T)));
  }

 private:
  static constexpr int kSlots = 8;
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  std::unique_ptr<void, Free> memory_[kSlots];
  size_t size_[kSlots] = {};

  void* bytes(int slot, size_t size) {
    if (size > size_[slot]) {
      memory_[slot].reset();
      size_[slot] = 0;
      memory_[slot].reset(allocatePages(size));
      if (!memory_[slot]) throw std::bad_alloc();
      size_[slot] = size;
    }
    return memory_[slot].get();
  }
};

}  // namespace aurora::cpu
