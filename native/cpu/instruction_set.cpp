#include "cpu/instruction_set.h"

#include <cstdlib>

#include "core/error.h"

namespace aurora::cpu {

// One table for each set that CMakeLists.txt compiles.
#ifdef AURORA_HAVE_generic
namespace generic { extern const KernelTable table; }
#endif
#ifdef AURORA_HAVE_avx2
namespace avx2 { extern const KernelTable table; }
#endif
#ifdef AURORA_HAVE_avx512
namespace avx512 { extern const KernelTable table; }
#endif
#ifdef AURORA_HAVE_avx512bf16
namespace avx512bf16 { extern const KernelTable table; }
#endif

namespace {

// __builtin_cpu_supports asks CPUID, and XGETBV for what the operating system saves.
#if defined(__x86_64__)
bool hasAvx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c"); }
bool hasAvx512() {
  return hasAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq");
}
bool hasAvx512bf16() { return hasAvx512() && __builtin_cpu_supports("avx512bf16"); }
#endif

/// Best first.
std::vector<const KernelTable*> usable() {
  std::vector<const KernelTable*> tables;
#ifdef AURORA_HAVE_avx512bf16
  if (hasAvx512bf16()) tables.push_back(&avx512bf16::table);
#endif
#ifdef AURORA_HAVE_avx512
  if (hasAvx512()) tables.push_back(&avx512::table);
#endif
#ifdef AURORA_HAVE_avx2
  if (hasAvx2()) tables.push_back(&avx2::table);
#endif
#ifdef AURORA_HAVE_generic
  tables.push_back(&generic::table);
#endif
  return tables;
}

}  // namespace

std::vector<std::string> usableInstructionSets() {
  std::vector<std::string> names;
  for (const KernelTable* table : usable()) names.push_back(table->instructionSet);
  return names;
}

const KernelTable& chooseKernels() {
  const auto tables = usable();
  const char* wanted = std::getenv("AURORA_ISA");
  if (!wanted || !*wanted) return *tables.front();
  std::string choices;
  for (const KernelTable* table : tables) {
    if (std::string(table->instructionSet) == wanted) return *table;
    choices += (choices.empty() ? "" : ", ") + std::string(table->instructionSet);
  }
  throw Error(code::kInvalidArgument, "AURORA_ISA", "an instruction set of this machine: " + choices, std::string("'") + wanted + "'");
}

}  // namespace aurora::cpu
