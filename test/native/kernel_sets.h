// The kernel sets that this machine can run, for tests that run all of them.
#pragma once

#include <algorithm>
#include <vector>

#include "cpu/instruction_set.h"
#include "cpu/kernels.h"

// AURORA_FOR_KERNEL_SETS(apply): apply(isa) for every set of this build.
#ifdef AURORA_HAVE_avx2
#define AURORA_FOR_X86_SETS(apply) apply(avx2) apply(wide16) apply(avx512) apply(avx512bf16)
#else
#define AURORA_FOR_X86_SETS(apply)
#endif
#define AURORA_FOR_KERNEL_SETS(apply) apply(generic) AURORA_FOR_X86_SETS(apply)

#define AURORA_DECLARE_TABLE(isa) \
  namespace aurora::cpu::isa {    \
  extern const KernelTable table; \
  }
AURORA_FOR_KERNEL_SETS(AURORA_DECLARE_TABLE)
#undef AURORA_DECLARE_TABLE

namespace aurora::test {

inline const std::vector<const cpu::KernelTable*>& kernelSets() {
  static const std::vector<const cpu::KernelTable*> sets = [] {
    const std::vector<std::string> usable = cpu::usableInstructionSets();
    std::vector<const cpu::KernelTable*> found;
    const auto add = [&](const cpu::KernelTable& table) {
      const std::string name = table.instructionSet, needs = name == "wide16" ? "avx2" : name;
      if (std::find(usable.begin(), usable.end(), needs) != usable.end()) found.push_back(&table);
    };
#define AURORA_ADD_TABLE(isa) add(cpu::isa::table);
    AURORA_FOR_KERNEL_SETS(AURORA_ADD_TABLE)
#undef AURORA_ADD_TABLE
    return found;
  }();
  return sets;
}

}  // namespace aurora::test
