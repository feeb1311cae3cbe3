// From a call's ids and numbers to work on a stream: every rule of native/core/backend.h is checked here, before a backend sees the call.
#pragma once

#include <array>

#include "core/fields.h"
#include "core/tensors.h"

namespace aurora {

/// The operation's name, as JavaScript and errors know it.
template <class Args>
inline constexpr const char* operationName = nullptr;
#define AURORA_OPERATION(method, Args) \
  template <>                          \
  inline constexpr const char* operationName<Args> = #method;
#include "core/operations.inc"
#undef AURORA_OPERATION

/// Shapes, dtypes and numbers of one operation; throws ERR_SHAPE, ERR_DTYPE or ERR_INVALID_ARGUMENT.
#define AURORA_OPERATION(method, Args) void check(const Args&);
#include "core/operations.inc"
#undef AURORA_OPERATION

constexpr size_t kMaxOperands = 12;
/// The ids of a call's tensors, in the order of the fields; 0 where an optional one is not given.
using Ids = std::array<Id, kMaxOperands>;

/// The tensors of one call: all on one device, and no written one overlapping another unless its field allows it.
class Operands {
 public:
  Operands(const char* operation, const Tensors& tensors) : operation_(operation), tensors_(tensors) {}

  /// `mayBe` names operands added before.
  void add(const char* name, Id id, View& view, Role role, MayBe mayBe);
  /// Their device. Marks them as used on its current stream.
  Device& enqueue();

 private:
  struct Operand {
    const char* name;
    const Tensor* tensor;
    Role role;
  };

  const char* operation_;
  const Tensors& tensors_;
  std::array<Operand, kMaxOperands> operands_{};
  size_t count_ = 0;
};

}  // namespace aurora
