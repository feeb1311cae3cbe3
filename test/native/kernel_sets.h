// The kernel sets that this machine can run, for tests that run all of them; AURORA_FOR_KERNEL_SETS(apply) names every set of this build. Tests of
// hip/ run the best one and the GPU's kernels on the emulator, which must give the same where a test compares sets.
#pragma once

#include <vector>

#include "cpu/instruction_set.h"
#include "kernel_list.h"
#ifdef AURORA_EMULATOR
#include "hip/emulated_sets.h"
#endif

namespace aurora::test {

/// Whether the emulator is among the sets, which takes a thousand times as long: fewer repetitions then.
#ifdef AURORA_EMULATOR
constexpr bool kEmulated = true;
#else
constexpr bool kEmulated = false;
#endif

inline const std::vector<const cpu::KernelTable*>& kernelSets() {
#ifdef AURORA_EMULATOR
  static const std::vector<const cpu::KernelTable*> sets = [] {
    std::vector<const cpu::KernelTable*> sets = emulatedSets();
    sets.insert(sets.begin(), cpu::usableKernels().front());
    return sets;
  }();
#else
  static const std::vector<const cpu::KernelTable*> sets = cpu::usableKernels();
#endif
  return sets;
}

}  // namespace aurora::test
