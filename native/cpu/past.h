// Stores past the caches, for results far larger than these are: memory that is overwritten whole is then not read first, and what the
// caches hold stays there.
#pragma once

#include "core/view.h"
#include "cpu/simd.h"

namespace aurora::cpu::AURORA_ISA {

/// Whether a result is so large that its beginning would leave the caches before its end is written.
inline bool isBeyondCaches(const View& y) { return y.bytes() >= size_t{32} << 20; }

/// p is aligned to the stored vector.
template <class T>
inline void storePast(T* p, f32v v) {
#if defined(__SSE2__) && defined(__GNUC__) && !defined(__clang__)
  T rounded[W];
  store(rounded, v);
  const auto put = [&](auto words, auto stream) {
    std::memcpy(&words, rounded, sizeof words);
    stream(reinterpret_cast<decltype(words)*>(p), words);
  };
  typedef long long Words16 __attribute__((vector_size(16)));
  if constexpr (sizeof rounded == 16) return put(Words16{}, [](Words16* to, Words16 words) { __builtin_ia32_movntdq(to, words); });
#if defined(__AVX__)
  typedef long long Words32 __attribute__((vector_size(32)));
  if constexpr (sizeof rounded == 32) return put(Words32{}, [](Words32* to, Words32 words) { __builtin_ia32_movntdq256(to, words); });
#endif
#if defined(__AVX512F__)
  typedef long long Words64 __attribute__((vector_size(64)));
  if constexpr (sizeof rounded == 64) return put(Words64{}, [](Words64* to, Words64 words) { __builtin_ia32_movntdq512(to, words); });
#endif
#endif
  store(p, v);
}

/// Between such stores and whoever reads them in another thread.
inline void finishStoresPast() {
#if defined(__SSE2__)
  __builtin_ia32_sfence();
#endif
}

}  // namespace aurora::cpu::AURORA_ISA
