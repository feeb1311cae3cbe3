// The head's cross-entropy and its gradients against float64 on random odd shapes.
#include "loss_reference.h"

using namespace aurora;
using namespace aurora::test;

namespace {

void testLoss(const LossProblem& p) {
  Numbers h = Numbers::normal(p.type, {p.N, p.D}), weight = Numbers::normal(p.type, {p.V, p.D}, 0, 2 / std::sqrt(p.D));
  Numbers targets = Numbers::indices({p.N}, p.V), weights = Numbers::normal(DType::f32, {p.N}, 1, 0.3);
  if (p.ignoring)
    for (int64_t n = 0; n < p.N; ++n)
      if (between(0, 2) == 0) targets.set(n, -static_cast<double>(between(1, 100)));
  const Numbers dweight0 = Numbers::normal(DType::f32, {p.V, p.D});
  const LossReference expected(p, h, weight, targets, weights);
  const View none;
  onEverySet(
      p.text(),
      [&](const cpu::KernelTable& kernels, cpu::Context& context) {
        Numbers losses(DType::f32, {p.N}), dh(p.type, {p.N, p.D}), dweight = dweight0, best(DType::i32, {p.N});
        Numbers lossesAlone = losses, dhAlone = dh, lossesWithBest = losses;
        const View hv = h.view(), wv = weight.view(), tv = targets.view();
        kernels.linearCrossEntropy(context, {hv, wv, tv, weights.view(), losses.view(), dh.view(), dweight.view(), none});
        kernels.linearCrossEntropy(context, {hv, wv, tv, none, lossesAlone.view(), none, none, none});
        kernels.linearCrossEntropy(context, {hv, wv, tv, weights.view(), lossesWithBest.view(), dhAlone.view(), none, best.view()});
        return Outputs{losses, dh, dweight, best, lossesAlone, dhAlone, lossesWithBest};
      },
      [&](const Outputs& out, const std::string& what) {
        const bool rounded = p.type == DType::bf16;  // the gradient of logits is rounded to bf16 as well
        checkAll(out[0], [&](int64_t n) { return expected.losses[n]; }, 1e-5, what + " losses");
        checkGradient(out[1], [&](int64_t i) { return expected.dh[i]; }, expected.dhMagnitude, rounded, what + " dh");
        checkGradient(out[2], [&](int64_t i) { return dweight0[i] + expected.dweight[i]; }, expected.dweightMagnitude, rounded,
                      what + " dweight");
        checkAll(out[4], [&](int64_t n) { return expected.losses[n]; }, 1e-5, what + " losses alone");
        checkGradient(out[5], [&](int64_t i) { return expected.dh[i]; }, expected.dhMagnitude, rounded, what + " dh without dweight");
        checkAll(out[6], [&](int64_t n) { return expected.losses[n]; }, 1e-5, what + " losses with best");
        for (int64_t n = 0; n < p.N; ++n) {
          const int64_t best = static_cast<int64_t>(out[3][n]);
          double z = 0;
          for (int64_t d = 0; d < p.D; ++d) z += h[n * p.D + d] * weight[best * p.D + d];
          check(z >= expected.top[n] - 1e-5, what + " best of row " + std::to_string(n));
          if (targets[n] >= 0) continue;
          check(out[0][n] == 0, what + ": an ignored row has no loss");
          for (int64_t d = 0; d < p.D; ++d) check(out[1][n * p.D + d] == 0, what + ": an ignored row has no gradient");
        }
      });
}

/// A target beyond the vocabulary fails and names itself; outputs are left alone.
void testBadTarget() {
  Numbers h = Numbers::normal(DType::f32, {3, 8}), weight = Numbers::normal(DType::f32, {5, 8}), losses(DType::f32, {3});
  Numbers targets = Numbers::filled(DType::i32, {3}, 5);
  for (const cpu::KernelTable* kernels : kernelSets()) {
    Workbench bench(1);
    cpu::Context context = bench.context("linearCrossEntropy");
    const View none;
    kernels->linearCrossEntropy(context, {h.view(), weight.view(), targets.view(), none, losses.view(), none, none, none});
    const auto error = bench.stream.takeError();
    check(error && std::string(error->code) == "ERR_INDEX" && error->found.find('5') != std::string::npos, "a target out of range fails");
  }
}

/// Logits far from 0, and ties.
void testExtremes() {
  Numbers h = Numbers::filled(DType::f32, {2, 1}, 1000), weight = Numbers::filled(DType::f32, {40, 1}, 1);
  Numbers targets = Numbers::filled(DType::i32, {2}, 3);
  onEverySet(
      "equal logits of 1000",
      [&](const cpu::KernelTable& kernels, cpu::Context& context) {
        Numbers losses(DType::f32, {2}), best(DType::i32, {2});
        const View none;
        kernels.linearCrossEntropy(context, {h.view(), weight.view(), targets.view(), none, losses.view(), none, none, best.view()});
        return Outputs{losses, best};
      },
      [&](const Outputs& out, const std::string& what) {
        checkAll(out[0], [](int64_t) { return std::log(40.0); }, 1e-6, what);
        check(out[1][0] == 0 && out[1][1] == 0, what + ": the lowest index wins a tie");
      });
}

}  // namespace

int main() {
  for (DType type : kFloats) {
    testLoss({1, 1, 1, type, false});
    testLoss({3, 17, 1000, type, false});
    testLoss({40, 20, 130, type, true});
    testLoss({9, 5, 2500, type, true});
    for (int i = 0; i < 4; ++i) testLoss({between(1, 60), between(1, 50), between(2, 400), type, between(0, 1) == 1});
    testLoss({30, 3, 120000, type, true});  // more rows than a chunk of logits holds
  }
  testBadTarget();
  testExtremes();
  return finish("loss");
}
