#include "comm/checks.h"

#include "core/error.h"

namespace aurora {

void checkReducible(const char* operation, const View& x) {
  if (x.dtype != DType::f32 && x.dtype != DType::bf16 && x.dtype != DType::i32)
    throw Error(code::kDType, operation, "x of dtype f32, bf16 or i32", name(x.dtype));
}

void checkParts(const char* operation, const char* partName, const View& part, const char* wholeName, const View& whole, int rank, int size) {
  if (part.dtype != whole.dtype)
    throw Error(code::kDType, operation, std::string(partName) + " and " + wholeName + " of one dtype",
                std::string(name(part.dtype)) + " and " + name(whole.dtype));
  if (whole.size() != part.size() * size)
    throw Error(code::kShape, operation,
                std::string(wholeName) + " with " + std::to_string(size) + " times as many elements as " + partName + ", one part for each rank",
                part.shape.text() + " and " + whole.shape.text());
  const auto *first = part.as<const std::byte>(), *begin = whole.as<const std::byte>();
  const bool apart = first + part.bytes() <= begin || begin + whole.bytes() <= first;
  if (!apart && first != begin + static_cast<size_t>(rank) * part.bytes())
    throw Error(code::kInvalidArgument, operation,
                std::string(partName) + " apart from " + wholeName + "'s memory, or the rank's own part of it (part " + std::to_string(rank) + ")",
                "memory that overlaps otherwise");
}

void checkRank(const char* operation, const char* name, int64_t rank, int size) {
  if (rank < 0 || rank >= size)
    throw Error(code::kInvalidArgument, operation, std::string(name) + " from 0 to " + std::to_string(size - 1) + ", a place in the group", std::to_string(rank));
}

void checkPeer(const char* operation, const char* name, int64_t peer, int rank, int size) {
  checkRank(operation, name, peer, size);
  if (peer == rank) throw Error(code::kInvalidArgument, operation, std::string(name) + " to be another rank of the group", "the rank's own place, " + std::to_string(rank));
}

}  // namespace aurora
