// The probe reports the work it was asked for, and copies what it says it copies.
#include "numbers.h"

using namespace aurora;
using namespace aurora::test;

namespace {

Outputs run(const cpu::KernelTable& kernels, cpu::Context& context, Numbers buffer, ProbeKind kind, int64_t rounds) {
  Numbers work(DType::f32, {1});
  kernels.probe(context, {buffer.view(), kind, rounds, work.view()});
  return {work, buffer};
}

void testArithmetic(ProbeKind kind) {
  const Numbers none(DType::f32, {0});
  onEverySet(
      "probe",
      [&](const cpu::KernelTable& kernels, cpu::Context& context) {
        const Outputs one = run(kernels, context, none, kind, 1), three = run(kernels, context, none, kind, 3);
        return Outputs{one[0], three[0]};
      },
      [&](const Outputs& out, const std::string& what) {
        check(out[0][0] >= 0 && std::fabs(out[1][0] - 3 * out[0][0]) <= 1e-6 * out[1][0], what + ": three rounds are three times the work of one");
        if (kind == ProbeKind::multiplyAdd) check(out[0][0] > 1e6, what + ": every machine multiplies and adds");
      });
}

void testMemory(int64_t size, int64_t rounds) {
  const Numbers before = Numbers::normal(DType::f32, {size});
  const int64_t half = size / 2;
  for (const ProbeKind kind : {ProbeKind::read, ProbeKind::copy, ProbeKind::update}) {
    const bool copies = kind == ProbeKind::copy, updates = kind == ProbeKind::update && rounds > 0;
    onEverySet(
        "probe", [&](const cpu::KernelTable& kernels, cpu::Context& context) { return run(kernels, context, before, kind, rounds); },
        [&](const Outputs& out, const std::string& what) {
          check(out[0][0] == (rounds == 0 ? 0 : static_cast<double>(copies ? 8 * half : updates ? 8 * size : 4 * size)), what + ": the bytes of one pass");
          const auto expected = [&](int64_t i) { return copies && rounds > 0 && i >= half && i < 2 * half ? before[i - half] : before[i]; };
          checkAll(out[1], [&](int64_t i) { return updates ? -before[i] : expected(i); }, 0, what);
        });
  }
}

}  // namespace

int main() {
  for (const ProbeKind kind : {ProbeKind::multiplyAdd, ProbeKind::dotBf16}) testArithmetic(kind);
  for (int64_t rounds : {int64_t{0}, int64_t{1}, between(2, 9), between(50, 90)}) testMemory(between(0, 5000), rounds);
  return finish("probe");
}
