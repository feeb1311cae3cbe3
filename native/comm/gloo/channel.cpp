#include "comm/gloo/channel.h"

#include "core/dtype.h"

namespace aurora::comm {
namespace {

std::string describe(const Header& header) {
  static constexpr const char* names[] = {"connect", "allReduce", "allGather", "reduceScatter", "broadcast", "send", "barrier"};
  const auto operation = static_cast<size_t>(header.operation);
  if (operation >= std::size(names) || header.dtype >= kDTypeCount) return "no message of this protocol";
  std::string text = names[operation];
  if (header.operation == Operation::allReduce || header.operation == Operation::reduceScatter) text += header.reduction ? " (max)" : " (sum)";
  if (header.operation == Operation::broadcast) text += " from place " + std::to_string(header.root);
  if (header.total > 0) text += " of " + std::to_string(header.total) + " bytes of " + name(static_cast<DType>(header.dtype));
  if (header.call > 0) text += ", collective " + std::to_string(header.call) + " of its group";
  return text;
}

}  // namespace

std::string words(const std::exception& error) {
  const std::string text = error.what();
  const size_t end = text.empty() || text[0] != '[' ? std::string::npos : text.find("] ");
  return end == std::string::npos ? text : text.substr(end + 2);
}

void Channel::nothingCame(const char* expected) const {
  throw Failure{expected + peer_ + " within " + std::to_string(timeout_.count()) + " ms", "nothing more from it"};
}

void Channel::hasEnded(const char* expected, const std::string& found) const { throw Failure{expected + peer_, "a connection that ended: " + found}; }

void Channel::check(const Header& expected, const Header& found) const {
  if (found != expected) throw Failure{peer_ + " at " + describe(expected), describe(found)};
}

}  // namespace aurora::comm
