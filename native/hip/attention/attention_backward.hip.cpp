// The backward pass of attention: statistics of the rows, then dQ by blocks that own queries, dK and dV by blocks that own keys.
#include "hip/attention/key_gradients.h"
#include "hip/attention/query_gradients.h"

namespace aurora::hip {
namespace {

using namespace flash;

template <class T, int W, bool dropping>
void backward(Context& context, const Problem<T>& problem, const Gradients<T>& gradients, const int* lowestFirst) {
  using Queries = QueryGradients<T, W>;
  using Keys = KeyGradients<T, W>;
  launch<queryGradientsKernel<T, W, dropping>>(context.queue, Queries::Block::grid(problem), kThreads, Queries::kSharedBytes, problem,
                                               gradients);
  KeyPartials partials{nullptr, Keys::splits(problem)};
  const int64_t sums = static_cast<int64_t>(problem.positions) * problem.keyHeads * 2 * problem.width;
  if (partials.splits > 1) partials.sums = context.scratch<float>(6, partials.splits * sums);
  launch<keyGradientsKernel<T, W, dropping>>(context.queue, Keys::blocks(problem) * problem.keyHeads * partials.splits, Keys::kBlockThreads,
                                             Keys::kSharedBytes, problem, gradients, lowestFirst, partials);
  if (partials.splits > 1) launch<sumSharesKernel<T>>(context.queue, blocksFor(sums, kThreads), kThreads, 0, problem, partials, gradients.dqkv);
}

}  // namespace

void attentionBackward(Context& context, const AttentionBackward& args) {
  if (args.qkv.size() == 0) return;
  withFloat(args.qkv.dtype, [&](auto type) {
    using T = decltype(type);
    const Problem<T> problem(alignedInput<T>(context, 0, args.qkv), args.firstRow, args.layout, args.scale, args.dropout, args.random, args.firstHead);
    const T *y = alignedInput<T>(context, 1, args.y), *dy = alignedInput<T>(context, 2, args.dy);
    const AlignedOutput<T> dqkv(context, 3, args.dqkv);
    const int64_t rows = problem.rows() * problem.keyHeads;
    RowStatistics* statistics = context.scratch<RowStatistics>(4, rows);
    int* lowestFirst = context.scratch<int>(5, (problem.positions + kStretch - 1) / kStretch);
    launch<rowStatisticsKernel<T>>(context.queue, blocksFor(rows, kThreads / 16), kThreads, 0, dy, y, args.logSumExp.as<float>(), statistics,
                                   problem.positions, problem.keyHeads * problem.sharing, problem.width);
    launch<lowestFirstKernel<T>>(context.queue, blocksFor(problem.positions, kThreads, INT32_MAX), kThreads, 0, problem, lowestFirst);
    withWidth(args.layout.width, [&](auto width) {
      constexpr int W = decltype(width)::value;
      const auto run = args.dropout > 0 ? &backward<T, W, true> : &backward<T, W, false>;
      run(context, problem, {dy, statistics, dqkv.memory}, lowestFirst);
    });
    dqkv.settle();
  });
}

}  // namespace aurora::hip
