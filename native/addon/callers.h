// Where JavaScript was when it enqueued work that can fail later. A stack costs tens of microseconds to be written out as text, more than
// many operations take; so each such call only notes an Error object, which V8 writes out when an error asks for it.
#pragma once

#include <napi.h>

#include <array>
#include <cstdint>
#include <string>

namespace aurora::addon {

class Callers {
 public:
  /// Notes the present call; what it returns names the note. "" when the program's own settings keep a stack from being taken.
  std::string note(Napi::Env env);
  /// The noted call's stack, without the line that names an error; "" when that cannot be told, or more than kKept calls were noted since.
  std::string stack(const std::string& note) const;

 private:
  static constexpr uint64_t kKept = 1024;
  std::array<Napi::ObjectReference, kKept> notes_;
  uint64_t count_ = 0;
};

}  // namespace aurora::addon
