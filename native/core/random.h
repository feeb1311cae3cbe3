// Counter-based random numbers (Philox 4x32-10; Salmon et al., SC'11). A number is a function of key and counter alone,
// so a result does not depend on the order of access, on threads, ranks or devices. src/random/philox.ts is the same
// function in TypeScript; a test holds the two equal bit for bit. All is constexpr, which the GPU's compilers take as callable by kernels.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "core/dtype.h"

namespace aurora {

/// Names one random sequence. Element i of it is word (i % 4) of philox(key, {lo(i / 4), hi(i / 4), stream[0], stream[1]}).
struct RandomKey {
  std::array<uint32_t, 2> key{};     // from the run's seed
  std::array<uint32_t, 2> stream{};  // purpose and step
};

constexpr std::array<uint32_t, 4> philox(std::array<uint32_t, 2> key, std::array<uint32_t, 4> counter) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53u} * counter[0];
    const uint64_t b = uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

/// The four words that hold elements 4·block … 4·block + 3.
constexpr std::array<uint32_t, 4> randomBlock(const RandomKey& random, uint64_t block) {
  return philox(random.key, {static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), random.stream[0], random.stream[1]});
}

/// Uniform in [0, 1) with 24 bits: exactly representable, so that every backend compares alike.
constexpr float uniform(uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

/// x rounded to one of the two bf16 around it, up with the probability (of multiples of 2⁻¹⁶, exactly) that makes the mean x. The word's upper half
/// decides. NaN stays NaN.
constexpr bf16 roundStochastic(float x, uint32_t word) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  if ((bits & 0x7f800000) == 0x7f800000) return {static_cast<uint16_t>(bits >> 16 | (bits & 0x007fffff ? 0x40 : 0))};
  return {static_cast<uint16_t>((bits + (word >> 16)) >> 16)};
}

}  // namespace aurora
