// Which kernels this machine runs: the best set that it has, or the one that AURORA_ISA names.
#pragma once

#include <vector>

#include "cpu/kernels.h"

namespace aurora::cpu {

/// Sets that were compiled in and that this CPU and operating system support, best first.
std::vector<const KernelTable*> usableKernels();
/// Throws ERR_INVALID_ARGUMENT, naming the choices, when AURORA_ISA names none of them.
const KernelTable& chooseKernels();

}  // namespace aurora::cpu
