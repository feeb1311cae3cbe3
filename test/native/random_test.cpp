// Random tensors: bit-equal to core/random.h and to each other on every kernel set, and distributed as they should be.
#include <optional>

#include "numbers.h"

using namespace aurora;
using namespace aurora::test;

namespace {

double uniformOf(const RandomKey& random, int64_t i) { return uniform(randomBlock(random, static_cast<uint64_t>(i) / 4)[i % 4]); }

/// Holds what every kernel set gives to what the first one gave.
void checkSame(std::optional<Numbers>& first, const Numbers& found, const std::string& what) {
  if (!first) first = found;
  check(*first == found, what + ": equal on every instruction set");
}

void testUniform(DType type, int64_t size) {
  const RandomKey random = randomKey();
  std::optional<Numbers> first;
  onEverySet(
      "randomUniform",
      [&](const cpu::KernelTable& kernels, cpu::Context& context) {
        Numbers y(type, {size}), scaled(type, {size});
        kernels.randomUniform(context, {y.view(), 0, 1, random});
        kernels.randomUniform(context, {scaled.view(), -0.3, 0.7, random});
        return Outputs{y, scaled};
      },
      [&](const Outputs& out, const std::string& what) {
        checkAll(out[0], [&](int64_t i) { return uniformOf(random, i); }, 0, what + " " + name(type));
        checkAll(out[1], [&](int64_t i) { return -0.3 + uniformOf(random, i); }, 1e-7, what + " scaled " + name(type));
        checkSame(first, out[1], what + " scaled");
      });
}

void testNormal(DType type, int64_t size) {
  const RandomKey random = randomKey();
  std::optional<Numbers> first;
  const double mean = 0.5, std = 0.02;
  onEverySet(
      "randomNormal",
      [&](const cpu::KernelTable& kernels, cpu::Context& context) {
        Numbers y(type, {size}), scaled(type, {size});
        kernels.randomNormal(context, {y.view(), 0, 1, random});
        kernels.randomNormal(context, {scaled.view(), mean, std, random});
        return Outputs{y, scaled};
      },
      [&](const Outputs& out, const std::string& what) {
        const auto normal = [&](int64_t i) {
          const double radius = std::sqrt(-2 * std::log(uniformOf(random, i & ~int64_t{1}) + 0x1p-24));
          const double angle = 2 * M_PI * uniformOf(random, i | 1);
          return radius * (i % 2 ? std::sin(angle) : std::cos(angle));
        };
        checkAll(out[0], normal, 1.5e-6, what + " " + name(type));
        checkAll(out[1], [&](int64_t i) { return mean + std * normal(i); }, 1e-7, what + " scaled " + name(type));
        checkSame(first, out[1], what + " scaled");
      });
}

/// Moments of a million normals, from a fixed key: bounds of five standard errors.
void testMoments() {
  const int64_t size = 1 << 20;
  Numbers y(DType::f32, {size});
  Workbench bench(2);
  cpu::Context context = bench.context("randomNormal");
  kernelSets().back()->randomNormal(context, {y.view(), 0, 1, {{1, 2}, {3, 4}}});
  double moments[5] = {}, neighbours = 0;
  for (int64_t i = 0; i < size; ++i) {
    double power = 1;
    for (double& moment : moments) {
      moment += power / size;
      power *= y[i];
    }
    neighbours += y[i] * y[i ^ 1] / size;
  }
  const double unit = 5 / std::sqrt(static_cast<double>(size));
  check(std::fabs(moments[1]) < unit, "mean of normals");
  check(std::fabs(moments[2] - 1) < unit * std::sqrt(2.0), "variance of normals");
  check(std::fabs(moments[3]) < unit * std::sqrt(15.0), "skewness of normals");
  check(std::fabs(moments[4] - 3) < unit * std::sqrt(96.0), "kurtosis of normals");
  check(std::fabs(neighbours) < unit, "the two normals of a pair are uncorrelated");
}

/// The published vectors of Philox4x32-10.
void testKnownAnswer() {
  const std::array<uint32_t, 4> zero = philox({0, 0}, {0, 0, 0, 0});
  check(zero == std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}, "Philox of zeros");
  const uint32_t ones = 0xffffffff;
  check(philox({ones, ones}, {ones, ones, ones, ones}) == std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}, "Philox of ones");
  check(philox({0xa4093822, 0x299f31d0}, {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}) ==
            std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
        "Philox of the digits of pi");
}

}  // namespace

int main() {
  testKnownAnswer();
  for (DType type : kFloats)
    for (int64_t size : {int64_t{0}, between(1, 70), between(20000, 50000)}) {
      testUniform(type, size);
      testNormal(type, size);
    }
  testMoments();
  return finish("random");
}
