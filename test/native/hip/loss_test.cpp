// The head's cross-entropy and its gradients on the emulator against float64, on random odd shapes and with chunks of every kind.
#include "device.h"
#include "hip/loss/linear_cross_entropy.h"
#include "hip/stream.h"
#include "loss_reference.h"

using namespace aurora;
using namespace aurora::test;

namespace {

struct Problem : LossProblem {
  int64_t chunkRows;  // 0: as the operation chooses
  std::string text() const {
    return LossProblem::text() + ", chunks of " + std::to_string(chunkRows) + ", waves of " + std::to_string(AURORA_WAVE);
  }
};

void run(Bench& bench, const LinearCrossEntropy& args, int64_t chunkRows) {
  if (chunkRows == 0) return bench.backend().linearCrossEntropy(bench.stream(), args);
  static_cast<hip::GpuStream&>(bench.stream()).submit("linearCrossEntropy", [&](hip::Context& context) {
    hip::linearCrossEntropyByChunks(context, args, chunkRows);
  });
}

void testLoss(const Problem& p) {
  const Numbers h = Numbers::normal(p.type, {p.N, p.D}), weight = Numbers::normal(p.type, {p.V, p.D}, 0, 2 / std::sqrt(p.D));
  Numbers targets = Numbers::indices({p.N}, p.V);
  const Numbers weights = Numbers::normal(DType::f32, {p.N}, 1, 0.3);
  if (p.ignoring)
    for (int64_t n = 0; n < p.N; ++n)
      if (between(0, 2) == 0) targets.set(n, -static_cast<double>(between(1, 100)));
  const Numbers dweight0 = Numbers::normal(DType::f32, {p.V, p.D});
  const LossReference expected(p, h, weight, targets, weights);
  const View none;
  Outputs results[2];
  for (Outputs& out : results) {
    try {
      Bench bench(hip::open(0));
      const View hv = bench.tensor(h), wv = bench.tensor(weight), tv = bench.tensor(targets), weighted = bench.tensor(weights);
      const auto fresh = [&](DType type, Shape shape) { return bench.tensor(Numbers(type, shape)); };
      const View losses = fresh(DType::f32, {p.N}), dh = fresh(p.type, {p.N, p.D}), dweight = bench.tensor(dweight0), best = fresh(DType::i32, {p.N});
      const View lossesAlone = fresh(DType::f32, {p.N}), dhAlone = fresh(p.type, {p.N, p.D}), lossesWithBest = fresh(DType::f32, {p.N});
      run(bench, {hv, wv, tv, weighted, losses, dh, dweight, none}, p.chunkRows);
      run(bench, {hv, wv, tv, none, lossesAlone, none, none, none}, p.chunkRows);
      run(bench, {hv, wv, tv, weighted, lossesWithBest, dhAlone, none, best}, p.chunkRows);
      for (const View& view : {losses, dh, dweight, best, lossesAlone, dhAlone, lossesWithBest}) out.push_back(bench.read(view));
      const auto error = bench.stream().takeError();
      check(!error, p.text() + ": no failure" + (error ? ", found " + error->found : ""));
    } catch (const Error& error) {
      return check(false, p.text() + ": " + error.what());
    }
  }
  check(results[0] == results[1], p.text() + ": twice the same");
  const Outputs& out = results[0];
  const std::string what = p.text();
  const bool rounded = p.type == DType::bf16;  // the gradient of logits is rounded to bf16 as well
  checkAll(out[0], [&](int64_t n) { return expected.losses[n]; }, 1e-5, what + " losses");
  checkGradient(out[1], [&](int64_t i) { return expected.dh[i]; }, expected.dhMagnitude, rounded, what + " dh");
  checkGradient(out[2], [&](int64_t i) { return dweight0[i] + expected.dweight[i]; }, expected.dweightMagnitude, rounded, what + " dweight");
  check(out[0] == out[4] && out[0] == out[6] && out[1] == out[5], what + ": whatever else is asked for");
  for (int64_t n = 0; n < p.N; ++n) {
    const int64_t best = static_cast<int64_t>(out[3][n]);
    double z = 0;
    for (int64_t d = 0; d < p.D; ++d) z += h[n * p.D + d] * weight[best * p.D + d];
    check(z >= expected.top[n] - 1e-5, what + " best of row " + std::to_string(n));
    if (targets[n] >= 0) continue;
    check(out[0][n] == 0, what + ": an ignored row has no loss");
    for (int64_t d = 0; d < p.D; ++d) check(out[1][n * p.D + d] == 0, what + ": an ignored row has no gradient");
  }
}

/// A target beyond the vocabulary fails in the CPU's words; nothing outside the tensors is touched.
void testBadTarget() {
  const Numbers h = Numbers::normal(DType::f32, {3, 8}), weight = Numbers::normal(DType::f32, {5, 8}), weights = Numbers::filled(DType::f32, {3}, 1);
  Numbers targets = Numbers::filled(DType::i32, {3}, 2);
  targets.set(1, 5);
  targets.set(2, 1 << 30);
  agree("a target out of range", [&](Bench& bench) {
    const View losses = bench.tensor(Numbers(DType::f32, {3})), dh = bench.tensor(Numbers(DType::f32, {3, 8}));
    const View hv = bench.tensor(h), wv = bench.tensor(weight);
    bench.backend().linearCrossEntropy(bench.stream(), {hv, wv, bench.tensor(targets), bench.tensor(weights), losses, dh, View{}, View{}});
    return Outputs{};
  });
}

/// Logits far from 0, and ties; none.
void testExtremes() {
  const Numbers h = Numbers::filled(DType::f32, {2, 1}, 1000), weight = Numbers::filled(DType::f32, {40, 1}, 1);
  const Numbers targets = Numbers::filled(DType::i32, {2}, 3);
  Bench bench(hip::open(0));
  const View losses = bench.tensor(Numbers(DType::f32, {2})), best = bench.tensor(Numbers(DType::i32, {2})), wv = bench.tensor(weight);
  run(bench, {bench.tensor(h), wv, bench.tensor(targets), View{}, losses, View{}, View{}, best}, 0);
  checkAll(bench.read(losses), [](int64_t) { return std::log(40.0); }, 1e-6, "equal logits of 1000");
  const Numbers found = bench.read(best);
  check(found[0] == 0 && found[1] == 0, "the lowest index wins a tie");
  const View none = bench.tensor(Numbers(DType::f32, {0, 1})), noTargets = bench.tensor(Numbers(DType::i32, {0}));
  const View noLosses = bench.tensor(Numbers(DType::f32, {0}));
  run(bench, {none, wv, noTargets, noLosses, noLosses, none, View{}, View{}}, 0);
  check(!bench.stream().takeError(), "no rows, nothing done");
}

}  // namespace

int main() {
  for (DType type : kFloats) {
    testLoss({1, 1, 1, type, false, 0});
    testLoss({3, 17, 1000, type, false, 0});
    testLoss({40, 20, 130, type, true, 16});
    testLoss({9, 5, 2500, type, true, 1});
    testLoss({9, 8, 4099, type, true, 4});  // several tiles of columns
    for (int i = 0; i < 4; ++i) testLoss({between(1, 60), between(1, 50), between(2, 400), type, between(0, 1) == 1, between(1, 70)});
  }
  testBadTarget();
  testExtremes();
  return finish("GPU loss");
}
