// Matrix products on the emulator against float64: every kernel and slicing of the built-in GEMM on random odd shapes, and linear layers with their
// gradients.
#include "hip/gemm/gemm.h"

#include <bit>

#include "activations.h"
#include "device.h"
#include "hip/portable/mma_strip.h"
#include "hip/stream.h"

using namespace aurora;
using namespace aurora::test;
using hip::Gemm;
using hip::GemmKernel;
using hip::GemmPlan;

namespace {

/// A stored matrix, its rows `stride` apart from element `offset` on; the memory ends with its last element.
struct Stored {
  int64_t rows, columns, stride, offset;
  Numbers numbers;

  Stored(DType type, int64_t rows, int64_t columns, int64_t gap, int64_t offset)
      : rows(rows), columns(columns), stride(columns + gap), offset(offset), numbers(Numbers::normal(type, {offset + rows * stride - gap})) {}
  double at(int64_t i, int64_t j) const { return numbers[offset + i * stride + j]; }
  void* on(Bench& bench, View& view) const {
    view = bench.tensor(numbers);
    return view.as<std::byte>() + offset * static_cast<int64_t>(byteSize(numbers.dtype));
  }
};

struct Case {
  int64_t m, n, k;
  DType input, output;
  bool aTransposed, bTransposed;
  GemmPlan plan;
  int64_t gap, offset;  // gap: of strides; both in elements
  bool biased;
  Activation activation;
  float alpha, beta;

  std::string text() const {
    const char* kernels[] = {"thin", "tile64", "tile128"};
    const auto number = [](auto x) { return std::to_string(x); };
    const std::string factors = std::string(aTransposed ? " aᵀ" : " a") + (bTransposed ? "·bᵀ " : "·b ");
    const std::string epilogue = (biased ? ", bias, activation " : ", activation ") + number(static_cast<int>(activation));
    return std::string("gemm ") + kernels[static_cast<int>(plan.kernel)] + " in " + number(plan.slices) + ", " + name(input) + " → " + name(output) +
           factors + number(m) + " × " + number(n) + " × " + number(k) + ", gap " + number(gap) + ", offset " + number(offset) + epilogue + ", alpha " +
           number(alpha) + ", beta " + number(beta) + ", waves of " + number(AURORA_WAVE);
  }
};

/// Whether the case could be run: a thin kernel, say, is not for all shapes.
bool testGemm(const Case& c) {
  const auto stored = [&](int64_t outer, bool transposed, int64_t inner) {
    return Stored(c.input, transposed ? inner : outer, transposed ? outer : inner, c.gap, c.offset);
  };
  const Stored a = stored(c.m, c.aTransposed, c.k), b = stored(c.k, c.bTransposed, c.n);
  const Stored y(c.output, c.m, c.n, c.gap, c.offset), bias(c.output, 1, c.n, 0, c.offset);
  const bool activated = c.activation != Activation::none;
  Outputs found[2];
  for (Outputs& outputs : found) {
    Bench bench(hip::open(0));
    View av, bv, biasView, yView, zView;
    const void *aData = a.on(bench, av), *bData = b.on(bench, bv);
    void* yData = y.on(bench, yView);
    const Gemm gemm{c.m,           c.n,   c.k,      aData,   a.stride, c.aTransposed, bData, b.stride,
                    c.bTransposed, yData, y.stride, c.input, c.output, c.alpha,       c.beta};
    hip::Epilogue epilogue{nullptr, c.activation, activated ? y.on(bench, zView) : nullptr};
    if (c.biased) epilogue.bias = bias.on(bench, biasView);
    if (!hip::suits(c.plan.kernel, gemm)) return false;
    try {
      static_cast<hip::GpuStream&>(bench.stream()).submit("gemm", [&](hip::Context& context) { hip::builtinGemm(context, gemm, epilogue, c.plan); });
    } catch (const Error& error) {
      check(false, c.text() + ": " + error.what());
      return true;
    }
    outputs.push_back(bench.read(yView));
    if (activated) outputs.push_back(bench.read(zView));
  }
  check(found[0] == found[1], c.text() + ": twice the same");
  for (int64_t i = 0; i < c.m; ++i)
    for (int64_t j = 0; j < y.stride; ++j) {
      const int64_t at = y.offset + i * y.stride + j;
      if (at >= y.numbers.size()) break;
      const auto fails = [&](const std::string& how) {
        check(false, c.text() + ": element " + std::to_string(i) + ", " + std::to_string(j) + " " + how);
        return true;
      };
      if (j >= c.n) {
        if (found[0][0][at] == y.numbers[at]) continue;
        return fails("is not c's and was written");
      }
      double sum = 0, magnitude = 0;
      for (int64_t p = 0; p < c.k; ++p) {
        const double term = (c.aTransposed ? a.at(p, i) : a.at(i, p)) * (c.bTransposed ? b.at(j, p) : b.at(p, j));
        sum += term;
        magnitude += std::fabs(term);
      }
      const double z = c.alpha * sum + (c.beta != 0 ? c.beta * y.at(i, j) : 0) + (c.biased ? bias.at(0, j) : 0);
      const double tolerance = 2e-6 * (1 + std::fabs(z)) + 4e-7 * std::fabs(c.alpha) * magnitude;
      if (!near(found[0][0], at, activate(z, c.activation), tolerance))
        return fails("is " + std::to_string(found[0][0][at]) + ", expected " + std::to_string(activate(z, c.activation)));
      if (activated && !near(found[0][1], at, z, tolerance)) return fails("has a wrong preactivation");
    }
  return true;
}

void testGemms() {
  constexpr std::pair<DType, DType> types[] = {{DType::f32, DType::f32}, {DType::bf16, DType::bf16}, {DType::bf16, DType::f32}};
  const auto pick = [](auto... choices) { return std::array{choices...}[static_cast<size_t>(between(0, sizeof...(choices) - 1))]; };
  int ran = 0;
  for (const auto& [input, output] : types)
    for (const auto& [aTransposed, bTransposed] : {std::pair{false, true}, std::pair{false, false}, std::pair{true, false}})
      for (GemmKernel kernel : {GemmKernel::thin, GemmKernel::tile64, GemmKernel::tile128})
        for (bool aligned : {true, false})
          for (int64_t slices : {1, 2, 3}) {
            if (kernel == GemmKernel::thin && slices > 1) continue;
            const int64_t size = kernel == GemmKernel::thin ? 15 : kernel == GemmKernel::tile64 ? 140 : 270;
            // Aligned ones have strides and offsets of 16 bytes, but odd sizes wherever these stay possible.
            const int64_t m = between(1, size), n = between(1, 150), k = between(1, 150);
            Case c{m, n, k, input, output, aTransposed, bTransposed, {kernel, slices}, between(0, 3), between(0, 3)};
            if (slices > 1) c.k = between(130, 300);
            if (aligned) {
              if (!bTransposed) c.n = c.n / 8 * 8 + 8;
              if (aTransposed) c.m = c.m / 8 * 8 + 8;
              c.offset = pick(0, 8);
              c.gap = pick(0, 8);
            }
            c.biased = pick(true, false);
            c.activation = pick(Activation::none, Activation::gelu, Activation::geluTanh);
            c.alpha = pick(1.0f, 0.5f);
            c.beta = pick(0.0f, 1.0f, -0.75f);
            if (aligned && !aTransposed) {  // k's ends inside a piece need a stride of whole pieces all the same
              const int64_t odd = c.k % 8;
              c.gap = c.gap + (odd ? 8 - odd : 0);
              if (!bTransposed && odd) c.gap = 8, c.k = c.k - odd + 8;
            }
            ran += testGemm(c);
          }
  check(ran >= 72, "products of most kinds ran, " + std::to_string(ran));
  // Exactly one tile, one step more, one less; a single element; long sums in one slice.
  for (const auto& [input, output] : types)
    for (int64_t k : {31, 32, 33, 64}) {
      const int64_t gap = k % 8 ? 8 - k % 8 : 0;
      testGemm({128, 128, k, input, output, false, true, {GemmKernel::tile128, 1}, gap, 0, true, Activation::none, 1, 0});
    }
  testGemm({1, 1, 1, DType::bf16, DType::bf16, false, true, {GemmKernel::tile64, 1}, 0, 0, true, Activation::gelu, 1, 0});
  testGemm({16, 40, 5000, DType::bf16, DType::bf16, false, true, {GemmKernel::thin, 1}, 0, 0, true, Activation::gelu, 1, 0});
  testGemm({3, 16, 4099, DType::f32, DType::f32, false, true, {GemmKernel::thin, 1}, 1, 0, false, Activation::none, 1, 1});
}

/// Lanes that are served together never meet in a bank: the promise of pieceAt.
void testBanks() {
  const auto distinct = [](const std::vector<int>& bytes, int size, const char* what) {
    uint64_t units = 0;
    for (int at : bytes) units |= uint64_t{1} << at % 128 / size;
    check(std::popcount(units) == static_cast<int>(bytes.size()), std::string("no two lanes in a bank: ") + what);
  };
  for (int row = 0; row < 128; row += 4)
    for (int piece = 0; piece < hip::kPieces; ++piece) {
      std::vector<int> rows, mixed, pieces;
      for (int i = 0; i < 8; ++i) {
        rows.push_back(hip::pieceAt(row / 8 * 8 + i, piece));
        mixed.push_back(hip::pieceAt((row + i) % 128, i < 4 ? piece : piece ^ 1));
        pieces.push_back(hip::pieceAt(row + i / 4, i % 4));
      }
      distinct(rows, 16, "a piece of eight rows");
      distinct(mixed, 16, "a piece of four rows, another of four");
      distinct(pieces, 16, "two rows");
      for (int j = 0; j < 4; ++j) {
        std::vector<int> halves;
        for (int i = 0; i < 16; ++i) halves.push_back(hip::pieceAt(row / 8 * 8 + i / 8 * 4 + j, i % 8 / 2) + i % 2 * 8);
        distinct(halves, 8, "halves of rows four apart");
      }
      for (int j = 0; j < 2; ++j) {
        std::vector<int> turned;
        for (int i = 0; i < 8; ++i) turned.push_back(hip::pieceAt(row / 4 * 4 + i / 4 * 2 + j, i % 4));
        distinct(turned, 16, "rows two apart");
      }
    }
}

/// Each thread copies 16 bytes and reads its neighbour's.
template <bool waits>
AURORA_KERNEL(128) void copyKernel(const float* x, float* y) {
  float* const shared = hip::sharedMemory<float>();
  for (int j = 0; j < 4; ++j) shared[hip::threadIndex() * 4 + j] = -1;
  hip::copyAsync(shared + hip::threadIndex() * 4, x + hip::threadIndex() * 4);
  if (waits) hip::awaitCopies();
  hip::blockSync();
  for (int j = 0; j < 4; ++j) y[hip::threadIndex() * 4 + j] = shared[(hip::threadIndex() * 4 + j + 4) % 512];
}

/// Where copies are asynchronous, a kernel that does not wait for them is found out.
void testCopies() {
  Bench bench(hip::open(0));
  const Numbers x = Numbers::normal(DType::f32, {512});
  const View source = bench.tensor(x), y = bench.tensor(Numbers(DType::f32, {512})), early = bench.tensor(Numbers(DType::f32, {512}));
  hip::launch<copyKernel<true>>(hip::Queue{}, hip::Grid(1), 128, 2048, source.as<float>(), y.as<float>());
  hip::launch<copyKernel<false>>(hip::Queue{}, hip::Grid(1), 128, 2048, source.as<float>(), early.as<float>());
  const Numbers found = bench.read(y), unready = bench.read(early);
  for (int64_t i = 0; i < 512; ++i)
    check(found[i] == x[(i + 4) % 512] && unready[i] == (hip::kAsyncCopies ? -1 : x[(i + 4) % 512]), "copies past the registers");
}

void testPlans() {
  hip::DeviceProperties device;
  device.computeUnits = 110;
  const auto plan = [&](int64_t m, int64_t n, int64_t k, bool aTransposed, bool bTransposed, DType type = DType::bf16) {
    const int64_t aStride = aTransposed ? m : k, bStride = bTransposed ? k : n;
    return hip::planGemm(device, {m, n, k, nullptr, aStride, aTransposed, nullptr, bStride, bTransposed, nullptr, n, type, DType::f32});
  };
  const GemmPlan training = plan(8192, 8192, 2048, false, true), gradient = plan(2304, 2048, 8192, true, false);
  const GemmPlan small = plan(64, 64, 8192, true, false);
  check(training.kernel == GemmKernel::tile128 && training.slices == 1, "a layer of a training step: large tiles, whole sums");
  check(gradient.kernel == GemmKernel::tile128, "its gradient: large tiles");
  check(small.slices > 8, "a small result of long sums: slices");
  check(plan(1, 49152, 2048, false, true).kernel == GemmKernel::thin && plan(17, 64, 64, false, true).kernel == GemmKernel::tile64, "few rows: thin");
  check(plan(500, 501, 500, false, false).kernel == GemmKernel::tile64, "rows that do not move in pieces: tile64");
  for (int i = 0; i < 200; ++i) {
    const int64_t k = between(1, 20000), steps = (k + 31) / 32;
    const GemmPlan some = plan(between(1, 3000), between(1, 3000), k, false, true);
    check(some.slices >= 1 && (some.slices - 1) * ((steps + some.slices - 1) / some.slices) < steps, "no slice is empty");
  }
}

/// aᵀ·b of odd sizes through the door, which cuts off the rows that keep the others from moving in pieces.
void testOddRows() {
  constexpr int64_t m = 71, n = 24, k = 50, aStride = 72;
  const Numbers a = Numbers::normal(DType::bf16, {k, aStride}), b = Numbers::normal(DType::bf16, {k, n}), c = Numbers::normal(DType::f32, {m, n});
  Bench bench(hip::open(0));
  const View aView = bench.tensor(a), bView = bench.tensor(b), cView = bench.tensor(c);
  static_cast<hip::GpuStream&>(bench.stream()).submit("gemm", [&](hip::Context& context) {
    hip::gemm(context, {m, n, k, aView.data, aStride, true, bView.data, n, false, cView.data, n, DType::bf16, DType::f32, 1, 1});
    try {
      hip::gemm(context, {m, n, k, aView.data, aStride, true, bView.data, k, true, cView.data, n, DType::bf16, DType::f32});
      check(false, "two transposed operands are refused");
    } catch (const Error&) {
    }
  });
  const Numbers found = bench.read(cView);
  for (int64_t i = 0; i < m * n; ++i) {
    double sum = c[i], magnitude = 0;
    for (int64_t p = 0; p < k; ++p) {
      sum += a[p * aStride + i / n] * b[p * n + i % n];
      magnitude += std::fabs(a[p * aStride + i / n] * b[p * n + i % n]);
    }
    check(near(found, i, sum, 2e-6 + 4e-7 * magnitude), "odd rows of aᵀ: element " + std::to_string(i));
  }
}

/// The door: no vendor here, so the plan's kernel; nothing to do without rows.
void testDoor() {
  Bench bench(hip::open(0));
  const Numbers x = Numbers::normal(DType::bf16, {7}), y = Numbers::normal(DType::bf16, {5, 9});
  const View source = bench.tensor(x), target = bench.tensor(y);
  static_cast<hip::GpuStream&>(bench.stream()).submit("gemm", [&](hip::Context& context) {
    hip::broadcastRows(context, DType::bf16, source.data, target.as<uint16_t>() + 1, 9, 5, 7);
    hip::gemm(context, {0, 9, 7, nullptr, 7, false, nullptr, 7, true, nullptr, 9, DType::bf16, DType::bf16});
  });
  const Numbers found = bench.read(target);
  for (int64_t i = 0; i < 45; ++i) check(found[i] == (i % 9 >= 1 && i % 9 < 8 ? x[i % 9 - 1] : y[i]), "a row repeated, strided");
}

struct Shapes {
  int64_t N, D, F;
  std::string text() const {
    return "N " + std::to_string(N) + ", D " + std::to_string(D) + ", F " + std::to_string(F) + ", waves of " + std::to_string(AURORA_WAVE);
  }
};

/// Σₖ a(k), and the sum of the terms' absolute values, against which errors are measured.
struct Sum {
  double value = 0, magnitude = 0;
  Sum(int64_t count, const std::function<double(int64_t)>& term) {
    for (int64_t k = 0; k < count; ++k) {
      const double x = term(k);
      value += x;
      magnitude += std::fabs(x);
    }
  }
  bool near(const Numbers& found, int64_t i, double start, double termError) const {
    return test::near(found, i, start + value, 3e-6 + (4e-7 + termError) * magnitude);
  }
};

/// `run` on the emulator, twice; the same bits.
Outputs twice(const std::string& what, const std::function<Outputs(Bench&)>& run) {
  Outputs found[2];
  for (Outputs& outputs : found) {
    try {
      Bench bench(hip::open(0));
      outputs = run(bench);
    } catch (const Error& error) {
      check(false, what + ": " + error.what());
    }
  }
  check(found[0] == found[1], what + ": twice the same");
  return found[0];
}

void testForward(DType type, Shapes s, Activation activation, bool withBias) {
  const Numbers x = Numbers::normal(type, {s.N, s.D}), weight = Numbers::normal(type, {s.F, s.D}, 0, 1 / std::sqrt(s.D));
  const Numbers bias = Numbers::normal(type, {s.F}), empty(type, {s.N, s.F});
  const bool activated = activation != Activation::none;
  const std::string what = std::string("linear ") + name(type) + " " + s.text();
  const Outputs out = twice(what, [&](Bench& bench) {
    const View y = bench.tensor(empty), alone = bench.tensor(empty), z = activated ? bench.tensor(empty) : View{};
    const View xs = bench.tensor(x), ws = bench.tensor(weight), bs = withBias ? bench.tensor(bias) : View{};
    bench.backend().linear(bench.stream(), {xs, ws, bs, activation, y, z});
    bench.backend().linear(bench.stream(), {xs, ws, bs, activation, alone, View{}});
    Outputs outputs{bench.read(y), bench.read(alone)};
    if (activated) outputs.push_back(bench.read(z));
    return outputs;
  });
  if (out.empty()) return;
  check(out[0] == out[1], what + ": without the preactivation the same");
  for (int64_t i = 0; i < s.N * s.F; ++i) {
    const int64_t n = i / s.F, f = i % s.F;
    const Sum sum(s.D, [&](int64_t d) { return x[n * s.D + d] * weight[f * s.D + d]; });
    const double z = sum.value + (withBias ? bias[f] : 0), small = 4e-6 + 4e-7 * sum.magnitude;
    if (near(out[0], i, activate(z, activation), small) && (!activated || near(out[2], i, z, small))) continue;
    const double expected = activate(z, activation);
    return check(false, what + ": element " + std::to_string(i) + " is " + std::to_string(out[0][i]) + ", expected " + std::to_string(expected));
  }
}

void testBackward(DType type, Shapes s, Activation activation) {
  const Numbers dy = Numbers::normal(type, {s.N, s.F}), z = Numbers::normal(type, {s.N, s.F}, 0, 2);
  const Numbers x = Numbers::normal(type, {s.N, s.D}), weight = Numbers::normal(type, {s.F, s.D}), empty(type, {s.N, s.D});
  const Numbers dweight0 = Numbers::normal(DType::f32, {s.F, s.D}), dbias0 = Numbers::normal(DType::f32, {s.F});
  const bool activated = activation != Activation::none;
  const std::string kind = std::string(name(type)) + " activation " + std::to_string(static_cast<int>(activation));
  const std::string what = "linearBackward " + kind + " " + s.text();
  const Outputs out = twice(what, [&](Bench& bench) {
    const View dx = bench.tensor(empty), alone = bench.tensor(empty), dweight = bench.tensor(dweight0), dbias = bench.tensor(dbias0);
    const View dys = bench.tensor(dy), xs = bench.tensor(x), ws = bench.tensor(weight), saved = activated ? bench.tensor(z) : View{};
    bench.backend().linearBackward(bench.stream(), {dys, xs, ws, saved, activation, dx, dweight, dbias});
    bench.backend().linearBackward(bench.stream(), {dys, xs, ws, saved, activation, alone, View{}, View{}});
    return Outputs{bench.read(dx), bench.read(dweight), bench.read(dbias), bench.read(alone)};
  });
  if (out.empty()) return;
  check(out[0] == out[3], what + ": dx alone is the same");
  std::vector<double> dz(static_cast<size_t>(s.N * s.F));
  for (int64_t i = 0; i < s.N * s.F; ++i) dz[static_cast<size_t>(i)] = dy[i] * activationDerivative(z[i], activation);
  const auto gradient = [&](int64_t n, int64_t f) { return dz[static_cast<size_t>(n * s.F + f)]; };
  // With bf16, an activation's gradient is rounded before it enters the products.
  const double rounding = type == DType::bf16 && activated ? 0x1p-8 : 0;
  const auto verify = [&](const char* part, const Numbers& found, const Numbers* start, double termError, const std::function<Sum(int64_t)>& sum) {
    for (int64_t i = 0; i < found.size(); ++i) {
      const Sum exact = sum(i);
      const double before = start ? (*start)[i] : 0;
      if (exact.near(found, i, before, termError)) continue;
      return check(false, what + " " + part + ": element " + std::to_string(i) + " is " + std::to_string(found[i]) + ", expected " +
                              std::to_string(exact.value + before));
    }
  };
  verify("dx", out[0], nullptr, rounding, [&](int64_t i) {
    return Sum(s.F, [&](int64_t f) { return gradient(i / s.D, f) * weight[f * s.D + i % s.D]; });
  });
  verify("dweight", out[1], &dweight0, rounding, [&](int64_t i) {
    return Sum(s.N, [&](int64_t n) { return gradient(n, i / s.D) * x[n * s.D + i % s.D]; });
  });
  verify("dbias", out[2], &dbias0, 0, [&](int64_t f) { return Sum(s.N, [&](int64_t n) { return gradient(n, f); }); });
}

}  // namespace

int main() {
  testBanks();
  testCopies();
  testPlans();
  testDoor();
  testOddRows();
  testGemms();
  for (DType type : kFloats)
    for (Activation activation : kActivations) {
      testForward(type, {between(1, 80), between(1, 70), between(1, 90)}, activation, true);
      testForward(type, {between(1, 12), between(1, 12) * 8, between(1, 90)}, activation, between(0, 1) == 1);  // thin
      testForward(type, {0, 5, 6}, activation, true);
      testBackward(type, {between(1, 80), between(1, 70), between(1, 90)}, activation);
      testBackward(type, {between(250, 600), between(1, 4) * 8, between(1, 6) * 8}, activation);  // several slabs, wide
      testBackward(type, {0, 5, 6}, activation);
    }
  return finish("GPU gemm");
}
