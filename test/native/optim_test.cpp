// AdamW against the published update in float64 over several steps, and the gradient norm.
#include <bit>
#include <limits>

#include "numbers.h"

using namespace aurora;
using namespace aurora::test;

namespace {

void testAdamW(DType type, int64_t size, double weightDecay) {
  constexpr int kSteps = 4;
  const double lr = 1e-2, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8, gradientScale = 0.37;
  const Numbers start = Numbers::normal(type, {size});
  std::vector<Numbers> gradients;
  for (int step = 0; step < kSteps; ++step) gradients.push_back(Numbers::normal(DType::f32, {size}));

  std::vector<double> m(size), v(size), w(size);
  for (int64_t i = 0; i < size; ++i) {
    w[i] = start[i];
    for (int t = 1; t <= kSteps; ++t) {
      const double g = gradients[t - 1][i] * gradientScale;
      m[i] = beta1 * m[i] + (1 - beta1) * g;
      v[i] = beta2 * v[i] + (1 - beta2) * g * g;
      w[i] -= lr * (m[i] / (1 - std::pow(beta1, t)) / (std::sqrt(v[i] / (1 - std::pow(beta2, t))) + epsilon) + weightDecay * w[i]);
    }
  }
  onEverySet(
      "adamw",
      [&](const cpu::KernelTable& kernels, cpu::Context& context) {
        Numbers parameter = start, master(DType::f32, {size}), first = Numbers::filled(DType::f32, {size}, 0), second = first;
        for (int64_t i = 0; i < size; ++i) master.set(i, start[i]);
        for (int step = 1; step <= kSteps; ++step)
          kernels.adamw(context, {parameter.view(), type == DType::bf16 ? master.view() : View{}, gradients[step - 1].view(), first.view(), second.view(),
                                  lr, beta1, beta2, epsilon, weightDecay, gradientScale, step, false, {}, 0});
        return Outputs{parameter, first, second, master};
      },
      [&](const Outputs& out, const std::string& what) {
        checkAll(out[0], [&](int64_t i) { return w[i]; }, 1e-6, what + " parameter " + name(type));
        checkAll(out[1], [&](int64_t i) { return m[i]; }, 1e-7, what + " m " + name(type));
        checkAll(out[2], [&](int64_t i) { return v[i]; }, 1e-7, what + " v " + name(type));
        if (type == DType::bf16) checkAll(out[3], [&](int64_t i) { return w[i]; }, 1e-6, what + " master");
      });
}

/// Element `at` of a random sequence.
uint32_t wordAt(const RandomKey& random, int64_t at) { return randomBlock(random, static_cast<uint64_t>(at) / 4)[at % 4]; }

/// The parameter is the f32 result rounded by the words of its elements, with master weights and without, in one call and in parts.
void testStochastic(int64_t size) {
  const int64_t first = 4 * between(0, 1000000), part = std::min(size, 4 * between(1, 9));
  const RandomKey random = randomKey();
  const Numbers start = Numbers::normal(DType::bf16, {size}), gradient = Numbers::normal(DType::f32, {size});
  onEverySet(
      "adamw",
      [&](const cpu::KernelTable& kernels, cpu::Context& context) {
        const auto update = [&](Numbers& parameter, Numbers* master, int64_t from, int64_t to) {
          Numbers g = gradient, m = Numbers::filled(DType::f32, {size}, 0), v = m;
          const auto range = [&](Numbers& of) {
            return View{of.bytes.data() + from * static_cast<int64_t>(byteSize(of.dtype)), of.dtype, {to - from}};
          };
          kernels.adamw(context, {range(parameter), master ? range(*master) : View{}, range(g), range(m), range(v), 1e-3, 0.9, 0.95, 1e-8, 0.1, 1, 1,
                                  true, random, first + from});
        };
        Numbers withMaster = start, alone = start, parts = start, master(DType::f32, {size});
        for (int64_t i = 0; i < size; ++i) master.set(i, start[i]);
        update(withMaster, &master, 0, size);
        update(alone, nullptr, 0, size);
        update(parts, nullptr, 0, part);
        update(parts, nullptr, part, size);
        return Outputs{withMaster, alone, parts, master};
      },
      [&](const Outputs& out, const std::string& what) {
        checkAll(out[0], [&](int64_t i) {
          const bf16 rounded = roundStochastic(static_cast<float>(out[3][i]), wordAt(random, first + i));
          return std::bit_cast<float>(uint32_t{rounded.bits} << 16);
        }, 0, what + " rounded stochastically");
        check(out[0] == out[1], what + ": the same without master weights");
        check(out[1] == out[2], what + ": the same in parts");
      });
}

/// Updates far below a bf16's last place move the mean by what they are; values that are not finite stay so.
void testUnbiased() {
  const int64_t size = 1 << 16;
  const double lr = 1e-4, ulp = 0x1p-8;  // of 1 downwards
  const RandomKey random = randomKey();
  onEverySet(
      "adamw",
      [&](const cpu::KernelTable& kernels, cpu::Context& context) {
        Numbers parameter = Numbers::filled(DType::bf16, {size}, 1), gradient = Numbers::filled(DType::f32, {size}, 1);
        Numbers m = Numbers::filled(DType::f32, {size}, 0), v = m;
        parameter.set(0, INFINITY);
        parameter.set(1, -INFINITY);
        parameter.set(2, NAN);
        kernels.adamw(context, {parameter.view(), {}, gradient.view(), m.view(), v.view(), lr, 0.9, 0.95, 1e-8, 0, 1, 1, true, random, 0});
        return Outputs{parameter};
      },
      [&](const Outputs& out, const std::string& what) {
        double mean = 0;
        for (int64_t i = 3; i < size; ++i) mean += out[0][i] / static_cast<double>(size - 3);
        const double p = lr / ulp, deviation = ulp * std::sqrt(p * (1 - p) / static_cast<double>(size));
        check(std::fabs(mean - (1 - lr)) <= 6 * deviation + 1e-7, what + ": the mean of stochastic rounding is " + std::to_string(mean));
        for (int64_t i = 0; i < 3; ++i) check(!std::isfinite(out[0][i]), what + ": what is not finite stays so");
      });
}

void testNorm(int64_t size) {
  Numbers x = Numbers::normal(DType::f32, {size}, 0.1);
  double total = 0;
  for (int64_t i = 0; i < size; ++i) total += x[i] * x[i];
  const auto norm = [](Numbers& of) {
    return [&of](const cpu::KernelTable& kernels, cpu::Context& context) {
      Numbers out(DType::f32, {1});
      kernels.l2Norm(context, {of.view(), out.view()});
      return Outputs{out};
    };
  };
  onEverySet("l2Norm", norm(x), [&](const Outputs& out, const std::string& what) {
    checkAll(out[0], [&](int64_t) { return std::sqrt(total); }, 1.2e-7 * std::sqrt(total), what + " of " + std::to_string(size));
  });
  if (size == 0) return;
  for (double bad : {std::numeric_limits<double>::infinity(), std::nan("")}) {
    Numbers broken = x;
    broken.set(between(0, size - 1), bad);
    onEverySet("l2Norm", norm(broken), [&](const Outputs& out, const std::string& what) {
      check(!std::isfinite(out[0][0]), what + ": a value that is not finite shows in the norm");
    });
  }
}

}  // namespace

int main() {
  for (DType type : kFloats)
    for (int64_t size : {int64_t{0}, between(1, 40), between(20000, 50000)}) {
      testAdamW(type, size, 0);
      testAdamW(type, size, 0.1);
    }
  for (int64_t size : {int64_t{0}, between(1, 40), between(1000, 3000), between(20000, 50000)}) testStochastic(size);
  testUnbiased();
  testNorm(0);
  testNorm(between(1, 40));
  testNorm(between(20000, 90000));
  // Squares that overflow f32 do not overflow the f64 sum.
  Numbers large = Numbers::filled(DType::f32, {33}, 1e30);
  onEverySet(
      "l2Norm",
      [&](const cpu::KernelTable& kernels, cpu::Context& context) {
        Numbers out(DType::f32, {1});
        kernels.l2Norm(context, {large.view(), out.view()});
        return Outputs{out};
      },
      [&](const Outputs& out, const std::string& what) {
        checkAll(out[0], [&](int64_t) { return 1e30 * std::sqrt(33.0); }, 1e24, what + " of large values");
      });
  return finish("optim");
}
