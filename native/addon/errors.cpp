#include "addon/errors.h"

#include <cstring>

#include "addon/environment.h"
#include "comm/communicator.h"

namespace aurora::addon {
namespace {

/// One line on what a code means, for `message`; `expected` and `found` carry the particulars.
const char* summary(const char* code) {
  static constexpr const char* summaries[][2] = {
      {code::kInvalidArgument, "invalid argument"},
      {code::kShape, "shapes do not fit"},
      {code::kDType, "wrong element type"},
      {code::kDisposed, "the tensor is disposed"},
      {code::kOutOfMemory, "out of memory"},
      {code::kNotSupported, "not supported by this device"},
      {code::kDevice, "device error"},
      {code::kIndex, "index out of range"},
      {code::kClosed, "closed"},
      {code::kCommunication, "communication failed"},
  };
  for (const auto& [known, text] : summaries)
    if (std::strcmp(known, code) == 0) return text;
  return "failed";
}

Napi::Value construct(Napi::Env env, const char* code, const std::string& operation, const std::string& expected, const std::string& found,
                      const std::string& hint, Napi::Value cause) {
  Napi::Object details = Napi::Object::New(env);
  const std::string message = operation + ": " + summary(code);
  details["code"] = code;
  details["message"] = message;
  details["expected"] = expected;
  details["found"] = found;
  if (!hint.empty()) details["hint"] = hint;
  if (!cause.IsEmpty()) details["cause"] = cause;
  const Napi::FunctionReference& errorClass = Environment::of(env).errorClass;
  if (!errorClass.IsEmpty()) return errorClass.New({details});
  Napi::Error plain = Napi::Error::New(env, message + "; expected " + expected + "; found " + found);
  plain.Set("code", code);
  return plain.Value();
}

}  // namespace

Napi::Value toJs(Napi::Env env, const Error& error, Napi::Value cause) {
  return construct(env, error.code(), error.operation(), error.expected(), error.found(), error.hint(), cause);
}

Napi::Value toJs(Napi::Env env, const AsyncError& error) {
  Napi::Value value = construct(env, error.code, error.operation, error.expected, error.found, "", {});
  const std::string caller = Environment::of(env).callers.stack(error.stack);
  if (caller.empty()) return value;
  try {
    Napi::Object object = value.As<Napi::Object>();
    object["stack"] = object.Get("stack").ToString().Utf8Value() + "\n  enqueued by:\n" + caller;
  } catch (const Napi::Error&) {  // the program's own Error.prepareStackTrace threw: the error itself still arrives
  }
  return value;
}

void throwJs(Napi::Env env, Napi::Value error) { throw Napi::Error(env, error); }

}  // namespace aurora::addon
