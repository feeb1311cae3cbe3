// multiplyAdd on the matrix units of AMD (MFMA) and NVIDIA (mma.sync). Only mma.h includes this file.
#pragma once

namespace aurora::hip {

#ifdef __HIP__

AURORA_DEVICE inline void multiplyAdd(Accumulator& c, const Operand<bf16>& a, const Operand<bf16>& b, Site) {
#ifdef __HIP_DEVICE_COMPILE__
  using Short4 = __attribute__((__vector_size__(4 * sizeof(short)))) short;
  using Float4 = __attribute__((__vector_size__(4 * sizeof(float)))) float;
  Short4 x, y;
  Float4 sum;
  memcpy(&x, a.values, sizeof x);
  memcpy(&y, b.values, sizeof y);
  memcpy(&sum, c.values, sizeof sum);
  sum = __builtin_amdgcn_mfma_f32_16x16x16bf16_1k(x, y, sum, 0, 0, 0);
  memcpy(c.values, &sum, sizeof sum);
#endif
}
AURORA_DEVICE inline void multiplyAdd(Accumulator& c, const Operand<float>& a, const Operand<float>& b, Site) {
#ifdef __HIP_DEVICE_COMPILE__
  using Float4 = __attribute__((__vector_size__(4 * sizeof(float)))) float;
  Float4 sum;
  memcpy(&sum, c.values, sizeof sum);
  // Each takes four k, one of every quarter of the wave. Together they take all 16, in another order than k's, the same for a and b.
  AURORA_UNROLL
  for (int i = 0; i < 4; ++i) sum = __builtin_amdgcn_mfma_f32_16x16x4f32(a.values[i], b.values[i], sum, 0, 0, 0);
  memcpy(c.values, &sum, sizeof sum);
#endif
}

#else

AURORA_DEVICE inline void multiplyAdd(Accumulator& c, const Operand<bf16>& a, const Operand<bf16>& b, Site) {
#ifdef __CUDA_ARCH__
  uint32_t x[4], y[4];
  memcpy(x, a.values, sizeof x);
  memcpy(y, b.values, sizeof y);
  AURORA_UNROLL
  for (int half = 0; half < 2; ++half) {  // columns 0 … 7, then 8 … 15
    float* sum = c.values + 4 * half;
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
                 : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[half]), "r"(y[2 + half]));
  }
#endif
}
AURORA_DEVICE inline void multiplyAdd(Accumulator& c, const Operand<float>& a, const Operand<float>& b, Site site) {
  multiplyAddSplit(c, a, b, site);
}

#endif

}  // namespace aurora::hip
