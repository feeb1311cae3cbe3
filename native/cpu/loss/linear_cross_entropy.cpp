// The language model's head: logits = h · weightᵀ, their cross-entropy and its gradients, a chunk of rows at a time. Logits live
// in f32 in scratch, become gradients in place, and are gone with the chunk. Rows without a target take no part.
#include <algorithm>
#include <cstring>
#include <string>

#include "core/error.h"
#include "cpu/gemm/gemm.h"
#include "cpu/loss/softmax.h"

namespace aurora::cpu::AURORA_ISA {
namespace {

// Rows of a chunk: with fewer, the weights and their gradient pass through memory more often than the products take time for. The bytes
// of its logits bound the workspace.
constexpr int64_t kChunkRows = 512, kChunkBytes = int64_t{128} << 20;
constexpr int kLogits = 0, kRows = 1, kGathered = 2, kGatheredGradient = 3;  // scratch slots

/// Collects the rows that take part: those with a target, or all when the best token of each is asked for. Returns how many, or
/// −1 when a target is out of range.
int64_t takePart(Context& ctx, const LinearCrossEntropy& args, int64_t* rows) {
  const int64_t N = args.h.shape[0], V = args.weight.shape[0];
  const int32_t* targets = args.targets.as<int32_t>();
  int64_t count = 0;
  for (int64_t n = 0; n < N; ++n) {
    if (targets[n] >= V) {
      ctx.fail(code::kIndex, "targets below " + std::to_string(V) + ", the size of the vocabulary",
               std::to_string(targets[n]) + " in row " + std::to_string(n));
      return -1;
    }
    if (targets[n] >= 0 || args.best) rows[count++] = n;
  }
  return count;
}

template <class T>
void copyRows(Context& ctx, int64_t count, int64_t D, const T* from, const int64_t* fromRows, T* to, const int64_t* toRows) {
  forTasks(ctx, ceilDiv(count, 16), count * D, [&](int64_t task, int) {
    for (int64_t i = task * 16; i < count && i < (task + 1) * 16; ++i)
      std::memcpy(to + (toRows ? toRows[i] : i) * D, from + (fromRows ? fromRows[i] : i) * D, D * sizeof(T));
  });
}

template <class T>
void crossEntropy(Context& ctx, const LinearCrossEntropy& args) {
  const DType dtype = args.h.dtype;
  const int64_t N = args.h.shape[0], D = args.h.shape[1], V = args.weight.shape[0];
  const int32_t* targets = args.targets.as<int32_t>();
  const float* weights = args.weights.as<float>();
  float* losses = args.losses.as<float>();
  const bool differentiate = args.dh || args.dweight;

  int64_t* rows = ctx.scratch.get<int64_t>(kRows, N);
  const int64_t count = takePart(ctx, args, rows);
  if (count < 0) return;
  for (int64_t n = 0; n < N; ++n) losses[n] = 0;
  if (args.dh && count < N) std::memset(args.dh.data, 0, args.dh.bytes());

  const int64_t chunkRows = std::min(count, std::clamp<int64_t>(kChunkBytes / (V * 4), 8, kChunkRows));
  for (int64_t start = 0; start < count; start += chunkRows) {
    const int64_t size = count - start < chunkRows ? count - start : chunkRows;
    const int64_t* chunk = rows + start;
    const bool contiguous = chunk[size - 1] - chunk[0] == size - 1;
    T* h = args.h.as<T>() + chunk[0] * D;
    T* dh = args.dh.as<T>() + (args.dh ? chunk[0] * D : 0);
    if (!contiguous) {
      h = ctx.scratch.get<T>(kGathered, size * D);
      copyRows(ctx, size, D, args.h.as<const T>(), chunk, h, nullptr);
      if (args.dh) dh = ctx.scratch.get<T>(kGatheredGradient, size * D);
    }

    float* logits = ctx.scratch.get<float>(kLogits, size * V);
    gemm(ctx, size, V, D, {h, dtype, D}, {args.weight.data, dtype, D, true}, {logits, DType::f32, V});
    constexpr int64_t kWorkPerLogit = 16;
    forTasks(ctx, size, size * V * kWorkPerLogit, [&](int64_t i, int) {
      float* z = logits + i * V;
      const int64_t n = chunk[i], target = targets[n];
      const Peak top = peak(z, V, static_cast<bool>(args.best));
      if (args.best) args.best.as<int32_t>()[n] = static_cast<int32_t>(top.index);
      if (target < 0) {
        if (differentiate) std::memset(z, 0, V * sizeof(float));
        return;
      }
      const double atTarget = z[target];
      const double total = exponentiate(z, V, top.value);
      losses[n] = static_cast<float>(std::log(total) + top.value - atTarget);
      if (differentiate) gradient<T>(z, V, static_cast<float>(weights[n] / total), weights[n], target);
    });
    // The gradient of a row lies at the front of the row's f32 logits.
    const int64_t ld = V * static_cast<int64_t>(sizeof(float) / sizeof(T));
    if (args.dh) {
      gemm(ctx, size, D, V, {logits, dtype, ld}, {args.weight.data, dtype, D}, {dh, dtype, D});
      if (!contiguous) copyRows(ctx, size, D, static_cast<const T*>(dh), nullptr, args.dh.as<T>(), chunk);
    }
    if (args.dweight) gemm(ctx, V, D, size, {logits, dtype, ld, true}, {h, dtype, D}, {args.dweight.data, DType::f32, D, true});
  }
}

}  // namespace

void linearCrossEntropy(Context& ctx, const LinearCrossEntropy& args) {
  withFloat(args.h.dtype, [&](auto zero) { crossEntropy<decltype(zero)>(ctx, args); });
}

}  // namespace aurora::cpu::AURORA_ISA
