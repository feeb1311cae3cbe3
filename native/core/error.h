// One error type for the native side. It carries what src/errors.ts shows a user: a stable code, what was expected,
// what was found, and a hint.
#pragma once

#include <exception>
#include <string>
#include <utility>

namespace aurora {

/// Stable codes; JavaScript sees them as `error.code`.
namespace code {
inline constexpr const char* kInvalidArgument = "ERR_INVALID_ARGUMENT";  // wrong type, NaN size, out of range
inline constexpr const char* kShape = "ERR_SHAPE";                        // shapes that do not fit each other
inline constexpr const char* kDType = "ERR_DTYPE";                        // an element type the operation does not take
inline constexpr const char* kDisposed = "ERR_DISPOSED";                  // a stale or forged tensor id
inline constexpr const char* kOutOfMemory = "ERR_OUT_OF_MEMORY";
inline constexpr const char* kNotSupported = "ERR_NOT_SUPPORTED";         // the backend lacks the operation
inline constexpr const char* kDevice = "ERR_DEVICE";                      // no such device, or it failed
inline constexpr const char* kIndex = "ERR_INDEX";                        // a token id or row outside its table
inline constexpr const char* kClosed = "ERR_CLOSED";                      // the environment is shutting down
}  // namespace code

class Error : public std::exception {
 public:
  Error(const char* code, std::string operation, std::string expected, std::string found, std::string hint = "")
      : code_(code),
        operation_(std::move(operation)),
        expected_(std::move(expected)),
        found_(std::move(found)),
        hint_(std::move(hint)),
        message_(operation_ + ": expected " + expected_ + ", found " + found_ + (hint_.empty() ? "" : ". " + hint_)) {}

  const char* what() const noexcept override { return message_.c_str(); }
  const char* code() const { return code_; }
  const std::string& operation() const { return operation_; }
  const std::string& expected() const { return expected_; }
  const std::string& found() const { return found_; }
  const std::string& hint() const { return hint_; }

 private:
  const char* code_;
  std::string operation_, expected_, found_, hint_, message_;
};

}  // namespace aurora
