// Picking a token from each row of logits: greedy, or drawn after top-k and top-p cuts.
#include <bit>
#include <cmath>

#include "cpu/loops.h"
#include "cpu/math.h"

namespace aurora::cpu::AURORA_ISA {
namespace {

/// Workspace of one thread, V elements each.
struct Workspace {
  float *logits, *weights;
  uint64_t* order;
};

/// Logits as f32, with NaN (which no choice may hit) as −∞. Returns the largest, and by `best` the lowest index that has it.
template <class T>
float readLogits(const T* row, int64_t n, float* logits, int64_t* best) {
  const f32v lowest = splat(-__builtin_inff());
  f32v top = lowest;
  forVectors(0, n, [&](int64_t i, auto count) {
    f32v v = load(row + i, count);
    v = select((i32v)(v == v), v, lowest);
    store(logits + i, v, count);
    top = max(top, select(firstLanes(count), v, lowest));
  });
  const float largest = maximum(top);
  *best = std::find(logits, logits + n, largest) - logits;
  return largest;
}

/// Larger for larger logits, then for lower indices. `logit` is no NaN.
uint64_t orderKey(float logit, int64_t index) {
  const uint32_t bits = std::bit_cast<uint32_t>(logit + 0.0f);  // −0 becomes 0
  const uint32_t ordered = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  return uint64_t{ordered} << 32 | static_cast<uint32_t>(~index);
}
int64_t keyIndex(uint64_t key) { return static_cast<uint32_t>(~key); }

/// Order keys of the tokens that the cuts leave, the most likely one at end − 1.
struct Kept {
  const uint64_t *begin, *end;
  double mass;
};
/// Takes the most likely tokens off a heap: topK of them, then cut to topP of their mass; or without topK until they have topP of `total`.
Kept keepLikely(const Sample& args, const Workspace& space, int64_t n, double total) {
  int64_t candidates = 0;
  for (int64_t i = 0; i < n; ++i)
    if (space.weights[i] > 0) space.order[candidates++] = orderKey(space.logits[i], i);
  uint64_t *begin = space.order, *end = space.order + candidates, *heap = end;
  const int64_t limit = args.topK > 0 ? std::min(args.topK, candidates) : candidates;
  std::make_heap(begin, heap);
  double mass = 0;
  while (end - heap < limit && (args.topK > 0 || heap == end || mass < args.topP * total)) {
    std::pop_heap(begin, heap--);
    mass += space.weights[keyIndex(*heap)];
  }
  if (args.topK <= 0 || args.topP >= 1) return {heap, end, mass};
  const double wanted = args.topP * mass;
  mass = 0;
  const uint64_t* last = end;
  while (last > heap && (mass < wanted || last == end)) mass += space.weights[keyIndex(*--last)];
  return {last, end, mass};
}

template <class T>
void sampleRow(const Sample& args, int64_t b, const Workspace& space) {
  const int64_t n = args.logits.shape[1];
  int64_t picked;
  const float largest = readLogits(args.logits.as<T>() + b * n, n, space.logits, &picked);
  const auto exponentials = [&](float scale) {
    return sumVectors(n, [&](int64_t i, auto count) {
      const f32v w = exp((load(space.logits + i, count) - largest) * scale);
      store(space.weights + i, w, count);
      return w;
    });
  };
  // Without a finite maximum there is no distribution to draw from: the greedy choice stands.
  if (args.temperature > 0 && std::isfinite(largest)) {
    const double total = exponentials(static_cast<float>(std::min(1 / args.temperature, 1e30)));
    const uint64_t entry = args.draws ? args.draws.as<uint32_t>()[b] : static_cast<uint64_t>(b);
    const double u = uniform(randomBlock(args.random, entry / 4)[entry % 4]);
    if (args.topK > 0 || args.topP < 1) {
      const Kept kept = keepLikely(args, space, n, total);
      double left = u * kept.mass;
      for (const uint64_t* key = kept.end; key-- > kept.begin;) {
        picked = keyIndex(*key);
        left -= space.weights[picked];
        if (left < 0) break;
      }
    } else {
      double left = u * total;
      for (int64_t i = 0; i < n; ++i) {
        if (space.weights[i] <= 0) continue;
        picked = i;
        left -= space.weights[i];
        if (left < 0) break;
      }
    }
  }
  args.tokens.as<int32_t>()[b] = static_cast<int32_t>(picked);
  if (args.logProbabilities) args.logProbabilities.as<float>()[b] = space.logits[picked] - largest - std::log(exponentials(1));
}

}  // namespace

void sample(Context& context, const Sample& args) {
  const int64_t rows = args.logits.shape[0], n = args.logits.shape[1];
  const int64_t threads = rows > 1 ? context.pool.threads() : 1;
  float* floats = context.scratch.get<float>(0, threads * 2 * n);
  uint64_t* order = context.scratch.get<uint64_t>(1, threads * n);
  withFloat(args.logits.dtype, [&](auto type) {
    const auto row = [&](int64_t b, int thread) {
      sampleRow<decltype(type)>(args, b, {floats + thread * 2 * n, floats + (thread * 2 + 1) * n, order + thread * n});
    };
    if (rows == 1)
      row(0, 0);
    else if (rows > 1)
      context.pool.parallel(rows, row);
  });
}

}  // namespace aurora::cpu::AURORA_ISA
