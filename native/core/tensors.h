// The table of live tensors of one JavaScript environment. A tensor is known by an id that carries a generation: once freed, its id
// is an error for ever, never another tensor. Tensors share storage; it goes back to the allocator with the last of them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/device.h"
#include "core/view.h"

namespace aurora {

/// slot + 2^32 · generation, below 2^53 so that JavaScript numbers hold it. 0 is no tensor.
using Id = uint64_t;

class Storage {
 public:
  Storage(Device& device, size_t bytes) : device_(device), block_(device.allocator().allocate(bytes, device.stream())) {}
  ~Storage() { device_.allocator().free(block_, others_); }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  Device& device() const { return device_; }
  void* data() const { return block_.data; }
  /// Work on this memory is about to be enqueued on `stream`.
  void usedOn(Stream& stream);

 private:
  Device& device_;
  Allocator::Block block_;
  std::vector<Stream*> others_;  // streams besides the block's home
};

struct Tensor {
  std::shared_ptr<Storage> storage;
  View view;

  Device& device() const { return storage->device(); }
};

class Tensors {
 public:
  /// Uninitialised memory on the device's current stream.
  Id allocate(Device& device, DType dtype, const Shape& shape);
  /// `offset` elements into x's memory, which must hold the whole view.
  Id view(Id x, int64_t offset, const Shape& shape);
  void free(Id id);

  /// Throws ERR_DISPOSED, naming operation and argument. The reference is valid until the next change of the table.
  const Tensor& get(Id id, const char* operation, const char* argument) const;
  /// Live tensors on a device.
  size_t count(const Device& device) const;
  /// Frees everything.
  void clear();

 private:
  struct Slot {
    uint32_t generation = 1;
    Tensor tensor;  // without storage: the slot is free
  };

  Id add(Tensor tensor);

  std::vector<Slot> slots_;
  std::vector<uint32_t> vacant_;
};

}  // namespace aurora
