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

/// Memory for `count` words from any place in a sequence on: the whole steps that they lie in.
template <int count>
using Words = uint32_t[count + 2 * kRandomStep];
/// Words first … first + count − 1 of the sequence, in order; they lie in `memory`, a Words of `count` at least.
inline const uint32_t* randomWords(const RandomKey& random, int64_t first, int64_t count, uint32_t* memory) {
  const int64_t offset = first % kRandomStep;
  for (int64_t j = 0; j < offset + count; j += kRandomStep) {
    const WordPairs pairs = randomPairs(random, first - offset + j);
    const f32v low = zipLow((f32v)pairs.even, (f32v)pairs.odd), high = zipHigh((f32v)pairs.even, (f32v)pairs.odd);
    std::memcpy(memory + j, &low, sizeof low);
    std::memcpy(memory + j + W, &high, sizeof high);
  }
  return memory + offset;
}

/// core/random.h's uniform: in [0, 1), 24 bits.
inline f32v uniform(u32v words) { return __builtin_convertvector((i32v)(words >> 8), f32v) * 0x1p-24f; }

}  // namespace aurora::cpu::AURORA_ISA
