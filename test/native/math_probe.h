// cpu/math.h's functions as tables, one for each instruction set: math_probe.cpp is compiled like a kernel.
#pragma once

#include <cstdint>

namespace aurora::test {

struct MathProbe {
  void (*exp)(const float* x, float* y, int64_t n);
  void (*log)(const float* x, float* y, int64_t n);
  void (*tanh)(const float* x, float* y, int64_t n);
  void (*erf)(const float* x, float* y, int64_t n);
  void (*gelu)(const float* x, float* y, int64_t n);
  void (*geluDerivative)(const float* x, float* y, int64_t n);
  void (*geluTanh)(const float* x, float* y, int64_t n);
  void (*geluTanhDerivative)(const float* x, float* y, int64_t n);
};

}  // namespace aurora::test
