// Layer normalisation over rows, with the residual sum before it, and its gradient. A block takes whole rows, one after another; its threads hold
// the row in registers, in pieces of 16 bytes, so that memory is read and written once. Rows that are too wide for that, or not made of such
// pieces, pass through workspace or are read again.
#include <algorithm>

#include "hip/kernels.h"

namespace aurora::hip {
namespace {

/// Pieces of 16 bytes that a thread holds of a row.
constexpr int kForward = 4, kBackward = 2;
/// The parameters' gradients are summed over this many rows or more by one block each, in at most kMostShares blocks.
constexpr int64_t kShareRows = 8, kMostShares = 512;
constexpr int kFewThreads = 256;
constexpr int64_t kMostBlocks = 1 << 16, kSpillBlocks = 256;

/// Threads of a block that shares out a row of `pieces` pieces, at most `each` to a thread where that can be.
int threadsFor(int64_t pieces, int each) {
  const int64_t threads = (pieces + each - 1) / each;
  return static_cast<int>(std::min<int64_t>((threads + kWave - 1) / kWave * kWave, kMaxBlockThreads));
}

/// A thread's share of a row: pieces of `step` elements, `blockThreads()` pieces apart. body(slot, j): the piece from element j on, its values at
/// `slot`. When the row is not held in registers, pieces are single elements, and the slot is the element's number.
template <int held, int step, class Body>
AURORA_DEVICE inline void forPieces(int64_t width, Body&& body) {
  if constexpr (held > 0) {
    AURORA_UNROLL
    for (int k = 0; k < held; ++k) {
      const unsigned j = static_cast<unsigned>((k * blockThreads() + threadIndex()) * step);
      if (j < static_cast<unsigned>(width)) body(k * step, j);
    }
  } else {
    forBlock(width, [&](int64_t j) { body(j, j); });
  }
}

/// `held`: the pieces of a thread that registers hold, or 0.
template <class T, int held, int most>
AURORA_KERNEL(most)
void layerNormKernel(const T* x, const T* residual, const T* gamma, const T* beta, float epsilon, T* sum, T* y, float* mean, float* rstd,
                     int64_t rows, int64_t width, float* spill) {
  float* scratch = sharedMemory<float>();
  constexpr int step = held ? kWide<T> : 1;
  float registers[held ? held * step : 1];
  float* const h = held ? registers : spill + static_cast<int64_t>(blockX()) * width;
  const auto pieces = [&](auto&& body) { forPieces<held, step>(width, body); };
  for (int64_t n = blockX(); n < rows; n += gridX()) {
    const int64_t row = n * width;
    float total = 0;
    pieces([&](auto slot, auto j) {
      const auto given = loadRun<step>(x + row + j);
      AURORA_UNROLL
      for (int e = 0; e < step; ++e) h[slot + e] = toFloat(given.values[e]);
      if (residual) {
        const auto other = loadRun<step>(residual + row + j);
        Run<step, T> added;
        AURORA_UNROLL
        for (int e = 0; e < step; ++e) put(&added.values[e], h[slot + e] += toFloat(other.values[e]));
        storeRun(sum + row + j, added);
      }
      AURORA_UNROLL
      for (int e = 0; e < step; ++e) total += h[slot + e];
    });
    const float centre = blockSum(total, scratch) / static_cast<float>(width);
    float squares = 0;
    pieces([&](auto slot, auto) {
      AURORA_UNROLL
      for (int e = 0; e < step; ++e) squares += (h[slot + e] - centre) * (h[slot + e] - centre);
    });
    const float scale = 1 / sqrtf(blockSum(squares, scratch) / static_cast<float>(width) + epsilon);
    pieces([&](auto slot, auto j) {
      const auto g = loadRun<step>(gamma + j), b = loadRun<step>(beta + j);
      Run<step, T> result;
      AURORA_UNROLL
      for (int e = 0; e < step; ++e) put(&result.values[e], (h[slot + e] - centre) * scale * toFloat(g.values[e]) + toFloat(b.values[e]));
      storeRun(y + row + j, result);
    });
    if (threadIndex() == 0 && mean) mean[n] = centre;
    if (threadIndex() == 0 && rstd) rstd[n] = scale;
  }
}

struct Pair {
  float a, b;
};
struct PairSum {
  AURORA_DEVICE Pair operator()(Pair x, Pair y) const { return {x.a + y.a, x.b + y.b}; }
};

/// Rows blockX()·rowsEach … of dx; shares [gridX(), 2, width] receives what these rows add to dgamma and dbeta. Each is optional.
template <class T, int held, int most>
AURORA_KERNEL(most)
void layerNormBackwardKernel(const T* dy, const T* h, const T* gamma, const float* mean, const float* rstd, const T* dsum, T* dx, float* shares,
                             int64_t rows, int64_t rowsEach, int64_t width) {
  Pair* scratch = sharedMemory<Pair>();
  constexpr int step = held ? kWide<T> : 1;
  const auto pieces = [&](auto&& body) { forPieces<held, step>(width, body); };
  // The row's gradients and normal values, and the sums of the parameters', which are the share itself when registers do not hold the row.
  constexpr int each = held ? held * step : 1;
  float gradients[each], normals[each], dgamma[each], dbeta[each];
  float* const share = shares ? shares + static_cast<int64_t>(blockX()) * 2 * width : nullptr;
  if constexpr (held) {
    AURORA_UNROLL
    for (int i = 0; i < each; ++i) dgamma[i] = dbeta[i] = 0;
  } else if (share) {
    pieces([&](auto, auto j) { share[j] = share[width + j] = 0; });
  }
  const int64_t first = static_cast<int64_t>(blockX()) * rowsEach, last = first + rowsEach < rows ? first + rowsEach : rows;
  for (int64_t n = first; n < last; ++n) {
    const int64_t row = n * width;
    const float centre = mean[n], scale = rstd[n];
    // Σ dy·gamma and Σ dy·gamma·normal
    Pair totals{0, 0};
    const auto value = [&](const Run<step, T>& dys, const Run<step, T>& hs, const Run<step, T>& gammas, int e, float& gradient, float& normal) {
      gradient = toFloat(dys.values[e]) * toFloat(gammas.values[e]);
      normal = (toFloat(hs.values[e]) - centre) * scale;
    };
    pieces([&](auto slot, auto j) {
      const auto dys = loadRun<step>(dy + row + j), hs = loadRun<step>(h + row + j), gammas = loadRun<step>(gamma + j);
      AURORA_UNROLL
      for (int e = 0; e < step; ++e) {
        float gradient, normal;
        value(dys, hs, gammas, e, gradient, normal);
        totals.a += gradient;
        totals.b += gradient * normal;
        const float g = toFloat(dys.values[e]);
        if constexpr (held) {
          gradients[slot + e] = gradient;
          normals[slot + e] = normal;
          dgamma[slot + e] += g * normal;
          dbeta[slot + e] += g;
        } else if (share) {
          share[slot + e] += g * normal;
          share[width + slot + e] += g;
        }
      }
    });
    if (!dx) continue;
    totals = blockReduce(totals, PairSum{}, scratch);
    const float meanA = totals.a / static_cast<float>(width), meanB = totals.b / static_cast<float>(width);
    pieces([&](auto slot, auto j) {
      Run<step, T> result, other{};
      if (dsum) other = loadRun<step>(dsum + row + j);
      Run<step, T> dys, hs, gammas;
      if constexpr (!held) dys = loadRun<step>(dy + row + j), hs = loadRun<step>(h + row + j), gammas = loadRun<step>(gamma + j);
      AURORA_UNROLL
      for (int e = 0; e < step; ++e) {
        float gradient, normal;
        if constexpr (held)
          gradient = gradients[slot + e], normal = normals[slot + e];
        else
          value(dys, hs, gammas, e, gradient, normal);
        put(&result.values[e], (gradient - meanA - normal * meanB) * scale + toFloat(other.values[e]));
      }
      storeRun(dx + row + j, result);
    });
  }
  if constexpr (held)
    if (share)
      pieces([&](auto slot, auto j) {
        AURORA_UNROLL
        for (int e = 0; e < step; ++e) {
          share[j + e] = dgamma[slot + e];
          share[width + j + e] = dbeta[slot + e];
        }
      });
}

/// Threads of a block that adds shares: kLanes columns by kParts parts of the shares.
constexpr int kLanes = 64, kParts = 16;

/// dgamma, dbeta [width] += Σ shares, of parts first, then the parts, in order. Each is optional.
AURORA_KERNEL(kLanes* kParts) void addSharesKernel(const float* shares, int64_t count, int64_t width, float* dgamma, float* dbeta) {
  float* parts = sharedMemory<float>();
  const int lane = threadIndex() % kLanes, part = threadIndex() / kLanes;
  const int64_t column = static_cast<int64_t>(blockX()) * kLanes + lane, each = (count + kParts - 1) / kParts;
  const int64_t begin = part * each, end = begin + each < count ? begin + each : count;
  float total = 0;
  if (column < 2 * width) {
    AURORA_UNROLL_BY(8)
    for (int64_t i = begin; i < end; ++i) total += shares[i * 2 * width + column];
  }
  parts[threadIndex()] = total;
  blockSync();
  if (part > 0 || column >= 2 * width) return;
  for (int i = 1; i < kParts; ++i) total += parts[i * kLanes + lane];
  float* const target = column < width ? dgamma : dbeta;
  if (target) target[column < width ? column : column - width] += total;
}

/// Calls body with constants: how many pieces registers hold, and the most threads of the block (fewer may use more registers).
template <int held, class Body>
void withPieces(bool inRegisters, int threads, Body&& body) {
  if (!inRegisters)
    body(Constant<0>{}, Constant<kMaxBlockThreads>{});
  else if (threads <= kFewThreads)
    body(Constant<held>{}, Constant<kFewThreads>{});
  else
    body(Constant<held>{}, Constant<kMaxBlockThreads>{});
}

/// Whether a row is made of whole pieces, few enough for registers, at such addresses.
template <class T, class... Pointers>
bool fits(int64_t width, int held, Pointers... rows) {
  return width % kWide<T> == 0 && width / kWide<T> <= held * kMaxBlockThreads && aligned<16>(rows...);
}

}  // namespace

void layerNorm(Context& context, const LayerNorm& args) {
  const int64_t rows = args.x.shape[0], width = args.x.shape[1];
  withFloat(args.x.dtype, [&](auto type) {
    using T = decltype(type);
    const T *x = args.x.as<T>(), *residual = args.residual.as<T>(), *gamma = args.gamma.as<T>(), *beta = args.beta.as<T>();
    T *sum = args.sum.as<T>(), *y = args.y.as<T>();
    const bool inRegisters = fits<T>(width, kForward, x, residual, sum, y, gamma, beta);
    const int threads = threadsFor(inRegisters ? width / kWide<T> : width, kForward);
    const int64_t blocks = std::min(rows, inRegisters ? kMostBlocks : kSpillBlocks);
    float* const spill = inRegisters || rows == 0 ? nullptr : context.scratch<float>(0, blocks * width);
    withPieces<kForward>(inRegisters, threads, [&](auto held, auto most) {
      launch<layerNormKernel<T, held.value, most.value>>(context.queue, blocks, threads, threads / kWave * sizeof(float), x, residual, gamma, beta,
                                                         static_cast<float>(args.epsilon), sum, y, args.mean.as<float>(), args.rstd.as<float>(), rows,
                                                         width, spill);
    });
  });
}

void layerNormBackward(Context& context, const LayerNormBackward& args) {
  const int64_t rows = args.dy.shape[0], width = args.dy.shape[1];
  const bool parameters = args.dgamma || args.dbeta;
  if (rows == 0 || !(parameters || args.dx)) return;
  // Without parameters nothing ties rows together.
  const int64_t rowsEach = parameters ? std::max(kShareRows, (rows + kMostShares - 1) / kMostShares) : (rows + kMostBlocks - 1) / kMostBlocks;
  const int64_t blocks = (rows + rowsEach - 1) / rowsEach;
  float* const shares = parameters ? context.scratch<float>(0, blocks * 2 * width) : nullptr;
  withFloat(args.dy.dtype, [&](auto type) {
    using T = decltype(type);
    const T *dy = args.dy.as<T>(), *h = args.h.as<T>(), *gamma = args.gamma.as<T>(), *dsum = args.dsum.as<T>();
    T* dx = args.dx.as<T>();
    const bool inRegisters = fits<T>(width, kBackward, dy, h, gamma, dsum, dx);
    const int threads = threadsFor(inRegisters ? width / kWide<T> : width, kBackward);
    withPieces<kBackward>(inRegisters, threads, [&](auto held, auto most) {
      launch<layerNormBackwardKernel<T, held.value, most.value>>(context.queue, blocks, threads, threads / kWave * sizeof(Pair), dy, h, gamma,
                                                                 args.mean.as<float>(), args.rstd.as<float>(), dsum, dx, shares, rows, rowsEach,
                                                                 width);
    });
  });
  if (parameters)
    launch<addSharesKernel>(context.queue, (2 * width + kLanes - 1) / kLanes, kLanes * kParts, kLanes * kParts * sizeof(float), shares, blocks, width,
                            args.dgamma.as<float>(), args.dbeta.as<float>());
}

}  // namespace aurora::hip
