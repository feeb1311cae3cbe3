#include "addon/callers.h"

#include <charconv>

namespace aurora::addon {

std::string Callers::note(Napi::Env env) {
  try {
    notes_[count_ % kKept] = Napi::Persistent(Napi::Error::New(env, "").Value());
    return std::to_string(count_++);
  } catch (const Napi::Error&) {  // the program's own Error.prepareStackTrace threw
    return "";
  }
}

std::string Callers::stack(const std::string& note) const {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(note.data(), note.data() + note.size(), number);
  if (error != std::errc() || end != note.data() + note.size() || number >= count_ || count_ - number > kKept) return "";
  try {
    const Napi::Value stack = notes_[number % kKept].Value().Get("stack");
    if (!stack.IsString()) return "";
    const std::string text = stack.As<Napi::String>();
    const size_t firstLine = text.find('\n');
    return firstLine == std::string::npos ? "" : text.substr(firstLine + 1);
  } catch (const Napi::Error&) {
    return "";
  }
}

}  // namespace aurora::addon
