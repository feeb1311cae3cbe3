// One JavaScript function for each operation, made from its list of fields.
#include "addon/errors.h"
#include "addon/functions.h"
#include "core/ops.h"

namespace aurora::addon {
namespace {

struct ReadField {
  Arguments& arguments;
  Ids& ids;
  size_t tensors = 0;

  void operator()(const char* name, View&, Role, MayBe = {}) { ids[tensors++] = arguments.tensor(name); }
  void operator()(const char* name, double& value) { value = arguments.number(name); }
  void operator()(const char* name, int64_t& value) { value = arguments.integer(name, 0, int64_t{1} << 52); }
  void operator()(const char* name, bool& value) { value = arguments.flag(name); }
  void operator()(const char* name, Activation& value) { value = arguments.activation(name); }
  void operator()(const char* name, ProbeKind& value) { value = arguments.probeKind(name); }
  void operator()(const char* name, HeadLayout& value) { value = arguments.layout(name); }
  void operator()(const char* name, RandomKey& value) { value = arguments.random(name); }
};

struct BindTensor {
  Operands& operands;
  const Ids& ids;
  size_t tensors = 0;

  void operator()(const char* name, View& view, Role role, MayBe mayBe = {}) { operands.add(name, ids[tensors++], view, role, mayBe); }
  template <class Value>
  void operator()(const char*, Value&) {}
};

template <class Args, void (Backend::*method)(Stream&, const Args&)>
Napi::Value operation(Environment& environment, Arguments& arguments) {
  Args args{};
  Ids ids{};
  fields(ReadField{arguments, ids}, args);
  std::string caller;
  if constexpr (dataCanFail<Args>) caller = environment.callers.note(environment.env());

  // From here on no JavaScript runs.
  Operands operands(operationName<Args>, environment.tensors);
  fields(BindTensor{operands, ids}, args);
  check(args);
  Device& device = operands.enqueue();
  device.stream().callerStack = std::move(caller);
  (device.backend().*method)(device.stream(), args);
  return environment.env().Undefined();
}

constexpr Function kOperations[] = {
#define AURORA_OPERATION(method, Args) {#method, operation<Args, &Backend::method>},
#include "core/operations.inc"
#undef AURORA_OPERATION
};

}  // namespace

std::span<const Function> operationFunctions() { return kOperations; }

}  // namespace aurora::addon
