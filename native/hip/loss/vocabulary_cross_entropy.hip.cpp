// The language model's head when each rank has a slice of the vocabulary: the slice's softmax, and from all slices' partials the loss and its gradients.
#include <string>

#include "hip/gemm/gemm.h"
#include "hip/kernels.h"

namespace aurora::hip {
namespace {

constexpr int kThreads = 512;
enum Partial { kTop = 0, kSum = 1, kAtTarget = 2, kPartials = 3 };

/// One block a row of logits, which become exponentials.
AURORA_KERNEL(kThreads) void exponentialsKernel(float* logits, int64_t V, Indices targets, float* partials, int64_t N) {
  const int64_t n = blockX();
  float* const z = logits + n * V;
  const int64_t target = targets[n];
  const float atTarget = target >= 0 ? z[target] : 0;
  float top = -INFINITY, sum = 0;
  for (int64_t v = threadIndex(); v < V; v += kThreads) top = Max{}(top, z[v]);
  float* const shared = sharedMemory<float>();
  top = blockReduce(top, Max{}, shared);
  for (int64_t v = threadIndex(); v < V; v += kThreads) {
    z[v] = expf(z[v] - top);
    sum += z[v];
  }
  sum = blockReduce(sum, Sum{}, shared);
  if (threadIndex() != 0) return;
  partials[kTop * N + n] = top;
  partials[kSum * N + n] = sum;
  partials[kAtTarget * N + n] = atTarget;
}

struct LossProblem {
  const float* partials;  // [slices, 3, N]
  int64_t slices, slice, N, V;
  const int32_t* targets;
  const float* weights;  // null: no gradients
  float* exponentials;
  float* losses;
};

/// One block a row of exponentials, the front of which a row of gradients takes.
template <class T>
AURORA_KERNEL(kThreads) void lossKernel(LossProblem problem) {
  const int64_t n = blockX(), V = problem.V;
  const auto partial = [&](int64_t slice, Partial which) { return problem.partials[(slice * kPartials + which) * problem.N + n]; };
  float top = -INFINITY, sum = 0, atTarget = 0;
  for (int64_t slice = 0; slice < problem.slices; ++slice) top = Max{}(top, partial(slice, kTop));
  for (int64_t slice = 0; slice < problem.slices; ++slice) {
    sum += partial(slice, kSum) * expf(partial(slice, kTop) - top);
    atTarget += partial(slice, kAtTarget);
  }
  const int32_t target = problem.targets[n];
  const bool learned = target != -1;
  if (threadIndex() == 0) problem.losses[n] = learned ? logf(sum) + (top - atTarget) : 0;
  if (!problem.weights) return;
  const float weight = learned ? problem.weights[n] : 0, scale = weight * expf(partial(problem.slice, kTop) - top) / sum;
  const float* const e = problem.exponentials + n * V;
  T* const gradient = reinterpret_cast<T*>(problem.exponentials + n * V);
  // A tile of gradients covers no exponentials but those of its own tile and of earlier ones, which all threads have read by the barrier.
  for (int64_t start = 0; start < V; start += kThreads) {
    const int64_t v = start + threadIndex();
    const float likely = v < V ? e[v] * scale : 0;
    blockSync();
    if (v < V) put(gradient + v, learned ? likely - (v == target ? weight : 0) : 0);
  }
}

}  // namespace

void vocabularyExponentials(Context& context, const VocabularyExponentials& args) {
  const DType type = args.h.dtype;
  const int64_t N = args.h.shape[0], D = args.h.shape[1], V = args.weight.shape[0];
  if (N == 0) return;
  const Indices targets = context.indices("targets below " + std::to_string(V) + ", the size of the slice", args.targets, V, true, "in row");
  float* const logits = args.exponentials.as<float>();
  gemm(context, {N, V, D, args.h.data, D, false, args.weight.data, D, true, logits, V, type, DType::f32});
  launch<exponentialsKernel>(context.queue, Grid(N), kThreads, kThreads / kWave * sizeof(float), logits, V, targets, args.partials.as<float>(), N);
}

void vocabularyCrossEntropy(Context& context, const VocabularyCrossEntropy& args) {
  const DType type = args.h.dtype;
  const int64_t N = args.h.shape[0], D = args.h.shape[1], V = args.weight.shape[0];
  if (N == 0) return;
  float* const exponentials = args.exponentials.as<float>();
  const LossProblem problem{args.partials.as<float>(), args.partials.shape[0], args.slice, N, V, args.targets.as<int32_t>(), args.weights.as<float>(), exponentials,
                            args.losses.as<float>()};
  withFloat(type, [&](auto zero) { launch<lossKernel<decltype(zero)>>(context.queue, Grid(N), kThreads, 0, problem); });
  const int64_t gradients = V * static_cast<int64_t>(sizeof(float) / byteSize(type));  // from row to row
  if (args.dh) gemm(context, {N, D, V, exponentials, gradients, false, args.weight.data, D, false, args.dh.data, D, type, type});
  if (args.dweight) gemm(context, {V, D, N, exponentials, gradients, true, args.h.data, D, false, args.dweight.data, D, type, DType::f32, 1, 1});
}

}  // namespace aurora::hip
