// What this process may use of the machine: processors and memory, control groups (versions 1 and 2) included.
#pragma once

#include <cstddef>

namespace aurora::cpu {

/// Processors that threads of this process can keep busy, at least 1.
int availableProcessors();
/// Bytes of memory that this process can ever hold.
size_t availableMemory();

}  // namespace aurora::cpu
