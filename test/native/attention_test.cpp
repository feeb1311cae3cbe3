// Attention, its derivative and decoding against float64 references on random odd shapes.
#include <limits>

#include "numbers.h"

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
  int64_t firstHead = between(0, 1) * between(1, 1000);

  int64_t positions() const { return static_cast<int64_t>(firstRow.size()); }
  int64_t first(int64_t i) const { return std::clamp<int64_t>(firstRow[i], 0, i); }
  double dropoutFactor(int64_t head, int64_t i, int64_t j) const {
    if (dropout == 0) return 1;
    const uint64_t element = static_cast<uint64_t>(((firstHead + head) * positions() + i) * positions() + j);
    return uniform(randomBlock(random, element / 4)[element % 4]) >= dropout ? 1 / (1 - dropout) : 0;
  }
};

std::string text(const HeadLayout& layout, DType dtype) {
  return std::to_string(layout.heads) + "/" + std::to_string(layout.keyHeads) + " heads of " + std::to_string(layout.width) +
         ", " + name(dtype);
}

struct Expected {
  std::vector<double> y, logSumExp, dqkv;
};

/// Softmax attention and its derivative, written out. The derivative reads y as it was stored: `stored` when given (a y between two
/// bf16 values may be stored as either), else y rounded to qkv's dtype.
Expected reference(const Problem& problem, const Numbers& qkv, const Numbers& dy, const Numbers* stored = nullptr) {
  const auto& [heads, keyHeads, width] = problem.layout;
  const int64_t n = problem.positions(), row = problem.layout.rowWidth();
  Expected out{std::vector<double>(n * heads * width), std::vector<double>(heads * n), std::vector<double>(n * row)};
  Numbers rounded(qkv.dtype, {n, heads * width});
  for (int64_t h = 0; h < heads; ++h) {
    const int64_t query = problem.layout.queryOffset(h), keyHead = h * keyHeads / heads;
    const int64_t key = problem.layout.keyOffset(keyHead), value = problem.layout.valueOffset(keyHead);
    for (int64_t i = 0; i < n; ++i) {
      const int64_t first = problem.first(i);
      std::vector<double> p(i + 1 - first), dp(i + 1 - first);
      double largest = -std::numeric_limits<double>::infinity(), total = 0, dot = 0;
      for (int64_t j = first; j <= i; ++j) {
        for (int64_t k = 0; k < width; ++k) p[j - first] += problem.scale * qkv[i * row + query + k] * qkv[j * row + key + k];
        largest = std::max(largest, p[j - first]);
      }
      for (double& x : p) total += x = std::exp(x - largest);
      out.logSumExp[h * n + i] = largest + std::log(total);
      for (int64_t j = first; j <= i; ++j) {
        p[j - first] /= total;
        const double kept = problem.dropoutFactor(h, i, j);
        for (int64_t k = 0; k < width; ++k) {
          const double v = qkv[j * row + value + k], g = dy[(i * heads + h) * width + k];
          out.y[(i * heads + h) * width + k] += p[j - first] * kept * v;
          out.dqkv[j * row + value + k] += p[j - first] * kept * g;
          dp[j - first] += kept * g * v;
        }
      }
      for (int64_t k = (i * heads + h) * width; k < (i * heads + h + 1) * width; ++k) {
        rounded.set(k, out.y[k]);
        dot += dy[k] * (stored ? *stored : rounded)[k];
      }
      for (int64_t j = first; j <= i; ++j) {
        const double ds = problem.scale * p[j - first] * (dp[j - first] - dot);
        for (int64_t k = 0; k < width; ++k) {
          out.dqkv[i * row + query + k] += ds * qkv[j * row + key + k];
          out.dqkv[j * row + key + k] += ds * qkv[i * row + query + k];
        }
      }
    }
  }
  return out;
}

/// The largest error must stay within `tolerance` of the largest expected value.
void compare(const Numbers& found, const std::vector<double>& expected, double tolerance, const std::string& what) {
  double largest = 1e-6;
  for (double x : expected) largest = std::max(largest, std::abs(x));
  checkAll(found, [&](int64_t i) { return expected[i]; }, tolerance * largest, what);
}

/// In bf16 a y between two values may be stored as either; and where the machine multiplies pairs of bf16, the weights and their
/// derivatives are rounded before they are multiplied, each to within 2⁻⁹ of itself.
double tolerance(DType dtype) { return dtype == DType::f32 ? 1e-5 : 0x1p-8; }

/// N rows that `count` documents share.
std::vector<int32_t> documents(int64_t n, int count) {
  std::vector<int32_t> firstRow(n);
  for (int d = 1; d < count; ++d)
    for (int64_t i = between(0, n - 1), start = i; i < n; ++i) firstRow[i] = std::max(firstRow[i], static_cast<int32_t>(start));
  return firstRow;
}

void testTraining(Problem problem) {
  const HeadLayout& layout = problem.layout;
  const int64_t n = problem.positions(), outputs = layout.heads * layout.width;
  Numbers qkv = Numbers::normal(problem.dtype, {n, layout.rowWidth()}), dy = Numbers::normal(problem.dtype, {n, outputs});
  const Expected expected = reference(problem, qkv, dy);
  const View firstRow{problem.firstRow.data(), DType::i32, {n}};
  onEverySet(
      "attention over " + std::to_string(n) + " rows, " + text(layout, problem.dtype) + ", dropout " +
          std::to_string(problem.dropout),
      [&](const cpu::KernelTable& kernels, cpu::Context& context) -> Outputs {
        Numbers y(problem.dtype, {n, outputs}), logSumExp(DType::f32, {layout.heads, n}), dqkv(problem.dtype, qkv.shape);
        kernels.attention(
            context, {qkv.view(), firstRow, layout, problem.scale, problem.dropout, problem.random, y.view(), logSumExp.view(),
                      problem.firstHead});
        kernels.attentionBackward(context, {dy.view(), qkv.view(), firstRow, y.view(), logSumExp.view(), layout, problem.scale,
                                            problem.dropout, problem.random, dqkv.view(), problem.firstHead});
        return {y, logSumExp, dqkv};
      },
      [&](const Outputs& found, const std::string& what) {
        compare(found[0], expected.y, tolerance(problem.dtype), what + ": y");
        compare(found[1], expected.logSumExp, 1e-5, what + ": logSumExp");
        const bool exact = problem.dtype == DType::f32;
        compare(found[2], exact ? expected.dqkv : reference(problem, qkv, dy, &found[0]).dqkv, tolerance(problem.dtype), what + ": dqkv");
      });
}

/// Rows of a fused projection go to the cache as prompts of different lengths; each sequence's last row must then decode to what
/// the full forward pass gives it.
void testDecoding(HeadLayout layout, DType dtype, std::vector<int32_t> lengths, int64_t slots) {
  const int64_t sequences = static_cast<int64_t>(lengths.size()), row = layout.rowWidth(), outputs = layout.heads * layout.width;
  const double scale = 0.2;
  Numbers last = Numbers::normal(dtype, {sequences, row});
  std::vector<Numbers> prompts, slotsOf;
  std::vector<double> expected;
  for (int64_t b = 0; b < sequences; ++b) {
    const int64_t n = std::clamp<int64_t>(lengths[b], 0, slots);
    prompts.push_back(Numbers::normal(dtype, {n, row}));
    slotsOf.push_back(Numbers::make(DType::i32, {n}, [&](int64_t i) { return static_cast<double>(b * slots + i); }));
    std::vector<double> y(outputs);  // of no keys: 0
    if (n > 0) {
      for (int64_t k = 0; k < row; ++k) last.set(b * row + k, prompts[b][(n - 1) * row + k]);
      y = reference({layout, dtype, 0, std::vector<int32_t>(n), scale}, prompts[b], Numbers::filled(dtype, {n, outputs}, 0)).y;
    }
    expected.insert(expected.end(), y.end() - outputs, y.end());
  }
  onEverySet(
      "decoding, " + text(layout, dtype),
      [&](const cpu::KernelTable& kernels, cpu::Context& context) -> Outputs {
        Numbers keys(dtype, {sequences, slots, layout.keyHeads * layout.width}), values = keys, y(dtype, {sequences, outputs});
        for (int64_t b = 0; b < sequences; ++b)
          kernels.cacheWrite(context, {prompts[b].view(), slotsOf[b].view(), layout, keys.view(), values.view()});
        kernels.attentionDecode(
            context,
            {last.view(), keys.view(), values.view(), {lengths.data(), DType::i32, {sequences}}, layout, scale, y.view()});
        return {y};
      },
      [&](const Outputs& found, const std::string& what) { compare(found[0], expected, tolerance(dtype), what); });
}

void testCacheErrors() {
  const HeadLayout layout{2, 1, 8};
  for (const cpu::KernelTable* kernels : kernelSets()) {
    Workbench bench(1);
    cpu::Context context = bench.context("cacheWrite");
    Numbers qkv = Numbers::normal(DType::f32, {3, 32}), keys = Numbers::filled(DType::f32, {1, 4, 8}, 5), values = keys;
    const Numbers before = keys;
    std::vector<int32_t> slots{-1, 4, -5};
    kernels->cacheWrite(context, {qkv.view(), {slots.data(), DType::i32, {3}}, layout, keys.view(), values.view()});
    const auto error = bench.stream.takeError();
    check(error && error->code == std::string("ERR_INDEX"),
          std::string(kernels->instructionSet) + ": a slot outside the cache fails");
    check(keys == before && values == before, std::string(kernels->instructionSet) + ": negative slots are skipped");
  }
}

}  // namespace

int main() {
  const HeadLayout layouts[] = {{1, 1, 16},  {3, 1, 24},  {8, 1, 40}, {3, 3, 8},  {8, 8, 32},
                                {6, 1, 136}, {140, 1, 8}, {2, 2, 64}, {2, 1, 256}};
  for (const HeadLayout& layout : layouts)
    for (DType dtype : kFloats)
      for (double dropout : {0.0, 0.25}) {
        const int64_t n = layout.heads > 8 ? between(20, 40) : between(1, 400);
        testTraining({layout, dtype, dropout, documents(n, static_cast<int>(between(1, 4)))});
      }
  std::vector<int32_t> anywhere(150);  // first rows outside [0, i] are clamped, and need not be ordered
  for (int32_t& first : anywhere) first = static_cast<int32_t>(between(-100, 300));
  testTraining({{2, 1, 32}, DType::f32, 0, anywhere});

  for (DType dtype : kFloats) {
    testDecoding({6, 1, 32}, dtype, {1, 97, 0, 500, 800, -3}, 700);
    testDecoding({3, 3, 24}, dtype, {400, 13}, 401);
    testDecoding({150, 1, 8}, dtype, {40}, 41);
  }
  testCacheErrors();
  return finish("attention");
}
