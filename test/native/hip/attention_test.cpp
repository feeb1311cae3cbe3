// Attention, its derivative and decoding on the emulator, against float64 references on fresh random inputs.
#include <limits>

#include "device.h"
#include "hip/attention/key_gradients.h"
#include "hip/attention/row_block.h"

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
  int64_t outputs() const { return layout.heads * layout.width; }
  int64_t first(int64_t i) const { return std::clamp<int64_t>(firstRow[i], 0, i); }
  double dropoutFactor(int64_t head, int64_t i, int64_t j) const {
    if (dropout == 0) return 1;
    const uint64_t element = static_cast<uint64_t>(((firstHead + head) * positions() + i) * positions() + j);
    return uniform(randomBlock(random, element / 4)[element % 4]) >= dropout ? 1 / (1 - dropout) : 0;
  }
  Numbers firsts() const {
    return Numbers::make(DType::i32, {positions()}, [&](int64_t i) { return firstRow[i]; });
  }
  std::string text() const {
    return std::to_string(positions()) + " rows, " + std::to_string(layout.heads) + "/" + std::to_string(layout.keyHeads) + " heads of " +
           std::to_string(layout.width) + ", " + name(dtype) + ", dropout " + std::to_string(dropout) + ", scale " + std::to_string(scale) +
           ", waves of " + std::to_string(AURORA_WAVE);
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
      const View y = bench.tensor(Numbers(problem.dtype, {n, problem.outputs()}));
      const View logSumExp = bench.tensor(Numbers(DType::f32, {problem.layout.heads, n}));
      bench.backend().attention(bench.stream(), {x, firstRow, problem.layout, problem.scale, problem.dropout, problem.random, y, logSumExp, problem.firstHead});
      const View dqkv = bench.tensor(Numbers(problem.dtype, qkv.shape));
      bench.backend().attentionBackward(bench.stream(),
                                        {gradient, x, firstRow, y, logSumExp, problem.layout, problem.scale, problem.dropout, problem.random, dqkv, problem.firstHead});
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

/// Positions and heads of rows, for any number of heads.
void testRows() {
  for (int repeat = 0; repeat < 300; ++repeat) {
    const int sharing = static_cast<int>(repeat < 200 ? repeat + 1 : between(1, 65536));
    const int64_t first = between(0, int64_t{sharing} * 1000000);
    const hip::flash::Rows rows(first, sharing), later = rows.from(32);
    for (int r = 0; r < 128; ++r) {
      const hip::flash::Row row = rows[r], same = later[r - 32 < 0 ? 0 : r - 32];
      check(row.position == (first + r) / sharing && row.sharer == (first + r) % sharing,
            "row " + std::to_string(first + r) + " of " + std::to_string(sharing) + " heads");
      check(r < 32 || (same.position == row.position && same.sharer == row.sharer), "rows from one on");
    }
  }
}

/// The keys that each block of rows walks over, and the positions that each block of keys does.
template <class T>
AURORA_KERNEL(hip::flash::kThreads) void rangesKernel(hip::flash::Problem<T> problem, const int* lowestFirst, int keys, int* ofRows, int* ofKeys) {
  int* const scratch = hip::sharedMemory<int>();
  const int block = hip::blockX();
  if (ofRows) {
    const hip::flash::RowBlock<T, 1> rows(problem, scratch);
    ofRows[2 * block] = rows.begin, ofRows[2 * block + 1] = rows.end;
  } else {
    ofKeys[block] = hip::flash::endOfSight(problem, lowestFirst, block * keys, (block + 1) * keys, scratch);
  }
}

void testRanges() {
  using namespace hip;
  using Block = flash::RowBlock<float, 1>;
  const HeadLayout layout{between(1, 200), 1, 8};
  const int64_t n = between(1, 3000), keys = 64;
  for (const bool ordered : {true, false}) {
    std::vector<int32_t> firstRow = documents(n, static_cast<int>(between(1, 30)));
    if (!ordered)
      for (int32_t& first : firstRow) first = static_cast<int32_t>(between(-5, n));
    Bench bench(hip::open(0));
    const View first = bench.tensor(Problem{layout, DType::f32, 0, firstRow}.firsts());
    const flash::Problem<float> problem(nullptr, first, layout, 1, 0, {}, 0);
    const int64_t rowBlocks = Block::grid(problem).x, keyBlocks = (n + keys - 1) / keys;
    const View ofRows = bench.tensor(Numbers(DType::i32, {rowBlocks, 2})), ofKeys = bench.tensor(Numbers(DType::i32, {keyBlocks})),
               lowest = bench.tensor(Numbers(DType::i32, {(n + flash::kStretch - 1) / flash::kStretch}));
    run("ranges", [&] {
      launch<flash::lowestFirstKernel<float>>(Queue{}, blocksFor(n, flash::kThreads), flash::kThreads, 0, problem, lowest.as<int>());
      launch<rangesKernel<float>>(Queue{}, rowBlocks, flash::kThreads, 64, problem, nullptr, 0, ofRows.as<int>(), nullptr);
      launch<rangesKernel<float>>(Queue{}, keyBlocks, flash::kThreads, 64, problem, lowest.as<int>(), static_cast<int>(keys), nullptr,
                                  ofKeys.as<int>());
    });
    const Numbers rows = bench.read(ofRows), sight = bench.read(ofKeys);
    const auto firstKey = [&](int64_t i) { return std::clamp<int64_t>(firstRow[i], 0, i); };
    for (int64_t block = 0; block < rowBlocks; ++block) {
      const int64_t from = (rowBlocks - 1 - block) * Block::kBlockRows, to = std::min(from + Block::kBlockRows, n * layout.heads) - 1;
      int64_t begin = n;
      for (int64_t i = from / layout.heads; i <= to / layout.heads; ++i) begin = std::min(begin, firstKey(i));
      check(rows[2 * block] == begin && rows[2 * block + 1] == to / layout.heads + 1, "the keys of row block " + std::to_string(block));
    }
    for (int64_t block = 0; block < keyBlocks; ++block) {
      int64_t end = 0;
      for (int64_t i = block * keys; i < n; ++i)
        if (firstKey(i) < (block + 1) * keys) end = i + 1;
      check(sight[block] == end, "the positions that see key block " + std::to_string(block));
    }
  }
}

/// Rows of a fused projection go to the cache as prompts of different lengths; each sequence's last row must then decode to what the
/// reference gives it.
void testDecoding(HeadLayout layout, DType dtype, const std::vector<int32_t>& lengths, int64_t slots, double scale = 0.2) {
  const int64_t sequences = static_cast<int64_t>(lengths.size()), row = layout.rowWidth(), outputs = layout.heads * layout.width;
  const std::string what = "decoding, " + Problem{layout, dtype, 0, std::vector<int32_t>(slots), scale}.text();
  Numbers last = Numbers::normal(dtype, {sequences, row}), given(DType::i32, {sequences});
  std::vector<Numbers> prompts, slotsOf;
  std::vector<double> expected;
  for (int64_t b = 0; b < sequences; ++b) {
    given.set(b, lengths[b]);
    const int64_t n = std::clamp<int64_t>(lengths[b], 0, slots);
    prompts.push_back(Numbers::normal(dtype, {n, row}));
    slotsOf.push_back(Numbers::make(DType::i32, {n}, [&](int64_t i) { return static_cast<double>(b * slots + i); }));
    std::vector<double> y(outputs);  // of no keys: 0
    if (n > 0) {
      for (int64_t k = 0; k < row; ++k) last.set(b * row + k, prompts[b][(n - 1) * row + k]);
      Problem problem{layout, dtype, 0, std::vector<int32_t>(n), scale};
      for (int64_t i = 0; i + 1 < n; ++i) problem.firstRow[i] = static_cast<int32_t>(i);  // only the last row matters
      y = reference(problem, prompts[b], last, nullptr).y;
    }
    expected.insert(expected.end(), y.end() - outputs, y.end());
  }
  run(what, [&] {
    Bench bench(hip::open(0));
    const View keys = bench.tensor(Numbers(dtype, {sequences, slots, layout.keyHeads * layout.width})),
               values = bench.tensor(Numbers(dtype, {sequences, slots, layout.keyHeads * layout.width}));
    for (int64_t b = 0; b < sequences; ++b)
      bench.backend().cacheWrite(bench.stream(), {bench.tensor(prompts[b]), bench.tensor(slotsOf[b]), layout, keys, values});
    const View x = bench.tensor(last), count = bench.tensor(given);
    const auto once = [&] {
      const View y = bench.tensor(Numbers(dtype, {sequences, outputs}));
      bench.backend().attentionDecode(bench.stream(), {x, keys, values, count, layout, scale, y});
      return bench.read(y);
    };
    const Numbers found = once();
    check(found == once(), what + ": repeatable");
    compare(found, expected, tolerance(dtype), what);
  });
}

/// The CPU's words for a bad slot, and what good rows left in the cache.
void testCacheErrors() {
  const HeadLayout layout{2, 1, 8};
  const Numbers qkv = Numbers::normal(DType::bf16, {5, 32}), empty = Numbers::filled(DType::bf16, {1, 4, 8}, 5);
  for (const bool bad : {true, false})
    agree("cacheWrite", [&](Bench& bench) {
      Numbers slots(DType::i32, {5});
      for (int64_t n = 0; n < 5; ++n) slots.set(n, std::vector<double>{-1, 3, bad ? 4.0 : 0.0, -5, 2}[n]);
      const View keys = bench.tensor(empty), values = bench.tensor(empty);
      bench.backend().cacheWrite(bench.stream(), {bench.tensor(qkv), bench.tensor(slots), layout, keys, values});
      return bad ? Outputs{} : Outputs{bench.read(keys), bench.read(values)};
    });
}

/// Tensors that are not aligned to the 16 bytes that kernels move at a time give the same bits.
void testUnaligned(DType dtype) {
  const HeadLayout layout{3, 1, 24};
  const int64_t n = 70, outputs = layout.heads * layout.width;
  const Numbers qkv = Numbers::normal(dtype, {n, layout.rowWidth()}), dy = Numbers::normal(dtype, {n, outputs});
  const Numbers firstRow = Numbers::filled(DType::i32, {n}, 0), slots = Numbers::make(DType::i32, {n}, [](int64_t i) { return i; });
  const Numbers lengths = Numbers::make(DType::i32, {n}, [](int64_t i) { return i == 1 ? 40 : 0; });
  const RandomKey random = randomKey();
  const auto pass = [&](int64_t offset) {
    Bench bench(hip::open(0));
    const auto tensor = [&](const Numbers& numbers) {
      Numbers longer(dtype, {numbers.size() + offset});
      for (int64_t i = 0; i < numbers.size(); ++i) longer.set(offset + i, numbers[i]);
      return View{static_cast<std::byte*>(bench.tensor(longer).data) + offset * static_cast<int64_t>(byteSize(dtype)), dtype, numbers.shape};
    };
    const auto zeros = [&](Shape shape) { return tensor(Numbers::filled(dtype, shape, 0)); };
    const View x = tensor(qkv), gradient = tensor(dy), first = bench.tensor(firstRow), y = zeros({n, outputs}), dqkv = zeros({n, layout.rowWidth()});
    const View logSumExp = bench.tensor(Numbers(DType::f32, {layout.heads, n})), keys = zeros({n, 50, layout.width}),
               values = zeros({n, 50, layout.width}), decoded = zeros({n, outputs});
    bench.backend().attention(bench.stream(), {x, first, layout, 0.3, 0.1, random, y, logSumExp});
    bench.backend().attentionBackward(bench.stream(), {gradient, x, first, y, logSumExp, layout, 0.3, 0.1, random, dqkv});
    bench.backend().cacheWrite(bench.stream(), {x, bench.tensor(slots), layout, keys, values});
    bench.backend().attentionDecode(bench.stream(), {x, keys, values, bench.tensor(lengths), layout, 0.3, decoded});
    return Outputs{bench.read(y), bench.read(dqkv), bench.read(keys), bench.read(values), bench.read(decoded)};
  };
  run("unaligned", [&] { check(pass(0) == pass(1), std::string("attention on unaligned tensors, ") + name(dtype)); });
}

/// What is hidden from every row of a tile is not looked at: poison there does no harm. (In a tile that some rows see, NaN in a value reaches
/// all of them.)
void testSkipping() {
  const HeadLayout layout{4, 1, 64};
  const int64_t n = 600, bounds[] = {0, 256, 384, n}, outputs = layout.heads * layout.width;
  std::vector<int32_t> firstRow(n);
  for (int d = 0; d < 3; ++d)
    for (int64_t i = bounds[d]; i < bounds[d + 1]; ++i) firstRow[i] = static_cast<int32_t>(bounds[d]);
  const Problem problem{layout, DType::bf16, 0, firstRow};
  run("skipping", [&] {
    Bench bench(hip::open(0));
    const Numbers clean = Numbers::normal(DType::bf16, {n, layout.rowWidth()}), dy = Numbers::normal(DType::bf16, {n, outputs});
    const auto pass = [&](const Numbers& qkv) {
      const View x = bench.tensor(qkv), first = bench.tensor(problem.firsts()), y = bench.tensor(Numbers(DType::bf16, {n, outputs})),
                 logSumExp = bench.tensor(Numbers(DType::f32, {layout.heads, n})), dqkv = bench.tensor(Numbers(DType::bf16, qkv.shape));
      bench.backend().attention(bench.stream(), {x, first, layout, 0.3, 0, {}, y, logSumExp});
      bench.backend().attentionBackward(bench.stream(), {bench.tensor(dy), x, first, y, logSumExp, layout, 0.3, 0, {}, dqkv});
      return Outputs{bench.read(y), bench.read(dqkv)};
    };
    Numbers poisoned = clean;
    for (int64_t i = bounds[1]; i < bounds[2]; ++i)
      for (int64_t k = 0; k < layout.rowWidth(); ++k) poisoned.set(i * layout.rowWidth() + k, NAN);
    const Outputs good = pass(clean), bad = pass(poisoned);
    for (size_t output = 0; output < 2; ++output) {
      const int64_t width = good[output].shape[1];
      bool same = true, poison = true;
      for (int64_t i = 0; i < good[output].size(); ++i) {
        const int64_t position = i / width;
        if (position < bounds[1] || position >= bounds[2])
          same &= good[output][i] == bad[output][i];
        else
          poison &= std::isnan(bad[output][i]);
      }
      check(same && poison, "documents are strangers to each other, output " + std::to_string(output));
    }
  });
}

}  // namespace

int main() {
  const HeadLayout layouts[] = {{1, 1, 16}, {3, 1, 24}, {8, 1, 40},  {3, 3, 8},  {4, 4, 32}, {2, 1, 136}, {140, 1, 8},
                                {2, 2, 64}, {2, 1, 256}, {5, 1, 80}, {2, 1, 96}, {6, 1, 128}};
  for (const HeadLayout& layout : layouts)
    for (DType dtype : kFloats)
      for (double dropout : {0.0, 0.25}) {
        const int64_t n = layout.heads > 8 ? between(20, 40) : between(1, 300);
        testTraining({layout, dtype, dropout, documents(n, static_cast<int>(between(1, 4)))});
      }
  for (double scale : {-0.4, 0.0}) testTraining({{3, 1, 24}, DType::f32, 0, documents(between(60, 150), 2), scale});
  std::vector<int32_t> anywhere(150);  // first rows outside [0, i] are clamped, and need not be ordered
  for (int32_t& first : anywhere) first = static_cast<int32_t>(between(-100, 300));
  for (DType dtype : kFloats) {
    testTraining({{2, 1, 32}, dtype, 0, anywhere});
    testTraining({{2, 1, 32}, dtype, 0, {}});
    testUnaligned(dtype);
  }
  testSkipping();
  testRows();
  for (int repeat = 0; repeat < 5; ++repeat) testRanges();

  for (DType dtype : kFloats) {
    testDecoding({6, 1, 32}, dtype, {1, 97, 0, 500, 800, -3}, 700);
    testDecoding({3, 3, 24}, dtype, {400, 13}, 401);
    testDecoding({150, 1, 8}, dtype, {40}, 41);
    testDecoding({22, 1, 128}, dtype, {300, 33}, 320, -0.2);
    testDecoding({48, 1, 80}, dtype, {65}, 65);
    testDecoding({2, 1, 256}, dtype, {90, 7}, 100);
  }
  testCacheErrors();
  return finish("GPU attention");
}
