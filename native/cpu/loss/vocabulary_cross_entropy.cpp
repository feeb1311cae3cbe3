// The language model's head when each rank has a slice of the vocabulary: the slice's softmax, and from all slices' partials the loss and its gradients.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "core/error.h"
#include "cpu/gemm/gemm.h"
#include "cpu/loss/softmax.h"

namespace aurora::cpu::AURORA_ISA {
namespace {

constexpr int64_t kWorkPerLogit = 16;
enum Partial { kTop = 0, kSum = 1, kAtTarget = 2, kPartials = 3 };

/// A row over the whole vocabulary.
struct VocabularyRow {
  double top = -INFINITY, sum = 0, atTarget = 0;
};

VocabularyRow combine(const float* partials, int64_t slices, int64_t N, int64_t n) {
  const auto at = [&](int64_t slice, Partial which) { return static_cast<double>(partials[(slice * kPartials + which) * N + n]); };
  VocabularyRow row;
  for (int64_t slice = 0; slice < slices; ++slice) row.top = std::max(row.top, at(slice, kTop));
  for (int64_t slice = 0; slice < slices; ++slice) {
    row.sum += at(slice, kSum) * std::exp(at(slice, kTop) - row.top);
    row.atTarget += at(slice, kAtTarget);
  }
  return row;
}

}  // namespace

void vocabularyExponentials(Context& ctx, const VocabularyExponentials& args) {
  const DType dtype = args.h.dtype;
  const int64_t N = args.h.shape[0], D = args.h.shape[1], V = args.weight.shape[0];
  const int32_t* targets = args.targets.as<int32_t>();
  for (int64_t n = 0; n < N; ++n)
    if (targets[n] >= V)
      return ctx.fail(code::kIndex, "targets below " + std::to_string(V) + ", the size of the slice", std::to_string(targets[n]) + " in row " + std::to_string(n));
  float *z = args.exponentials.as<float>(), *partials = args.partials.as<float>();
  gemm(ctx, N, V, D, {args.h.data, dtype, D}, {args.weight.data, dtype, D, true}, {z, DType::f32, V});
  forTasks(ctx, N, N * V * kWorkPerLogit, [&](int64_t n, int) {
    float* row = z + n * V;
    const float top = peak(row, V, false).value;
    partials[kTop * N + n] = top;
    partials[kAtTarget * N + n] = targets[n] >= 0 ? row[targets[n]] : 0;
    partials[kSum * N + n] = static_cast<float>(exponentiate(row, V, top));
  });
}

void vocabularyCrossEntropy(Context& ctx, const VocabularyCrossEntropy& args) {
  const DType dtype = args.h.dtype;
  const int64_t N = args.h.shape[0], D = args.h.shape[1], V = args.weight.shape[0], slices = args.partials.shape[0];
  const int32_t* targets = args.targets.as<int32_t>();
  const float *partials = args.partials.as<float>(), *weights = args.weights.as<float>();
  float *exponentials = args.exponentials.as<float>(), *losses = args.losses.as<float>();
  const float* tops = partials + (args.slice * kPartials + kTop) * N;
  withFloat(dtype, [&](auto zero) {
    using T = decltype(zero);
    forTasks(ctx, N, N * V * kWorkPerLogit, [&](int64_t n, int) {
      const bool learned = targets[n] != -1;
      const VocabularyRow row = combine(partials, slices, N, n);
      losses[n] = learned ? static_cast<float>(std::log(row.sum) + row.top - row.atTarget) : 0;
      if (!weights) return;
      float* e = exponentials + n * V;
      if (!learned) {
        std::memset(e, 0, V * sizeof(float));
        return;
      }
      gradient<T>(e, V, static_cast<float>(weights[n] * std::exp(tops[n] - row.top) / row.sum), weights[n], targets[n]);
    });
  });
  // The gradient of a row lies at the front of the row's exponentials.
  const int64_t ld = V * static_cast<int64_t>(sizeof(float) / byteSize(dtype));
  if (args.dh) gemm(ctx, N, D, V, {exponentials, dtype, ld}, {args.weight.data, dtype, D}, {args.dh.data, dtype, D});
  if (args.dweight) gemm(ctx, V, D, N, {exponentials, dtype, ld, true}, {args.h.data, dtype, D}, {args.dweight.data, DType::f32, D, true});
}

}  // namespace aurora::cpu::AURORA_ISA
