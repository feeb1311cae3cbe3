// Packing: copies a block of an operand into panels in the order in which the microkernel reads them. A panel has R lanes
// (rows of A or columns of B): element k of lane i at panel[k·R + i]. bf16 becomes f32 here, or pairs along k where the machine
// multiplies those.
#pragma once

#include "cpu/gemm/gemm.h"
#include "cpu/gemm/microkernel.h"

namespace aurora::cpu::AURORA_ISA {

template <int R>
constexpr int kGroups = (R + W - 1) / W;  // vectors that hold the lanes of a panel

/// Elements from one panel to the next. Where R is no multiple of W the last store of a panel reaches over its end. An odd number of cache
/// lines: panels that are filled side by side would meet in the same few sets of the cache otherwise.
template <int R>
constexpr int64_t panelStride(int64_t steps) {
  return ((steps * R + (R % W ? W : 0) + 15) / 16 | 1) * 16;
}

/// The 32-bit words at p, whole or from `available` elements, zero beyond: W f32 or W pairs of bf16.
template <bool whole, class T>
inline f32v loadWords(const T* p, int64_t available) {
  f32v v{};
  if constexpr (whole)
    std::memcpy(&v, p, sizeof v);
  else
    std::memcpy(&v, p, available * sizeof(T));
  return v;
}

/// A source whose neighbours in memory are neighbours along k: blocks of W × W words are transposed in registers. A word of two bf16
/// either stays a pair or then becomes two f32.
template <int R, class Packed, class T>
void packAlong(const T* source, int64_t ld, int64_t lanes, int64_t depth, Packed* panels) {
  constexpr int kPerWord = 4 / sizeof(T), kFromWord = kPerWord / kDepth<Packed>;
  const int64_t steps = ceilDiv(depth, kDepth<Packed>);
  for (int64_t lane = 0; lane < lanes; lane += R, panels += panelStride<R>(steps), source += R * ld) {
    const int64_t last = (lanes - lane < R ? lanes - lane : R) - 1;  // lanes beyond repeat it; their results are dropped
    const T* rows[R];
    for (int64_t i = 0; i < R; ++i) rows[i] = source + (i < last ? i : last) * ld;
    float* to = reinterpret_cast<float*>(panels);
    const auto packWords = [&](auto whole, int64_t k) __attribute__((always_inline)) {
      f32v block[kGroups<R>][W];
      unroll<kGroups<R>>([&](auto g) __attribute__((always_inline)) {
        unroll<W>([&](auto i) __attribute__((always_inline)) {
          if constexpr (g * W + i < R)
            block[g][i] = loadWords<whole>(rows[g * W + i] + k, depth - k);
          else
            block[g][i] = f32v{};
        });
        transpose(block[g]);
      });
      const auto storeStep = [&](auto j) __attribute__((always_inline)) {
        for (int g = 0; g < kGroups<R>; ++g) {
          f32v word = block[g][j / kFromWord];
          if constexpr (kFromWord == 2) word = fromBits(j % 2 ? bits(word) & INT32_C(-0x10000) : bits(word) << 16);
          store(to + j * R + g * W, word);
        }
      };
      if constexpr (whole)
        unroll<W * kFromWord>(storeStep);
      else
        for (int64_t j = 0, left = ceilDiv(depth - k, kDepth<Packed>); j < left; ++j) storeStep(j);
      to += W * kFromWord * R;
    };
    int64_t k = 0;
    for (; k + W * kPerWord <= depth; k += W * kPerWord) packWords(std::true_type{}, k);
    if (k < depth) packWords(std::false_type{}, k);
  }
}

/// W lanes that lie side by side in memory (or `available` of them, zero beyond), of one k or (pairs) of k and k + 1, whose row is
/// null at an odd end.
template <bool whole, class Packed, class T>
inline f32v loadAcross(const T* row, const T* next, int64_t lane, int64_t available) {
  if constexpr (kDepth<Packed> == 1) {
    return whole ? load(row + lane) : loadPart(row + lane, static_cast<int>(available));
  } else {
    const auto widen = [&](const T* p) __attribute__((always_inline)) {
      u16v v{};
      if constexpr (whole)
        std::memcpy(&v, p, sizeof v);
      else
        std::memcpy(&v, p, available * sizeof(T));
      return __builtin_convertvector(v, u32v);
    };
    const u32v lower = widen(row + lane);
    return (f32v)(next ? lower | widen(next + lane) << 16 : lower);
  }
}

/// A source whose neighbours in memory are neighbouring lanes: rows are copied into all panels, a few at a time, so that a panel's lines of
/// memory are filled at once; the next ones come nearer meanwhile, because rows far apart escape the machine's own foresight.
template <int R, class Packed, class T>
void packAcross(const T* source, int64_t ld, int64_t lanes, int64_t readable, int64_t depth, Packed* panels) {
  const int64_t steps = ceilDiv(depth, kDepth<Packed>), stride = panelStride<R>(steps);
  constexpr int64_t kSteps = 4;
  for (int64_t begin = 0; begin < steps; begin += kSteps) {
    const int64_t end = begin + kSteps < steps ? begin + kSteps : steps;
    Packed* panel = panels;
    for (int64_t lane = 0; lane < lanes; lane += R, panel += stride) {
      const bool whole = lane + kGroups<R> * W <= readable;
      for (int64_t step = begin; step < end; ++step) {
        const int64_t k = step * kDepth<Packed>;
        const T* row = source + k * ld;
        const T* next = k + 1 < depth ? row + ld : nullptr;
        float* to = reinterpret_cast<float*>(panel + step * R);
        for (int i = 0; i < kDepth<Packed>; ++i) __builtin_prefetch(row + (kSteps * kDepth<Packed> + i) * ld + lane);
        if (whole)
          unroll<kGroups<R>>([&](auto g) __attribute__((always_inline)) {
            store(to + g * W, loadAcross<true, Packed>(row, next, lane + g * W, W));
          });
        else
          for (int g = 0; g < kGroups<R>; ++g) {
            const int64_t first = lane + g * W, available = readable - first;
            store(to + g * W, available <= 0 ? f32v{} : available < W ? loadAcross<false, Packed>(row, next, first, available)
                                                                      : loadAcross<true, Packed>(row, next, first, W));
          }
      }
    }
  }
}

/// Packs `lanes` lanes × `depth` of k; the source has `readable` ≥ lanes lanes. `across`: lanes lie side by side in memory and k
/// is ld apart; else the other way round.
template <int R, class Packed, class T>
void pack(const void* source, int64_t ld, bool across, int64_t lanes, int64_t readable, int64_t depth, Packed* panels) {
  if (across)
    packAcross<R>(static_cast<const T*>(source), ld, lanes, readable, depth, panels);
  else
    packAlong<R>(static_cast<const T*>(source), ld, lanes, depth, panels);
}

}  // namespace aurora::cpu::AURORA_ISA
