// Native errors as JavaScript errors: instances of the package's own class, with the caller's stack.
#pragma once

#include <napi.h>

#include "core/error.h"
#include "core/stream.h"

namespace aurora::addon {

/// new AuroraError({code, message, expected, found, hint, cause}); a plain Error before `initialize`.
Napi::Value toJs(Napi::Env env, const Error& error, Napi::Value cause = {});
/// The same for work that failed later; the stack of the call that enqueued it is appended to the error's own.
Napi::Value toJs(Napi::Env env, const AsyncError& error);
/// Throws a JavaScript value from native code.
[[noreturn]] void throwJs(Napi::Env env, Napi::Value error);

}  // namespace aurora::addon
