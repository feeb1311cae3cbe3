#include <algorithm>
#include <cstring>

#include "core/ops.h"

namespace aurora {
namespace {

bool overlap(const View& a, const View& b) {
  const auto *firstA = a.as<const std::byte>(), *firstB = b.as<const std::byte>();
  return firstA < firstB + b.bytes() && firstB < firstA + a.bytes();
}

}  // namespace

void Operands::add(const char* name, Id id, View& view, Role role, MayBe mayBe) {
  if (id == 0) {
    if (!isOptional(role)) throw Error(code::kInvalidArgument, operation_, std::string("a tensor as ") + name, "none");
    return;
  }
  const Tensor& tensor = tensors_.get(id, operation_, name);
  view = tensor.view;
  if (count_ > 0 && &tensor.device() != &operands_[0].tensor->device())
    throw Error(code::kDevice, operation_, std::string("all tensors on one device"),
                std::string(operands_[0].name) + " on '" + operands_[0].tensor->device().backend().info().name + "' and " + name + " on '" +
                    tensor.device().backend().info().name + "'");
  for (size_t i = 0; i < count_; ++i) {
    const Operand& other = operands_[i];
    const View& otherView = other.tensor->view;
    if (!(isWritten(role) || isWritten(other.role)) || !overlap(view, otherView)) continue;
    const bool same = view.data == otherView.data && view.bytes() == otherView.bytes();
    const bool allowed = std::any_of(mayBe.begin(), mayBe.end(), [&](const char* n) { return std::strcmp(n, other.name) == 0; });
    if (same && allowed) continue;
    throw Error(code::kInvalidArgument, operation_, std::string(name) + (allowed ? " to be " : " apart from ") + other.name + "'s memory",
                same ? "the same memory" : "memory that overlaps", "give the output a tensor of its own");
  }
  operands_[count_++] = {name, &tensor, role};
}

Device& Operands::enqueue() {
  Device& device = operands_[0].tensor->device();
  for (size_t i = 0; i < count_; ++i) operands_[i].tensor->storage->usedOn(device.stream());
  return device;
}

}  // namespace aurora
