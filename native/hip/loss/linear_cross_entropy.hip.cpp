// The language model's head: logits = h · weightᵀ of a chunk of rows, in f32 in scratch, then one pass to their cross-entropy and one in which they
// become its gradients in place, which two more products take to h and weight.
#include "hip/loss/linear_cross_entropy.h"

#include <algorithm>
#include <string>

#include "hip/gemm/gemm.h"

namespace aurora::hip {
namespace {

constexpr int kThreads = 512;
constexpr int kRun = 4;
constexpr int kTileColumns = kThreads * kRun;
constexpr int kLogits = 0;  // scratch slot
// The weight and its gradient pass through memory once a chunk: with 2048 rows that is a tenth of the products' time.
constexpr int64_t kChunkBytes = int64_t{512} << 20, kRowStep = 128;

/// Σ e^(z − top) over some z, and their largest.
struct Exponentials {
  float top, sum;
};
struct Merge {
  AURORA_DEVICE Exponentials operator()(Exponentials a, Exponentials b) const {
    const float top = Max{}(a.top, b.top);
    // Of nothing, too, where both are −∞.
    const auto scaled = [top](Exponentials x) { return x.top == top ? x.sum : x.sum * expf(x.top - top); };
    return {top, scaled(a) + scaled(b)};
  }
};

struct Peak {
  float value;
  int32_t index;
};
struct Higher {
  AURORA_DEVICE Peak operator()(Peak a, Peak b) const { return b.value > a.value || (b.value == a.value && b.index < a.index) ? b : a; }
};

struct LossProblem {
  float* logits;     // [rows, stride] f32; a row of gradients takes the place of its front
  int64_t stride, V;
  int64_t first;     // row of the problem that is the chunk's first
  Indices targets;
  const float* weights;
  float* losses;
  int32_t* best;
};

/// One block a row.
template <class T, bool differentiate>
AURORA_KERNEL(kThreads) void crossEntropyKernel(LossProblem problem) {
  const int64_t n = problem.first + blockX(), V = problem.V;
  float* const z = problem.logits + blockX() * problem.stride;
  const int64_t target = problem.targets[n];
  const auto load = [&](int64_t column) {
    if (column + kRun <= V) return loadRun<kRun>(z + column);
    Run<kRun, float> run;
    AURORA_UNROLL
    for (int j = 0; j < kRun; ++j) run.values[j] = column + j < V ? z[column + j] : -INFINITY;
    return run;
  };

  Exponentials mine{-INFINITY, 0};
  Peak peak{-INFINITY, INT32_MAX};
  for (int64_t column = threadIndex() * kRun; column < V; column += kTileColumns) {
    const auto run = load(column);
    float top = mine.top;
    AURORA_UNROLL
    for (int j = 0; j < kRun; ++j) top = Max{}(top, run.values[j]);
    if (top == -INFINITY) continue;
    float sum = mine.sum * expf(mine.top - top);
    AURORA_UNROLL
    for (int j = 0; j < kRun; ++j) sum += expf(run.values[j] - top);
    mine = {top, sum};
    if (!problem.best) continue;
    AURORA_UNROLL
    for (int j = 0; j < kRun; ++j) peak = Higher{}(peak, {run.values[j], static_cast<int32_t>(column) + j});
  }
  const float atTarget = target >= 0 ? z[target] : 0;
  std::byte* const shared = sharedMemory<std::byte>();
  const Exponentials all = blockReduce(mine, Merge{}, reinterpret_cast<Exponentials*>(shared));
  if (problem.best) {
    peak = blockReduce(peak, Higher{}, reinterpret_cast<Peak*>(shared));
    if (threadIndex() == 0) problem.best[n] = peak.index < V ? peak.index : 0;
  }
  if (threadIndex() == 0) problem.losses[n] = target >= 0 ? logf(all.sum) + (all.top - atTarget) : 0;

  if constexpr (differentiate) {
    const float weight = target >= 0 ? problem.weights[n] : 0, scale = weight / all.sum;
    T* const gradient = reinterpret_cast<T*>(z);
    // A tile of gradients covers no logits but those of its own tile and of earlier ones, which all threads have read by the barrier.
    for (int64_t start = 0; start < V; start += kTileColumns) {
      const int64_t column = start + threadIndex() * kRun;
      Run<kRun, float> run{};
      if (column < V) run = load(column);
      blockSync();
      if (column >= V) continue;
      Run<kRun, T> out;
      AURORA_UNROLL
      for (int j = 0; j < kRun; ++j) {
        const float likely = expf(run.values[j] - all.top) * scale;
        out.values[j] = fromFloat<T>(target < 0 ? 0 : column + j == target ? likely - weight : likely);
      }
      storeRun(gradient + column, out);  // rows are padded to whole runs
    }
  }
}

template <class T>
void byChunks(Context& context, const LinearCrossEntropy& args, int64_t chunkRows) {
  const DType type = args.h.dtype;
  const int64_t N = args.h.shape[0], D = args.h.shape[1], V = args.weight.shape[0];
  const bool differentiate = args.dh || args.dweight;
  const Indices targets = context.indices("targets below " + std::to_string(V) + ", the size of the vocabulary", args.targets, V, true, "in row");
  const int64_t stride = (V + kRun - 1) / kRun * kRun;
  float* const logits = context.scratch<float>(kLogits, std::min(chunkRows, N) * stride);
  LossProblem problem{logits, stride, V, 0, targets, args.weights.as<float>(), args.losses.as<float>(), args.best.as<int32_t>()};
  for (; problem.first < N; problem.first += chunkRows) {
    const int64_t rows = std::min(chunkRows, N - problem.first);
    const T* const h = args.h.as<T>() + problem.first * D;
    gemm(context, {rows, V, D, h, D, false, args.weight.data, D, true, problem.logits, stride, type, DType::f32});
    constexpr size_t shared = kMaxBlockThreads / kWave * sizeof(Exponentials);
    if (!differentiate) {
      launch<crossEntropyKernel<T, false>>(context.queue, Grid(rows), kThreads, shared, problem);
      continue;
    }
    launch<crossEntropyKernel<T, true>>(context.queue, Grid(rows), kThreads, shared, problem);
    const int64_t gradients = stride * static_cast<int64_t>(sizeof(float) / sizeof(T));  // from row to row
    if (args.dh)
      gemm(context, {rows, D, V, problem.logits, gradients, false, args.weight.data, D, false, args.dh.as<T>() + problem.first * D, D, type, type});
    if (args.dweight)
      gemm(context, {V, D, rows, problem.logits, gradients, true, h, D, false, args.dweight.data, D, type, DType::f32, 1, 1});
  }
}

}  // namespace

void linearCrossEntropyByChunks(Context& context, const LinearCrossEntropy& args, int64_t chunkRows) {
  if (args.h.shape[0] == 0) return;
  withFloat(args.h.dtype, [&](auto type) { byChunks<decltype(type)>(context, args, chunkRows); });
}

void linearCrossEntropy(Context& context, const LinearCrossEntropy& args) {
  const int64_t rows = std::max<int64_t>(kChunkBytes / (args.weight.shape[0] * static_cast<int64_t>(sizeof(float))), 1);
  linearCrossEntropyByChunks(context, args, rows > kRowStep ? rows / kRowStep * kRowStep : rows);
}

}  // namespace aurora::hip
