// core/random.h's numbers, a vector at a time.
#pragma once

#include "core/random.h"
#include "cpu/simd.h"

namespace aurora::cpu::AURORA_ISA {

/// Elements in one step of randomPairs. Starts must be multiples of it.
constexpr int64_t kRandomStep = 2 * W;

/// Words 2i and 2i + 1 of a step, i = 0 … W − 1; zipLow and zipHigh of the two put them in element order.
struct WordPairs {
  u32v even, odd;
};

/// Words first … first + kRandomStep − 1 of the sequence. Each 64-bit lane computes one Philox block in its lower half; what the upper
/// halves hold in between never reaches the result.
inline WordPairs randomPairs(const RandomKey& random, int64_t first) {
  u64v lane;
  for (int i = 0; i < W / 2; ++i) lane[i] = i;
  const u64v block = lane + static_cast<uint64_t>(first / 4);
  u64v c0 = block, c1 = block >> 32, c2 = u64v{} + random.stream[0], c3 = u64v{} + random.stream[1];
  uint32_t key0 = random.key[0], key1 = random.key[1];
  for (int round = 0; round < 10; ++round) {
    const u64v a = multiplyLowHalves(c0, u64v{} + 0xD2511F53u);
    const u64v b = multiplyLowHalves(c2, u64v{} + 0xCD9E8D57u);
    c0 = (b >> 32) ^ c1 ^ uint64_t{key0};
    c1 = b;
    c2 = (a >> 32) ^ c3 ^ uint64_t{key1};
    c3 = a;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return {(u32v)((c0 & 0xffffffff) | (c2 << 32)), (u32v)((c1 & 0xffffffff) | (c3 << 32))};
}

/// core/random.h's uniform: in [0, 1), 24 bits.
inline f32v uniform(u32v words) { return __builtin_convertvector((i32v)(words >> 8), f32v) * 0x1p-24f; }

}  // namespace aurora::cpu::AURORA_ISA
