// Picking a token from each row of logits, a row by one block: greedy, or drawn after top-k and top-p cuts.
//
// Nothing is sorted. The cuts and the draw all ask one question: which is the first token, from the most likely on, with which a sum (of tokens, or
// of weights) reaches a bound? Halving the range of logits that it could have answers it; each step takes one sum over the tokens inside the
// range. These are read from workspace while they are many, and from shared memory once they fit there.
#include <algorithm>
#include <cmath>

#include "hip/kernels.h"

namespace aurora::hip {
namespace {

constexpr int kMostThreads = 1024, kEach = 8;  // of a block; logits of a thread, at least
constexpr int kLocal = 4096;                   // candidates that shared memory holds
constexpr int64_t kMostBlocks = 1024, kMostWorkspace = int64_t{1} << 28;

struct Settings {
  float scale;  // 1 / temperature, or 0 for the greedy choice
  int64_t topK;
  double topP;
  RandomKey random;

  AURORA_DEVICE bool cuts() const { return topK > 0 || topP < 1; }
};

/// Larger for larger logits, equal for 0 and −0; and back. No NaN.
AURORA_DEVICE inline uint32_t orderOf(float logit) {
  const uint32_t bits = asBits(logit + 0.0f);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
AURORA_DEVICE inline float logitOf(uint32_t order) {
  return asFloat(order & 0x80000000u ? order & 0x7fffffffu : ~order);
}

/// NaN, which no choice may hit, counts as −∞.
AURORA_DEVICE inline float known(float logit) { return logit != logit ? -__builtin_inff() : logit; }

/// exp, but 0 where results come near subnormal numbers, as on the CPU.
AURORA_DEVICE inline float weightOf(float logit, float largest, float scale) {
  const float x = (logit - largest) * scale;
  return x < -86.98f ? 0.0f : expf(x);
}

/// A token that may be drawn.
struct Candidate {
  uint32_t order;  // of its logit
  float weight;
};

/// How much weight, and how many tokens.
struct Amount {
  double weight;
  int64_t tokens;
};
AURORA_DEVICE inline Amount operator+(Amount a, Amount b) { return {a.weight + b.weight, a.tokens + b.tokens}; }

AURORA_DEVICE inline Amount blockAmount(Amount x, double* scratch) {
  const double weight = blockSum(x.weight, scratch);
  return {weight, blockSum(x.tokens, reinterpret_cast<int64_t*>(scratch))};
}

/// The most likely tokens: all whose order is above `order`, and the first `ties` (by index) of those that have it.
struct Prefix {
  uint32_t order;
  int64_t ties;
  Amount above;  // those above
  float weight;  // of each tie

  AURORA_DEVICE Amount all() const { return above + Amount{static_cast<double>(ties) * weight, ties}; }
};

/// x of the lanes before, and of this one.
template <class T>
AURORA_DEVICE inline T sumUpTo(T x) {
  for (int delta = 1; delta < kWave; delta *= 2) {
    const T other = shuffle(x, laneIndex() < delta ? 0 : laneIndex() - delta);
    if (laneIndex() >= delta) x += other;
  }
  return x;
}
/// What the waves before this one have, each having x (the same in its lanes), and what all have.
template <class T>
struct WaveSums {
  T before, all;
};
template <class T>
AURORA_DEVICE inline WaveSums<T> sumWaves(T x, T* scratch) {
  if (laneIndex() == 0) scratch[waveIndex()] = x;
  blockSync();
  WaveSums<T> sums{0, 0};
  for (int wave = 0; wave < blockWaves(); ++wave) {
    if (wave < waveIndex()) sums.before += scratch[wave];
    sums.all += scratch[wave];
  }
  blockSync();
  return sums;
}

/// A row's candidates: in the block's part of the workspace, where each thread has its own, `blockThreads()` apart; some of them in shared memory.
class Candidates {
 public:
  AURORA_DEVICE Candidates(Candidate* all, Candidate* local, double* scratch) : all_(all), local_(local), scratch_(scratch) {}

  AURORA_DEVICE void add(Candidate c) { all_[mine_++ * blockThreads() + threadIndex()] = c; }

  AURORA_DEVICE Amount total() const {
    Amount amount{0, 0};
    forMine([&](Candidate c) { amount = amount + Amount{c.weight, 1}; });
    return blockAmount(amount, scratch_);
  }

  /// The shortest prefix that reaches(amount), of those that end at an order in [low, high). `atLow`: the candidates of order low and more that
  /// count, which reach it; `atHigh`: those of order high and more, which do not.
  template <class Reaches>
  AURORA_DEVICE Prefix shortest(uint64_t low, Amount atLow, uint64_t high, Amount atHigh, const Reaches& reaches) {
    bool gathered = false;
    const auto inside = [&](auto&& body) {
      const auto check = [&](Candidate c) {
        if (c.order > low && c.order < high) body(c);
      };
      if (gathered)
        for (int i = threadIndex(); i < size_; i += blockThreads()) check(local_[i]);
      else
        forMine(check);
    };
    while (high - low > 1 && atLow.tokens - atHigh.tokens > 1) {
      if (!gathered && atLow.tokens - atHigh.tokens <= kLocal) {
        gather(inside);
        gathered = true;
      }
      const uint64_t middle = low + (high - low) / 2;
      Amount amount{0, 0};
      inside([&](Candidate c) {
        if (c.order >= middle) amount = amount + Amount{c.weight, 1};
      });
      amount = atHigh + blockAmount(amount, scratch_);
      if (reaches(amount))
        low = middle, atLow = amount;
      else
        high = middle, atHigh = amount;
    }
    // At most one is left above `low`; equal ones at it.
    uint32_t order = static_cast<uint32_t>(low);
    inside([&](Candidate c) { order = c.order; });
    order = blockReduce(order, Max{}, reinterpret_cast<uint32_t*>(scratch_));
    // Ties weigh alike: how many are needed is found by halving, too.
    Prefix prefix{order, 1, atHigh, weight(order)};
    int64_t most = atLow.tokens - atHigh.tokens;
    while (prefix.ties < most) {
      const int64_t middle = (prefix.ties + most) / 2;
      if (reaches(atHigh + Amount{static_cast<double>(middle) * prefix.weight, middle}))
        most = middle;
      else
        prefix.ties = middle + 1;
    }
    return prefix;
  }

  /// What gave the candidates their weights.
  float largest = 0, scale = 0;

 private:
  AURORA_DEVICE float weight(uint32_t order) const { return weightOf(logitOf(order), largest, scale); }

  template <class Body>
  AURORA_DEVICE void forMine(Body&& body) const {
    for (int64_t k = 0; k < mine_; ++k) body(all_[k * blockThreads() + threadIndex()]);
  }

  /// Into shared memory, in order of threads.
  template <class Inside>
  AURORA_DEVICE void gather(const Inside& inside) {
    int kept = 0;
    inside([&](Candidate) { ++kept; });
    const int upTo = sumUpTo(kept);
    const WaveSums<int> sums = sumWaves(shuffle(upTo, kWave - 1), reinterpret_cast<int*>(scratch_));
    int place = sums.before + upTo - kept;
    size_ = sums.all;
    inside([&](Candidate c) { local_[place++] = c; });
    blockSync();
  }

  Candidate *all_, *local_;
  double* scratch_;
  int64_t mine_ = 0;
  int size_ = 0;
};

template <class T>
class Row {
 public:
  /// scratch: blockWaves() doubles.
  AURORA_DEVICE Row(const T* logits, int64_t n, double* scratch) : logits_(logits), n_(n), scratch_(scratch) {
    // Each wave's share are neighbours, so that waves in order are tokens in order.
    const int64_t each = (n + blockWaves() - 1) / blockWaves(), begin = waveIndex() * each;
    begin_ = begin < n ? begin : n;
    end_ = begin + each < n ? begin + each : n;
  }

  AURORA_DEVICE float operator[](int64_t i) const { return known(get(logits_ + i)); }

  /// The largest logit's order, and the lowest index that has it.
  AURORA_DEVICE uint64_t best() const {
    uint64_t best = 0;
    forAll([&](int64_t i, float x) {
      const uint64_t key = uint64_t{orderOf(x)} << 32 | static_cast<uint32_t>(~i);
      best = key > best ? key : best;
    });
    return blockReduce(best, Max{}, reinterpret_cast<uint64_t*>(scratch_));
  }

  AURORA_DEVICE double weightSum(float largest, float scale) const {
    double total = 0;
    forAll([&](int64_t, float x) { total += weightOf(x, largest, scale); });
    return blockSum(total, scratch_);
  }

  /// The token at which the sum of weights, in order of tokens, exceeds u of all.
  AURORA_DEVICE int64_t draw(float largest, float scale, double u) const {
    double mine = 0;
    for (int64_t i = begin_ + laneIndex(); i < end_; i += kWave) mine += weightOf((*this)[i], largest, scale);
    const WaveSums<double> sums = sumWaves(waveSum(mine), scratch_);
    const double wanted = u * sums.all;
    // Should rounding leave none that is enough, the last that has weight is taken.
    int64_t found = n_, last = -1;
    double before = sums.before;
    for (int64_t start = begin_; start < end_; start += kWave) {
      const int64_t i = start + laneIndex();
      const double weight = i < end_ ? weightOf((*this)[i], largest, scale) : 0, upTo = before + sumUpTo(weight);
      if (weight > 0) last = i;
      if (weight > 0 && upTo > wanted && found == n_) found = i;
      before = shuffle(upTo, kWave - 1);
    }
    found = blockReduce(found, Min{}, reinterpret_cast<int64_t*>(scratch_));
    last = blockReduce(last, Max{}, reinterpret_cast<int64_t*>(scratch_));
    return found < n_ ? found : last;
  }

  /// The number-th token, from 1, whose logit has this order; −1: there are fewer.
  AURORA_DEVICE int64_t tie(uint32_t order, int64_t number) const {
    int64_t mine = 0, found = -1;
    for (int64_t i = begin_ + laneIndex(); i < end_; i += kWave) mine += orderOf((*this)[i]) == order;
    int64_t before = sumWaves(waveSum(mine), reinterpret_cast<int64_t*>(scratch_)).before;
    for (int64_t start = begin_; start < end_; start += kWave) {
      const int64_t i = start + laneIndex();
      const bool equal = i < end_ && orderOf((*this)[i]) == order;
      const uint64_t lanes = ballot(equal);
      if (equal && before + bitCount(lanes & ((uint64_t{1} << laneIndex()) - 1)) + 1 == number) found = i;
      before += bitCount(lanes);
    }
    return blockReduce(found, Max{}, reinterpret_cast<int64_t*>(scratch_));
  }

  /// body(i, logit) for the thread's share.
  template <class Body>
  AURORA_DEVICE void forAll(Body&& body) const {
    forBlockRuns<kWide<T>>(n_, aligned<16>(logits_), [&](int64_t i, auto count) {
      const auto run = loadRun<count.value>(logits_ + i);
      AURORA_UNROLL
      for (int j = 0; j < count.value; ++j) body(i + j, known(toFloat(run.values[j])));
    });
  }

 private:
  const T* logits_;
  int64_t n_, begin_ = 0, end_ = 0;
  double* scratch_;
};

/// A draw from what the cuts leave of the row.
template <class T>
AURORA_DEVICE inline int64_t drawCut(const Row<T>& row, const Settings& settings, float largest, double u, Candidates candidates) {
  candidates.largest = largest;
  candidates.scale = settings.scale;
  row.forAll([&](int64_t, float x) {
    const float weight = weightOf(x, largest, settings.scale);
    if (weight > 0) candidates.add({orderOf(x), weight});
  });
  // The largest is a candidate, of weight 1: no sum below is empty.
  const Amount total = candidates.total();
  const uint64_t end = uint64_t{orderOf(largest)} + 1;
  Prefix kept{0, 0, total, 0};
  const auto cut = [&](const auto& reaches) {
    const Prefix shorter = candidates.shortest(kept.order, kept.all(), end, {0, 0}, reaches);
    // Of ties that were cut before, no more are left than then.
    const bool fewerBefore = shorter.order == kept.order && kept.ties > 0 && kept.ties < shorter.ties;
    kept = {shorter.order, fewerBefore ? kept.ties : shorter.ties, shorter.above, shorter.weight};
  };
  if (settings.topK > 0 && settings.topK < total.tokens) cut([&](Amount amount) { return amount.tokens >= settings.topK; });
  if (settings.topP < 1) {
    const double wanted = settings.topP * kept.all().weight;
    cut([&](Amount amount) { return amount.weight >= wanted; });
  }
  const double wanted = u * kept.all().weight;
  cut([&](Amount amount) { return amount.weight > wanted; });
  return row.tie(kept.order, kept.ties);
}

template <class T>
AURORA_KERNEL(kMostThreads)
void sampleKernel(const T* logits, int64_t rows, int64_t n, Settings settings, const uint32_t* draws, int32_t* tokens, float* logProbabilities,
                  Candidate* workspace, int64_t workspaceEach) {
  double* scratch = sharedMemory<double>();
  Candidate* local = reinterpret_cast<Candidate*>(scratch + blockWaves());
  for (int64_t b = blockX(); b < rows; b += gridX()) {
    const Row<T> row(logits + b * n, n, scratch);
    const uint64_t best = row.best();
    const int64_t greedy = static_cast<uint32_t>(~best);
    const float largest = row[greedy];
    int64_t picked = greedy;
    // Without a finite maximum there is no distribution to draw from.
    if (settings.scale > 0 && fabsf(largest) <= 3.4028234e38f) {
      const uint64_t entry = draws ? draws[b] : static_cast<uint64_t>(b);
      const auto words = randomBlock(settings.random, entry / 4);
      const uint32_t place = entry % 4;
      const double u = uniform(place < 2 ? (place == 0 ? words[0] : words[1]) : place == 2 ? words[2] : words[3]);
      const int64_t drawn = settings.cuts() ? drawCut(row, settings, largest, u, Candidates(workspace + blockX() * workspaceEach, local, scratch))
                                            : row.draw(largest, settings.scale, u);
      if (drawn >= 0) picked = drawn;
    }
    if (threadIndex() == 0) tokens[b] = static_cast<int32_t>(picked);
    if (!logProbabilities) continue;
    const float total = static_cast<float>(row.weightSum(largest, 1));
    if (threadIndex() == 0) logProbabilities[b] = row[picked] - largest - logf(total);
  }
}

}  // namespace

void sample(Context& context, const Sample& args) {
  const int64_t rows = args.logits.shape[0], n = args.logits.shape[1];
  if (rows == 0) return;
  const float scale = args.temperature > 0 ? static_cast<float>(std::min(1 / args.temperature, 1e30)) : 0;
  const Settings settings{scale, args.topK, args.topP, args.random};
  const bool cuts = scale > 0 && settings.cuts();
  const int64_t wanted = (n + kEach - 1) / kEach, threads = std::min<int64_t>((wanted + kWave - 1) / kWave * kWave, kMostThreads);
  withFloat(args.logits.dtype, [&](auto type) {
    using T = decltype(type);
    // A thread's logits: whole runs, and one of what is left.
    const int64_t runs = (n + threads * kWide<T> - 1) / (threads * kWide<T>), each = (runs * kWide<T> + 1) * threads;
    const int64_t bytes = each * static_cast<int64_t>(sizeof(Candidate));
    const int64_t blocks = std::min({rows, kMostBlocks, cuts ? std::max<int64_t>(1, kMostWorkspace / bytes) : kMostBlocks});
    Candidate* const workspace = cuts ? context.scratch<Candidate>(0, blocks * each) : nullptr;
    const size_t shared = static_cast<size_t>(threads / kWave) * sizeof(double) + (cuts ? kLocal * sizeof(Candidate) : 0);
    launch<sampleKernel<T>>(context.queue, blocks, static_cast<int>(threads), shared, args.logits.as<T>(), rows, n, settings,
                            args.draws.as<uint32_t>(), args.tokens.as<int32_t>(), args.logProbabilities.as<float>(), workspace, each);
  });
}

}  // namespace aurora::hip
