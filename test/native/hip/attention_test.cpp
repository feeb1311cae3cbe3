// Attention, its derivative and decoding on the emulator, against float64 references on fresh random inputs.
#include <chrono>
#include <limits>

#include "device.h"

using namespace aurora;
using namespace aurora::test;

namespace {

struct Problem {
  HeadLayout layout;
  DType dtype;
  double dropout;
  std::vector<int32_t> firstRow;  // [N]
  double scale = 0.3;
  RandomKey random = randomKey();

  int64_t positions() const { return static_cast<int64_t>(firstRow.size()); }
  int64_t outputs() const { return layout.heads * layout.width; }
  int64_t first(int64_t i) const { return std::clamp<int64_t>(firstRow[i], 0, i); }
  double dropoutFactor(int64_t head, int64_t i, int64_t j) const {
    if (dropout == 0) return 1;
    const uint64_t element = static_cast<uint64_t>((head * positions() + i) * positions() + j);
    return uniform(randomBlock(random, element / 4)[element % 4]) >= dropout ? 1 / (1 - dropout) : 0;
  }
  Numbers firsts() const {
    return Numbers::make(DType::i32, {positions()}, [&](int64_t i) { return firstRow[i]; });
  }
  std::string text() const {
    return std::to_string(positions()) + " rows, " + std::to_string(layout.heads) + "/" + std::to_string(layout.keyHeads) + " heads of " +
           std::to_string(layout.width) + ", " + name(dtype) + ", dropout " + std::to_string(dropout) + ", scale " + std::to_string(scale) + ", waves of " +
           std::to_string(AURORA_WAVE);
  }
};

struct Expected {
  std::vector<double> y, logSumExp, dqkv;
};

/// Softmax attention and its derivative, written out. The derivative reads y as the device stored it.
Expected reference(const Problem& problem, const Numbers& qkv, const Numbers& dy, const Numbers* stored) {
  const auto& [heads, keyHeads, width] = problem.layout;
  const int64_t n = problem.positions(), row = problem.layout.rowWidth();
  Expected out{std::vector<double>(n * heads * width), std::vector<double>(heads * n), std::vector<double>(n * row)};
  const auto values = [](const Numbers& numbers) {
    std::vector<double> all(numbers.size());
    for (int64_t i = 0; i < numbers.size(); ++i) all[i] = numbers[i];
    return all;
  };
  const std::vector<double> x = values(qkv), gradient = values(dy), y = stored ? values(*stored) : std::vector<double>();
  for (int64_t h = 0; h < heads; ++h) {
    const int64_t query = problem.layout.queryOffset(h), keyHead = h * keyHeads / heads;
    const int64_t key = problem.layout.keyOffset(keyHead), value = problem.layout.valueOffset(keyHead);
    for (int64_t i = 0; i < n; ++i) {
      const int64_t first = problem.first(i), result = (i * heads + h) * width;
      std::vector<double> p(i + 1 - first);
      double largest = -std::numeric_limits<double>::infinity(), total = 0;
      for (int64_t j = first; j <= i; ++j) {
        for (int64_t k = 0; k < width; ++k) p[j - first] += problem.scale * x[i * row + query + k] * x[j * row + key + k];
        largest = std::max(largest, p[j - first]);
      }
      for (double& e : p) total += e = std::exp(e - largest);
      out.logSumExp[h * n + i] = largest + std::log(total);
      std::vector<double> kept(p.size());
      for (int64_t j = first; j <= i; ++j) {
        p[j - first] /= total;
        kept[j - first] = problem.dropoutFactor(h, i, j);
        for (int64_t k = 0; k < width; ++k) out.y[result + k] += p[j - first] * kept[j - first] * x[j * row + value + k];
      }
      if (!stored) continue;
      double dot = 0;
      for (int64_t k = result; k < result + width; ++k) dot += gradient[k] * y[k];
      for (int64_t j = first; j <= i; ++j) {
        double dp = 0;
        for (int64_t k = 0; k < width; ++k) {
          dp += kept[j - first] * gradient[result + k] * x[j * row + value + k];
          out.dqkv[j * row + value + k] += p[j - first] * kept[j - first] * gradient[result + k];
        }
        const double ds = problem.scale * p[j - first] * (dp - dot);
        for (int64_t k = 0; k < width; ++k) {
          out.dqkv[i * row + query + k] += ds * x[j * row + key + k];
          out.dqkv[j * row + key + k] += ds * x[i * row + query + k];
        }
      }
    }
  }
  return out;
}

/// The largest error must stay within `tolerance` of the largest expected value.
void compare(const Numbers& found, const std::vector<double>& expected, double tolerance, const std::string& what) {
  double largest = 1e-6, worst = 0;
  for (double x : expected) largest = std::max(largest, std::abs(x));
  for (int64_t i = 0; i < found.size(); ++i) worst = std::max(worst, std::abs(found[i] - expected[i]) / largest);
  if (std::getenv("AURORA_TEST_VERBOSE")) std::printf("%s: largest error %.2g of the largest value\n", what.c_str(), worst);
  checkAll(found, [&](int64_t i) { return expected[i]; }, tolerance * largest, what);
}

/// In bf16 the weights and their derivatives are rounded before they are multiplied, each to within 2⁻⁹ of itself.
double tolerance(DType dtype) { return dtype == DType::f32 ? 1e-5 : 0x1p-8; }

/// N rows that `count` documents share.
std::vector<int32_t> documents(int64_t n, int count) {
  std::vector<int32_t> firstRow(n);
  for (int d = 1; d < count; ++d)
    for (int64_t i = between(0, n - 1), start = i; i < n; ++i) firstRow[i] = std::max(firstRow[i], static_cast<int32_t>(start));
  return firstRow;
}

void run(const std::string& what, const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    check(false, what + ": " + error.what());
  }
}

void testTraining(const Problem& problem) {
  run(problem.text(), [&] {
    const int64_t n = problem.positions();
    const Numbers qkv = Numbers::normal(problem.dtype, {n, problem.layout.rowWidth()}), dy = Numbers::normal(problem.dtype, {n, problem.outputs()});
    Bench bench(hip::open(0));
    const View x = bench.tensor(qkv), gradient = bench.tensor(dy), firstRow = bench.tensor(problem.firsts());
    const auto once = [&] {
      const View y = bench.tensor(Numbers(problem.dtype, {n, problem.outputs()})), logSumExp = bench.tensor(Numbers(DType::f32, {problem.layout.heads, n}));
      bench.backend().attention(bench.stream(), {x, firstRow, problem.layout, problem.scale, problem.dropout, problem.random, y, logSumExp});
      const View dqkv = bench.tensor(Numbers(problem.dtype, qkv.shape));
      bench.backend().attentionBackward(bench.stream(),
                                        {gradient, x, firstRow, y, logSumExp, problem.layout, problem.scale, problem.dropout, problem.random, dqkv});
      return Outputs{bench.read(y), bench.read(logSumExp), bench.read(dqkv)};
    };
    const Outputs found = once();
    check(found == once(), problem.text() + ": repeatable");
    const Expected expected = reference(problem, qkv, dy, &found[0]);
    compare(found[0], expected.y, tolerance(problem.dtype), problem.text() + ": y");
    compare(found[1], expected.logSumExp, 1e-5, problem.text() + ": logSumExp");
    compare(found[2], expected.dqkv, tolerance(problem.dtype), problem.text() + ": dqkv");
  });
}

}  // namespace

int main() {
  const HeadLayout layouts[] = {{1, 1, 16}, {3, 1, 24}, {8, 1, 40}, {3, 3, 8}, {4, 4, 32}, {2, 1, 136}, {140, 1, 8}, {2, 2, 64}, {2, 1, 256}, {5, 1, 80}, {2, 1, 96}, {4, 1, 128}};
  for (const HeadLayout& layout : layouts)
    for (DType dtype : kFloats)
      for (double dropout : {0.0, 0.25}) {
        const int64_t n = layout.heads > 8 ? between(20, 40) : between(1, 300);
        testTraining({layout, dtype, dropout, documents(n, static_cast<int>(between(1, 4)))});
      }
  return finish("GPU attention");
}
