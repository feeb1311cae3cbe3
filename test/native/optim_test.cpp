// AdamW against the published update in float64 over several steps, and the gradient norm.
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
                                  lr, beta1, beta2, epsilon, weightDecay, gradientScale, step});
        return Outputs{parameter, first, second, master};
      },
      [&](const Outputs& out, const std::string& what) {
        checkAll(out[0], [&](int64_t i) { return w[i]; }, 1e-6, what + " parameter " + name(type));
        checkAll(out[1], [&](int64_t i) { return m[i]; }, 1e-7, what + " m " + name(type));
        checkAll(out[2], [&](int64_t i) { return v[i]; }, 1e-7, what + " v " + name(type));
        if (type == DType::bf16) checkAll(out[3], [&](int64_t i) { return w[i]; }, 1e-6, what + " master");
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
