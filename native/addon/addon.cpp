// The add-on's door: one environment for each thread of JavaScript, and its functions.
#include "addon/errors.h"
#include "addon/functions.h"

namespace aurora::addon {
namespace {

/// The first class is kept: a second copy of the package in this environment (CommonJS beside ESM) makes its errors of it, too.
Napi::Value initialize(Environment& environment, Arguments& arguments) {
  const Napi::Value errorClass = arguments.any();
  if (!errorClass.IsFunction()) throw Error(code::kInvalidArgument, "initialize", "the class of errors", "no function");
  if (environment.errorClass.IsEmpty()) environment.errorClass = Napi::Persistent(errorClass.As<Napi::Function>());
  return environment.env().Undefined();
}

Napi::Value versions(Environment& environment, Arguments&) {
  Napi::Object object = Napi::Object::New(environment.env());
  object["addon"] = AURORA_VERSION;
  object["napi"] = NAPI_VERSION;
#ifdef __clang__
  object["compiler"] = "Clang " __clang_version__;
#else
  object["compiler"] = "GCC " __VERSION__;
#endif
  return object;
}

constexpr Function kFunctions[] = {{"initialize", initialize}, {"versions", versions}};

/// Every call passes here: what goes wrong below becomes an AuroraError.
Napi::Value dispatch(const Napi::CallbackInfo& info) {
  const Function& function = *static_cast<const Function*>(info.Data());
  Napi::Env env = info.Env();
  try {
    Arguments arguments(info, function.name);
    return function.call(Environment::of(env), arguments);
  } catch (const Error& error) {
    throwJs(env, toJs(env, error));
  } catch (const std::bad_alloc&) {
    throwJs(env, toJs(env, Error(code::kOutOfMemory, function.name, "memory for the call", "none left")));
  } catch (const Napi::Error& thrown) {
    // Reading an argument ran a getter that threw.
    throwJs(env, toJs(env, Error(code::kInvalidArgument, function.name, "arguments that can be read", "one whose reading throws"),
                      thrown.Value()));
  } catch (const std::exception& error) {
    throwJs(env, toJs(env, Error(code::kDevice, function.name, "to run", error.what())));
  }
}

void addFunctions(Napi::Object exports, std::span<const Function> functions) {
  for (const Function& function : functions)
    exports.Set(function.name, Napi::Function::New<dispatch>(exports.Env(), function.name, const_cast<Function*>(&function)));
}

Napi::Object load(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Environment(env));
  addFunctions(exports, kFunctions);
  addFunctions(exports, deviceFunctions());
  addFunctions(exports, tensorFunctions());
  addFunctions(exports, operationFunctions());
  addFunctions(exports, communicationFunctions());
  return exports;
}

}  // namespace
}  // namespace aurora::addon

using aurora::addon::load;
NODE_API_MODULE(aurora, load)
