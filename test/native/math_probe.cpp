#include "math_probe.h"

#include "cpu/loops.h"
#include "cpu/math.h"

namespace aurora::cpu::AURORA_ISA {

extern const test::MathProbe mathProbe;

#define AURORA_PROBE(function) \
  [](const float* x, float* y, int64_t n) { forVectors(0, n, [&](int64_t i, auto count) { store(y + i, function(load(x + i, count)), count); }); }
const test::MathProbe mathProbe = {
    AURORA_PROBE(exp),  AURORA_PROBE(log),            AURORA_PROBE(tanh),     AURORA_PROBE(erf),
    AURORA_PROBE(gelu), AURORA_PROBE(geluDerivative), AURORA_PROBE(geluTanh), AURORA_PROBE(geluTanhDerivative),
};
#undef AURORA_PROBE

}  // namespace aurora::cpu::AURORA_ISA
