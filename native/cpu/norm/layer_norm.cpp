// Layer normalisation over rows, with the residual sum before it, and its gradient.
#include <cmath>

#include "cpu/loops.h"
#include "cpu/past.h"

namespace aurora::cpu::AURORA_ISA {
namespace {

/// Stores that may go past the caches: then p is aligned, and only whole vectors are stored.
template <bool past, class T, class Count>
inline void storeResult(T* p, f32v v, Count count) {
  if constexpr (past)
    storePast(p, v);
  else
    store(p, v, count);
}
/// Whether storeResult<true> may write the rows of y.
template <class T>
bool rowsGoPast(const View& y, int64_t width) {
  return isBeyondCaches(y) && width % W == 0 && reinterpret_cast<uintptr_t>(y.data) % (W * sizeof(T)) == 0;
}

/// A parameter's values: itself, or a copy in `memory`, so that not every row converts them.
template <class T>
const float* widened(const View& parameter, int64_t width, float* memory) {
  if constexpr (std::is_same_v<T, float>) return parameter.as<float>();
  forVectors(0, width, [&](int64_t j, auto count) { store(memory + j, load(parameter.as<T>() + j, count), count); });
  return memory;
}

template <class T, bool past>
void normaliseRow(const LayerNorm& args, int64_t n, int64_t width, const float* gamma, const float* beta, float* h) {
  const T* x = args.x.as<T>() + n * width;
  T* y = args.y.as<T>() + n * width;
  // The row h stays in the cache as f32: sum may alias x, and the statistics are of the unrounded sum.
  float mean;
  if (args.residual) {
    const T* residual = args.residual.as<T>() + n * width;
    T* total = args.sum.as<T>() + n * width;
    mean = sumVectors(width, [&](int64_t j, auto count) {
      const f32v v = load(x + j, count) + load(residual + j, count);
      storeResult<past>(total + j, v, count);
      store(h + j, v, count);
      return v;
    });
  } else {
    mean = sumVectors(width, [&](int64_t j, auto count) {
      const f32v v = load(x + j, count);
      store(h + j, v, count);
      return v;
    });
  }
  mean /= static_cast<float>(width);
  const float variance = sumVectors(width, [&](int64_t j, auto count) {
    __builtin_prefetch(x + width + j);  // of the next row: this pass and the one after it leave memory idle
    const f32v d = load(h + j, count) - mean;
    return d * d;
  }) / static_cast<float>(width);
  const float rstd = 1 / std::sqrt(variance + static_cast<float>(args.epsilon));
  forVectors(0, width, [&](int64_t j, auto count) {
    storeResult<past>(y + j, (load(h + j, count) - mean) * rstd * load(gamma + j, count) + load(beta + j, count), count);
  });
  if (args.mean) args.mean.as<float>()[n] = mean;
  if (args.rstd) args.rstd.as<float>()[n] = rstd;
}

/// dx of row n; adds the row's share of dgamma and dbeta to two f32 rows unless they are null.
template <class T>
void normaliseRowBackward(const LayerNormBackward& args, int64_t n, int64_t width, float* dgamma, float* dbeta) {
  const T *dy = args.dy.as<T>() + n * width, *h = args.h.as<T>() + n * width, *gamma = args.gamma.as<T>();
  const float mean = args.mean.as<float>()[n], rstd = args.rstd.as<float>()[n];
  const auto normal = [&](int64_t j, auto count) { return (load(h + j, count) - mean) * rstd; };
  // Σ dy·gamma and Σ dy·gamma·normal; in a tail dy reads as 0 beyond the row.
  f32v a{}, b{};
  forVectors(0, width, [&](int64_t j, auto count) {
    const f32v g = load(dy + j, count), x = normal(j, count), scaled = g * load(gamma + j, count);
    a += scaled;
    b += scaled * x;
    if (dgamma) {
      store(dgamma + j, load(dgamma + j, count) + g * x, count);
      store(dbeta + j, load(dbeta + j, count) + g, count);
    }
  });
  if (!args.dx) return;
  const float meanA = sum(a) / static_cast<float>(width), meanB = sum(b) / static_cast<float>(width);
  T* dx = args.dx.as<T>() + n * width;
  const T* dsum = args.dsum ? args.dsum.as<T>() + n * width : nullptr;
  forVectors(0, width, [&](int64_t j, auto count) {
    f32v d = (load(dy + j, count) * load(gamma + j, count) - meanA - normal(j, count) * meanB) * rstd;
    if (dsum) d += load(dsum + j, count);
    store(dx + j, d, count);
  });
}

}  // namespace

void layerNorm(Context& context, const LayerNorm& args) {
  const int64_t rows = args.x.shape[0], width = args.x.shape[1];
  const int64_t grain = rowGrain(width), tasks = (rows + grain - 1) / grain;
  const int64_t stride = (width + 15) / 16 * 16;
  float* h = context.scratch.get<float>(0, (tasks > 1 ? context.pool.threads() : 1) * 3 * stride);
  withFloat(args.x.dtype, [&](auto type) {
    using T = decltype(type);
    const bool past = rowsGoPast<T>(args.y, width) && (!args.sum || rowsGoPast<T>(args.sum, width));
    const auto run = past ? &normaliseRow<T, true> : &normaliseRow<T, false>;
    const auto piece = [&](int64_t task, int thread) {
      float* const own = h + thread * 3 * stride;
      const float *gamma = widened<T>(args.gamma, width, own + stride), *beta = widened<T>(args.beta, width, own + 2 * stride);
      for (int64_t n = task * grain; n < std::min(rows, (task + 1) * grain); ++n) run(args, n, width, gamma, beta, own);
      if (past) finishStoresPast();
    };
    if (tasks == 1)
      piece(0, 0);
    else if (tasks > 1)
      context.pool.parallel(tasks, piece);
  });
}

void layerNormBackward(Context& context, const LayerNormBackward& args) {
  const int64_t rows = args.dy.shape[0], width = args.dy.shape[1];
  const bool parameters = args.dgamma || args.dbeta;
  // Each block of rows sums its share of dgamma and dbeta by itself; the shares are then added in order. At most kBlocks, to bound
  // the workspace; the cut depends on the shape alone.
  constexpr int64_t kBlocks = 32;
  const int64_t grain = std::max(rowGrain(width), (rows + kBlocks - 1) / kBlocks);
  const int64_t blocks = (rows + grain - 1) / grain;
  float* shares = parameters ? context.scratch.get<float>(0, blocks * 2 * width) : nullptr;
  withFloat(args.dy.dtype, [&](auto type) {
    using T = decltype(type);
    forRanges(context, rows, grain, [&](int64_t begin, int64_t end) {
      float* dgamma = parameters ? shares + begin / grain * 2 * width : nullptr;
      float* dbeta = parameters ? dgamma + width : nullptr;
      if (parameters) std::fill(dgamma, dgamma + 2 * width, 0.0f);
      for (int64_t n = begin; n < end; ++n) normaliseRowBackward<T>(args, n, width, dgamma, dbeta);
    });
  });
  if (!parameters || rows == 0) return;
  const auto addShares = [&](const View& gradient, const float* share) {
    if (!gradient) return;
    float* total = gradient.as<float>();
    forVectors(0, width, [&](int64_t j, auto count) {
      f32v added{};
      for (int64_t block = 0; block < blocks; ++block) added += load(share + block * 2 * width + j, count);
      store(total + j, load(total + j, count) + added, count);
    });
  };
  addShares(args.dgamma, shares);
  addShares(args.dbeta, shares + width);
}

}  // namespace aurora::cpu::AURORA_ISA
