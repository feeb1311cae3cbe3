// Collects this instruction set's kernels; compiled once for each (see cpu/kernels.h).
#include "cpu/kernels.h"

#define AURORA_TEXT2(x) #x
#define AURORA_TEXT(x) AURORA_TEXT2(x)

namespace aurora::cpu::AURORA_ISA {

extern const KernelTable table;
const KernelTable table = {
    AURORA_TEXT(AURORA_ISA),
#define AURORA_OPERATION(method, Args) &method,
#include "core/operations.inc"
#undef AURORA_OPERATION
    &write,
    &read,
};

}  // namespace aurora::cpu::AURORA_ISA
