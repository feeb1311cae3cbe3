// The add-on's functions, by name. src/native.ts documents each.
#pragma once

#include <span>

#include "addon/arguments.h"
#include "addon/environment.h"

namespace aurora::addon {

struct Function {
  const char* name;
  Napi::Value (*call)(Environment&, Arguments&);
};

std::span<const Function> deviceFunctions();
std::span<const Function> tensorFunctions();
std::span<const Function> operationFunctions();
std::span<const Function> communicationFunctions();

}  // namespace aurora::addon
