#include "cpu/instruction_set.h"

#include <cstdlib>
#include <string_view>

#include "core/error.h"
#include "kernel_list.h"

namespace aurora::cpu {

#define AURORA_DECLARE_TABLE(isa) \
  namespace isa {                 \
  extern const KernelTable table; \
  }
AURORA_FOR_KERNEL_SETS(AURORA_DECLARE_TABLE)
#undef AURORA_DECLARE_TABLE

namespace {

/// __builtin_cpu_supports asks CPUID, and XGETBV for the registers that the operating system saves.
bool supported(std::string_view isa) {
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (isa == "avx2" || isa == "wide16") return avx2;
  if (isa == "avx512") return avx512;
  if (isa == "avx512bf16") return avx512 && __builtin_cpu_supports("avx512bf16");
#endif
  return isa == "generic";
}

}  // namespace

std::vector<const KernelTable*> usableKernels() {
  std::vector<const KernelTable*> tables;
#define AURORA_ADD_TABLE(isa) \
  if (supported(#isa)) tables.push_back(&isa::table);
  AURORA_FOR_KERNEL_SETS(AURORA_ADD_TABLE)
#undef AURORA_ADD_TABLE
  return tables;
}

const KernelTable& chooseKernels() {
  const auto tables = usableKernels();
  const char* wanted = std::getenv("AURORA_ISA");
  if (!wanted || !*wanted) return *tables.front();
  std::string choices;
  for (const KernelTable* table : tables) {
    if (std::string_view(table->instructionSet) == wanted) return *table;
    choices += (choices.empty() ? "" : ", ") + std::string(table->instructionSet);
  }
  throw Error(code::kInvalidArgument, "AURORA_ISA", "an instruction set of this machine: " + choices, std::string("'") + wanted + "'");
}

}  // namespace aurora::cpu
