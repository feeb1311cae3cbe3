// The kernel sets that this machine can run, for tests that run all of them; AURORA_FOR_KERNEL_SETS(apply) names every set of this build.
#pragma once

#include <vector>

#include "cpu/instruction_set.h"
#include "kernel_list.h"

namespace aurora::test {

inline const std::vector<const cpu::KernelTable*>& kernelSets() {
  static const std::vector<const cpu::KernelTable*> sets = cpu::usableKernels();
  return sets;
}

}  // namespace aurora::test
