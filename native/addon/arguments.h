// The arguments of one call, taken one after another and turned into plain C++ values; anything else throws ERR_INVALID_ARGUMENT.
// Reading arrays may run the program's own code (getters), so a call reads all its arguments before it looks at any tensor.
#pragma once

#include <napi.h>

#include <span>
#include <string>
#include <vector>

#include "core/backend.h"
#include "core/tensors.h"

namespace aurora::addon {

class Arguments {
 public:
  Arguments(const Napi::CallbackInfo& info, const char* function) : info_(info), function_(function) {}

  const char* function() const { return function_; }
  Napi::Env env() const { return info_.Env(); }

  Napi::Value any() { return info_[next_++]; }
  double number(const char* name);
  int64_t integer(const char* name, int64_t low, int64_t high);
  bool flag(const char* name);
  std::string text(const char* name);
  /// A tensor's id; 0 stands for one that is not given.
  Id tensor(const char* name);
  /// Devices, streams and events are small positive numbers.
  int64_t handle(const char* name);
  DType dtype(const char* name);
  WireType wire(const char* name);
  Activation activation(const char* name);
  ProbeKind probeKind(const char* name);
  Shape shape(const char* name);
  HeadLayout layout(const char* name);
  RandomKey random(const char* name);
  std::vector<int> integers(const char* name, int64_t low, int64_t high, uint32_t least, uint32_t most);
  /// The memory of a typed array, Buffer or DataView, valid until JavaScript runs again.
  std::span<const std::byte> bytes(const char* name) { return toBytes(name, any()); }
  /// An array of such, copied.
  std::vector<std::vector<std::byte>> manyBytes(const char* name, uint32_t least, uint32_t most);

 private:
  [[noreturn]] void wrong(const char* name, const std::string& expected, Napi::Value found) const;
  double toNumber(const char* name, Napi::Value value) const;
  int64_t toInteger(const char* name, Napi::Value value, int64_t low, int64_t high) const;
  std::span<const std::byte> toBytes(const char* name, Napi::Value value) const;
  Napi::Array array(const char* name, uint32_t least, uint32_t most, const char* of = "numbers");

  const Napi::CallbackInfo& info_;
  const char* function_;
  size_t next_ = 0;
};

}  // namespace aurora::addon
