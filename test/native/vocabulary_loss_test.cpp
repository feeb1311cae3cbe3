// The head's cross-entropy with its vocabulary cut into slices against float64 on random odd shapes: every slice in its turn, as if each were on a rank
// of its own.
#include "core/error.h"
#include "loss_reference.h"

using namespace aurora;
using namespace aurora::test;

namespace {

/// Rows [from, to) of a matrix.
Numbers rowsOf(const Numbers& x, int64_t from, int64_t to) {
  const int64_t width = x.shape[1];
  return Numbers::make(x.dtype, {to - from, width}, [&](int64_t i) { return x[from * width + i]; });
}

void testSlices(const LossProblem& p, int64_t slices) {
  Numbers h = Numbers::normal(p.type, {p.N, p.D}), targets = Numbers::indices({p.N}, p.V), weights = Numbers::normal(DType::f32, {p.N}, 1, 0.3);
  const Numbers weight = Numbers::normal(p.type, {p.V, p.D}, 0, 2 / std::sqrt(p.D)), dweight0 = Numbers::normal(DType::f32, {p.V, p.D});
  if (p.ignoring)
    for (int64_t n = 0; n < p.N; ++n)
      if (between(0, 2) == 0) targets.set(n, -1);
  const LossReference expected(p, h, weight, targets, weights);

  std::vector<int64_t> ends{p.V};  // of slices, none of them empty
  for (int64_t slice = 1; slice < slices; ++slice) {
    int64_t end;
    do end = between(1, p.V - 1);
    while (std::find(ends.begin(), ends.end(), end) != ends.end());
    ends.push_back(end);
  }
  std::sort(ends.begin(), ends.end());
  struct Slice {
    int64_t start, end;
    Numbers weight, targets, dweight0;
  };
  std::vector<Slice> parts;
  for (size_t slice = 0; slice < ends.size(); ++slice) {
    const int64_t start = slice ? ends[slice - 1] : 0, end = ends[slice];
    const Numbers local = Numbers::make(DType::i32, {p.N}, [&](int64_t n) {
      if (targets[n] < 0) return -1.0;
      const bool here = targets[n] >= static_cast<double>(start) && targets[n] < static_cast<double>(end);
      return here ? targets[n] - static_cast<double>(start) : -static_cast<double>(between(2, 100));
    });
    parts.push_back({start, end, rowsOf(weight, start, end), local, rowsOf(dweight0, start, end)});
  }

  onEverySet(
      "vocabulary " + p.text() + " in " + std::to_string(slices),
      [&](const cpu::KernelTable& kernels, cpu::Context& context) {
        Outputs out;
        Numbers gathered(DType::f32, {slices, 3, p.N});
        std::vector<Numbers> exponentials;
        for (int64_t slice = 0; slice < slices; ++slice) {
          Slice part = parts[static_cast<size_t>(slice)];
          Numbers partials(DType::f32, {3, p.N});
          exponentials.emplace_back(DType::f32, Shape{p.N, part.end - part.start});
          kernels.vocabularyExponentials(context, {h.view(), part.weight.view(), part.targets.view(), exponentials.back().view(), partials.view()});
          std::copy(partials.bytes.begin(), partials.bytes.end(), gathered.bytes.begin() + slice * static_cast<int64_t>(partials.bytes.size()));
        }
        for (int64_t slice = 0; slice < slices; ++slice) {
          Slice part = parts[static_cast<size_t>(slice)];
          Numbers &kept = exponentials[static_cast<size_t>(slice)], losses(DType::f32, {p.N}), alone = losses, dh(p.type, {p.N, p.D});
          const View hv = h.view(), wv = part.weight.view(), tv = part.targets.view(), gv = gathered.view();
          kernels.vocabularyCrossEntropy(context, {hv, wv, tv, gv, slice, {}, {}, alone.view(), {}, {}});
          kernels.vocabularyCrossEntropy(context, {hv, wv, tv, gv, slice, weights.view(), kept.view(), losses.view(), dh.view(), part.dweight0.view()});
          for (const Numbers& result : {losses, alone, dh, part.dweight0}) out.push_back(result);
        }
        return out;
      },
      [&](const Outputs& out, const std::string& what) {
        const bool rounded = p.type == DType::bf16;  // the gradient of logits is rounded to bf16, and each slice's share of dh
        std::vector<double> dh(expected.dh.size());
        for (size_t slice = 0; slice < parts.size(); ++slice) {
          const Numbers &losses = out[4 * slice], &dweight = out[4 * slice + 3];
          checkAll(losses, [&](int64_t n) { return expected.losses[n]; }, 1e-5, what + " losses");
          check(losses == out[4 * slice + 1], what + ": losses alone are the same");
          for (int64_t n = 0; n < p.N; ++n) check(targets[n] >= 0 || losses[n] == 0, what + ": an ignored row has no loss");
          const int64_t from = parts[slice].start * p.D;
          const std::vector<double> magnitude(expected.dweightMagnitude.begin() + from, expected.dweightMagnitude.begin() + parts[slice].end * p.D);
          checkGradient(dweight, [&](int64_t i) { return dweight0[from + i] + expected.dweight[from + i]; }, magnitude, rounded, what + " dweight");
          for (size_t i = 0; i < dh.size(); ++i) dh[i] += out[4 * slice + 2][static_cast<int64_t>(i)];
        }
        for (size_t i = 0; i < dh.size(); ++i) {
          // A share of dh may be much larger than their sum: magnitudes bound the shares, too.
          const double tolerance = 2e-6 + (4e-6 + (rounded ? 2 * 0x1p-8 : 0)) * expected.dhMagnitude[i];
          if (std::fabs(dh[i] - expected.dh[i]) <= tolerance) continue;
          return check(false, what + " dh: element " + std::to_string(i) + " is " + std::to_string(dh[i]) + ", expected " + std::to_string(expected.dh[i]));
        }
      });
}

/// A target beyond the slice fails and names itself.
void testBadTarget() {
  Numbers h = Numbers::normal(DType::f32, {3, 8}), weight = Numbers::normal(DType::f32, {5, 8}), targets = Numbers::filled(DType::i32, {3}, -2);
  targets.set(1, 5);
  for (const cpu::KernelTable* kernels : kernelSets()) {
    Workbench bench(1);
    cpu::Context context = bench.context("vocabularyExponentials");
    Numbers exponentials(DType::f32, {3, 5}), partials(DType::f32, {3, 3});
    kernels->vocabularyExponentials(context, {h.view(), weight.view(), targets.view(), exponentials.view(), partials.view()});
    const auto error = bench.stream.takeError();
    check(error && std::string(error->code) == code::kIndex && error->found.find('5') != std::string::npos, "a target beyond the slice fails");
  }
}

}  // namespace

int main() {
  for (DType type : kFloats) {
    testSlices({1, 1, 1, type, false}, 1);
    testSlices({between(1, 20), between(1, 30), between(600, 1500), type, true}, 2);
    for (int64_t slices = 1; slices <= 4; ++slices) testSlices({between(1, 40), between(1, 50), between(8, 200), type, between(0, 1) == 1}, slices);
  }
  testBadTarget();
  return finish("loss over slices of the vocabulary");
}
