#include "core/tensors.h"

#include <algorithm>

namespace aurora {
namespace {

constexpr uint32_t kLastGeneration = (1u << 21) - 1;  // 32 + 21 bits: exact in a JavaScript number

}  // namespace

void Storage::usedOn(Stream& stream) {
  if (&stream == block_.home) return;
  if (std::find(others_.begin(), others_.end(), &stream) == others_.end()) others_.push_back(&stream);
}

Id Tensors::allocate(Device& device, DType dtype, const Shape& shape) {
  auto storage = std::make_shared<Storage>(device, static_cast<size_t>(shape.size()) * byteSize(dtype));
  View view{storage->data(), dtype, shape};
  return add({std::move(storage), view});
}

Id Tensors::view(Id x, int64_t offset, const Shape& shape) {
  Tensor tensor = get(x, "view", "x");
  const int64_t available = tensor.view.size();
  if (offset < 0 || offset > available || shape.size() > available - offset)
    throw Error(code::kShape, "view", "a part of the tensor's " + std::to_string(available) + " elements",
                shape.text() + " at offset " + std::to_string(offset));
  tensor.view.data = static_cast<std::byte*>(tensor.view.data) + static_cast<size_t>(offset) * byteSize(tensor.view.dtype);
  tensor.view.shape = shape;
  return add(std::move(tensor));
}

void Tensors::free(Id id) {
  get(id, "free", "x");
  Slot& slot = slots_[static_cast<uint32_t>(id)];
  const Tensor freed = std::move(slot.tensor);
  slot.tensor = {};
  // A slot whose generations are used up is never used again.
  if (slot.generation++ < kLastGeneration) vacant_.push_back(static_cast<uint32_t>(id));
}

const Tensor& Tensors::get(Id id, const char* operation, const char* argument) const {
  const uint32_t slot = static_cast<uint32_t>(id);
  if (slot >= slots_.size() || slots_[slot].generation != id >> 32 || !slots_[slot].tensor.storage)
    throw Error(code::kDisposed, operation, std::string("a live tensor as ") + argument, "one that was disposed, or never was",
                "a scope, a tape or dispose() has freed it: keep it by returning it from the scope");
  return slots_[slot].tensor;
}

size_t Tensors::count(const Device& device) const {
  return std::count_if(slots_.begin(), slots_.end(),
                       [&](const Slot& slot) { return slot.tensor.storage && &slot.tensor.device() == &device; });
}

void Tensors::clear() {
  slots_.clear();
  vacant_.clear();
}

Id Tensors::add(Tensor tensor) {
  if (vacant_.empty()) {
    slots_.emplace_back();
    vacant_.push_back(static_cast<uint32_t>(slots_.size() - 1));
  }
  const uint32_t slot = vacant_.back();
  vacant_.pop_back();
  slots_[slot].tensor = std::move(tensor);
  return (Id{slots_[slot].generation} << 32) | slot;
}

}  // namespace aurora
