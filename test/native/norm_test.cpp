// Layer normalisation, its fused residual sum and its gradient, against float64.
#include "numbers.h"

using namespace aurora;
using namespace aurora::test;

namespace {

constexpr double kEpsilon = 1e-5;

/// Mean and 1/√(variance + ε) of row n of h.
struct Statistics {
  double mean = 0, rstd = 0;

  Statistics(const std::vector<double>& h, int64_t n, int64_t width) {
    for (int64_t j = 0; j < width; ++j) mean += h[n * width + j] / static_cast<double>(width);
    for (int64_t j = 0; j < width; ++j) rstd += (h[n * width + j] - mean) * (h[n * width + j] - mean) / static_cast<double>(width);
    rstd = 1 / std::sqrt(rstd + kEpsilon);
  }
};

std::vector<double> values(const Numbers& x) {
  std::vector<double> all(x.size());
  for (int64_t i = 0; i < x.size(); ++i) all[i] = x[i];
  return all;
}

void testForward(DType type, int64_t rows, int64_t width, bool withResidual) {
  // A mean far from 0 shows a variance computed by subtracting squares.
  const Numbers x = Numbers::normal(type, {rows, width}, 20), residual = Numbers::normal(type, {rows, width}, -3);
  Numbers gamma = Numbers::normal(type, {width}, 1), beta = Numbers::normal(type, {width});
  std::vector<double> h = values(x);
  if (withResidual)
    for (int64_t i = 0; i < x.size(); ++i) h[i] += residual[i];
  onEverySet(
      "layerNorm",
      [&](const cpu::KernelTable& kernels, cpu::Context& context) {
        Numbers a = x, b = residual, sum(type, {rows, width}), y(type, {rows, width}), aliased(type, {rows, width});
        Numbers mean(DType::f32, {rows}), rstd(DType::f32, {rows});
        const View none;
        kernels.layerNorm(context, {a.view(), withResidual ? b.view() : none, gamma.view(), beta.view(), kEpsilon, withResidual ? sum.view() : none,
                                    y.view(), mean.view(), rstd.view()});
        // The sum in x's place, without statistics.
        kernels.layerNorm(context, {a.view(), withResidual ? b.view() : none, gamma.view(), beta.view(), kEpsilon, withResidual ? a.view() : none,
                                    aliased.view(), none, none});
        return Outputs{y, mean, rstd, aliased, sum, a};
      },
      [&](const Outputs& out, const std::string& what) {
        check(out[0] == out[3], what + ": the same with sum in x's place");
        if (withResidual) {
          checkAll(out[4], [&](int64_t i) { return h[i]; }, 2e-6, what + " sum " + name(type));
          check(out[4] == out[5], what + ": sum in x's place");
        }
        // f32 sums of thousands of numbers around 17, of which a lane adds up a 16th one after another where vectors are short.
        const double meanTolerance = 5e-6 * std::sqrt(std::max(1.0, static_cast<double>(width) / 500));
        for (int64_t n = 0; n < rows; ++n) {
          const Statistics s(h, n, width);
          // The nearer numbers around 17 are to each other, the more of their difference is their f32 rounding.
          const double rstdTolerance = 1e-5 + 2e-6 * s.rstd;
          check(near(out[1], n, s.mean, meanTolerance) && near(out[2], n, s.rstd, rstdTolerance, s.rstd), what + " statistics " + name(type));
          for (int64_t j = 0; j < width; ++j) {
            const double expected = (h[n * width + j] - s.mean) * s.rstd * gamma[j] + beta[j];
            if (!near(out[0], n * width + j, expected, 1e-5, 1 + s.rstd + std::fabs(gamma[j])))
              return check(false, what + " " + name(type) + " row " + std::to_string(n) + " of width " + std::to_string(width));
          }
        }
      });
}

void testBackward(DType type, int64_t rows, int64_t width) {
  Numbers dy = Numbers::normal(type, {rows, width}), h = Numbers::normal(type, {rows, width}, 2), gamma = Numbers::normal(type, {width}, 1);
  const Numbers dsum = Numbers::normal(type, {rows, width});
  const Numbers before = Numbers::normal(DType::f32, {width});
  Numbers mean(DType::f32, {rows}), rstd(DType::f32, {rows});
  const std::vector<double> hs = values(h);
  std::vector<double> dx(rows * width), dgamma = values(before), dbeta = values(before);
  for (int64_t n = 0; n < rows; ++n) {
    const Statistics s(hs, n, width);
    mean.set(n, s.mean);
    rstd.set(n, s.rstd);
    const auto normal = [&](int64_t j) { return (h[n * width + j] - s.mean) * s.rstd; };
    double a = 0, b = 0;
    for (int64_t j = 0; j < width; ++j) {
      a += dy[n * width + j] * gamma[j] / static_cast<double>(width);
      b += dy[n * width + j] * gamma[j] * normal(j) / static_cast<double>(width);
      dgamma[j] += dy[n * width + j] * normal(j);
      dbeta[j] += dy[n * width + j];
    }
    for (int64_t j = 0; j < width; ++j) dx[n * width + j] = (dy[n * width + j] * gamma[j] - a - normal(j) * b) * s.rstd;
  }
  onEverySet(
      "layerNormBackward",
      [&](const cpu::KernelTable& kernels, cpu::Context& context) {
        Numbers plain(type, {rows, width}), aliased = dsum, gammas = before, betas = before, alone = before, frozen(type, {rows, width});
        const View none;
        kernels.layerNormBackward(context, {dy.view(), h.view(), gamma.view(), mean.view(), rstd.view(), none, plain.view(), gammas.view(), betas.view()});
        // With the residual path's gradient in dx's place; parameters alone; dx alone.
        kernels.layerNormBackward(context, {dy.view(), h.view(), gamma.view(), mean.view(), rstd.view(), aliased.view(), aliased.view(), none, none});
        kernels.layerNormBackward(context, {dy.view(), h.view(), gamma.view(), mean.view(), rstd.view(), none, none, alone.view(), none});
        kernels.layerNormBackward(context, {dy.view(), h.view(), gamma.view(), mean.view(), rstd.view(), none, frozen.view(), none, none});
        return Outputs{plain, gammas, betas, aliased, alone, frozen};
      },
      [&](const Outputs& out, const std::string& what) {
        // f32 sums of hundreds of rows, one after another.
        const double tolerance = (rows < 1000 ? 1e-6 : 5e-6) * std::sqrt(static_cast<double>(rows)) + 1e-5;
        for (int64_t i = 0; i < rows * width; ++i) {
          const double scale = 1 + rstd[i / width];
          if (!near(out[0], i, dx[i], 1e-5, scale) || !near(out[3], i, dx[i] + dsum[i], 1e-5, scale))
            return check(false, what + " " + name(type) + " dx of width " + std::to_string(width));
        }
        checkAll(out[1], [&](int64_t j) { return dgamma[j]; }, tolerance, what + " dgamma " + name(type));
        checkAll(out[2], [&](int64_t j) { return dbeta[j]; }, tolerance, what + " dbeta " + name(type));
        check(out[4] == out[1] && out[5] == out[0], what + ": the same in parts");
      });
}

}  // namespace

int main() {
  for (DType type : kFloats) {
    for (bool withResidual : {false, true}) {
      testForward(type, between(1, 6), between(2, 70), withResidual);
      testForward(type, between(100, 200), between(200, 400), withResidual);
    }
    // Whole vectors, few and many; wider than a GPU's block holds in registers.
    for (int64_t width : {8 * between(20, 60), 8 * between(1100, 1300), 8 * between(4200, 4300)}) {
      testForward(type, between(1, 2), width, true);
      testBackward(type, between(1, 2), width);
    }
    testForward(type, 0, 5, true);
    testBackward(type, 0, 5);
    testBackward(type, between(1, 6), between(2, 70));
    testBackward(type, between(150, 300), between(200, 400));
  }
  // More rows than a GPU's blocks take one by one.
  testBackward(DType::bf16, between(4200, 4500), 8);
  return finish("norm");
}
