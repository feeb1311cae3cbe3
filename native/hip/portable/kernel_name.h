// A kernel's name out of what the compiler calls it.
#pragma once

#include <string>
#include <string_view>

namespace aurora::hip {

/// `text` is kernelText: "… [with auto kernel = aurora::hip::{anonymous}::fillKernel<float>]" or Clang's spelling of it.
inline std::string kernelName(const char* text) {
  std::string name(text);
  if (const size_t at = name.find("kernel = "); at != std::string::npos) name = name.substr(at + 9, name.rfind(']') - at - 9);
  for (const std::string_view part : {"{anonymous}::", "(anonymous namespace)::", "aurora::hip::", "&"})
    for (size_t at; (at = name.find(part)) != std::string::npos;) name.erase(at, part.size());
  return name;
}

}  // namespace aurora::hip
