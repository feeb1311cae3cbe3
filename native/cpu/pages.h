// Memory for tensors and workspaces: from the size of a huge page on in huge pages, where the system has them. Matrices are read
// in rows far apart, and each would need an entry of its own in the table of pages.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>

namespace aurora::cpu {

/// At least `bytes`, aligned to 64 or more; null when there is none. Freed with std::free.
inline void* allocatePages(size_t bytes) {
  constexpr size_t kHugePage = size_t{2} << 20;
  const size_t alignment = bytes >= kHugePage ? kHugePage : 64;
  void* const memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (memory && bytes >= kHugePage) madvise(memory, bytes, MADV_HUGEPAGE);
  return memory;
}

}  // namespace aurora::cpu
