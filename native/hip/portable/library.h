// Vendors' libraries that are opened at run time.
#pragma once

#include <string>
#include <type_traits>
#include <vector>

namespace aurora::hip {

class DynamicLibrary {
 public:
  DynamicLibrary() = default;
  /// Opens the first of `files` that the loader finds.
  explicit DynamicLibrary(const std::vector<const char*>& files);

  explicit operator bool() const { return opened_ != nullptr; }
  /// The loader's words on the first file, when none was found.
  const std::string& error() const { return error_; }
  /// Sets `pointer` to the function of that name; false, and null, without one.
  template <class Function>
  bool function(Function& pointer, const char* name) const {
    pointer = reinterpret_cast<Function>(symbol(name));
    return pointer != nullptr;
  }
  /// The file that was opened; "" without one.
  std::string path() const;
  /// Whether the program holds two of the vendor's run-times: memory and streams of one mean nothing to the other.
  static bool twoRuntimes();

 private:
  void* symbol(const char* name) const;

  void* opened_ = nullptr;
  std::string error_;
};

}  // namespace aurora::hip
