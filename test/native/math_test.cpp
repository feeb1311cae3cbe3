// The vector functions against float64: the errors that cpu/math.h states, on fresh random arguments, and the special values.
#include <functional>
#include <limits>
#include <vector>

#include "check.h"
#include "kernel_sets.h"
#include "math_probe.h"

using namespace aurora;
using namespace aurora::test;

#define AURORA_DECLARE_PROBE(isa)         \
  namespace aurora::cpu::isa {            \
  extern const test::MathProbe mathProbe; \
  }
AURORA_FOR_KERNEL_SETS(AURORA_DECLARE_PROBE)
#undef AURORA_DECLARE_PROBE

namespace {

using Function = void (*)(const float*, float*, int64_t);
using Reference = std::function<double(double)>;

std::mt19937_64 engine = randomEngine();

/// The distance between floats near y.
double ulp(double y) { return std::ldexp(1.0, std::max(std::ilogb(y), -126) - 23); }

/// Holds |function − reference| ≤ bound(x, reference) on 20,000 random arguments in [low, high].
void within(const std::string& name, Function function, const Reference& reference, double low, double high,
            const std::function<double(double x, double y)>& bound) {
  constexpr int64_t kCount = 20003;  // no multiple of a vector
  std::vector<float> x(kCount), y(kCount);
  std::uniform_real_distribution<float> distribution(static_cast<float>(low), static_cast<float>(high));
  for (float& value : x) value = distribution(engine);
  function(x.data(), y.data(), kCount);
  for (int64_t i = 0; i < kCount; ++i) {
    const double expected = reference(x[i]), error = std::fabs(y[i] - expected);
    if (error <= bound(x[i], expected)) continue;
    return check(false, name + "(" + std::to_string(x[i]) + ") is " + std::to_string(error / ulp(expected)) + " ulp off");
  }
}

auto ulps(double n) {
  return [n](double, double y) { return n * ulp(y); };
}
auto absolute(double error) {
  return [error](double, double) { return error; };
}

double only(Function function, float x) {
  float y;
  function(&x, &y, 1);
  return y;
}

void testFunctions(const std::string& set, const MathProbe& probe) {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  const double slope = std::sqrt(2 / M_PI);
  const auto density = [](double x) { return std::exp(-x * x / 2) / std::sqrt(2 * M_PI); };
  const auto distribution = [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); };
  const auto gate = [=](double x) { return 1 / (1 + std::exp(-2 * slope * (x + 0.044715 * x * x * x))); };
  const Reference gelu = [=](double x) { return x * distribution(x); };
  const Reference geluDerivative = [=](double x) { return distribution(x) + x * density(x); };
  const Reference geluTanh = [=](double x) { return x * gate(x); };
  const Reference geluTanhDerivative = [=](double x) {
    return gate(x) + x * gate(x) * (1 - gate(x)) * 2 * slope * (1 + 3 * 0.044715 * x * x);
  };
  const Reference exp = [](double x) { return std::exp(x); };
  const Reference log = [](double x) { return std::log(x); };

  within(set + " exp", probe.exp, exp, -86.9, 88.7, ulps(2));
  within(set + " exp", probe.exp, exp, -1, 1, ulps(2));
  within(set + " exp", probe.exp, [](double) { return 0; }, -1e6, -87.4, absolute(0));
  within(set + " log", probe.log, log, 0.1, 3, ulps(2));
  within(set + " log", probe.log, log, 1, 3e38, ulps(2));
  within(set + " log", probe.log, log, 1e-44, 1e-37, ulps(2));
  within(set + " tanh", probe.tanh, [](double x) { return std::tanh(x); }, -10, 10, ulps(2));
  within(set + " tanh", probe.tanh, [](double x) { return std::tanh(x); }, -0.6, 0.6, ulps(2));
  within(set + " erf", probe.erf, [](double x) { return std::erf(x); }, -5, 5, ulps(2));
  within(set + " erf", probe.erf, [](double x) { return std::erf(x); }, -1, 1, ulps(2));
  within(set + " gelu", probe.gelu, gelu, -2, 10, ulps(8));
  within(set + " gelu", probe.gelu, gelu, -12.5, -2, [](double x, double y) { return (4 + x * x) * ulp(y); });
  within(set + " geluDerivative", probe.geluDerivative, geluDerivative, -30, 30, absolute(2.5e-7));
  within(set + " geluTanh", probe.geluTanh, geluTanh, -1, 10, ulps(4));
  within(set + " geluTanh", probe.geluTanh, geluTanh, -8, -1, [](double x, double y) { return (8 + 2 * x * x) * ulp(y); });
  within(set + " geluTanhDerivative", probe.geluTanhDerivative, geluTanhDerivative, -30, 30, absolute(4e-7));

  for (Function function : {probe.exp, probe.log, probe.tanh, probe.erf, probe.gelu, probe.geluDerivative, probe.geluTanh, probe.geluTanhDerivative})
    check(std::isnan(only(function, nan)), set + ": NaN stays NaN");
  struct Special {
    const char* name;
    Function function;
    double x, y;
  };
  for (const Special& special : {Special{"exp", probe.exp, inf, inf}, {"exp", probe.exp, -inf, 0}, {"exp", probe.exp, 0, 1}, {"log", probe.log, 0, -inf},
                                 {"log", probe.log, inf, inf}, {"log", probe.log, 1, 0}, {"tanh", probe.tanh, inf, 1}, {"tanh", probe.tanh, -inf, -1},
                                 {"erf", probe.erf, inf, 1}, {"erf", probe.erf, -inf, -1}, {"gelu", probe.gelu, inf, inf}, {"gelu", probe.gelu, 0, 0},
                                 {"gelu", probe.gelu, -100, 0}, {"geluDerivative", probe.geluDerivative, inf, 1},
                                 {"geluDerivative", probe.geluDerivative, -inf, 0}, {"geluTanh", probe.geluTanh, inf, inf},
                                 {"geluTanh", probe.geluTanh, -1e30, 0}, {"geluTanhDerivative", probe.geluTanhDerivative, 1e30, 1}})
    check(only(special.function, static_cast<float>(special.x)) == special.y,
          set + " " + special.name + "(" + std::to_string(special.x) + ") is " + std::to_string(special.y));
  check(std::isnan(only(probe.log, -1)), set + ": log of a negative number is NaN");
}

}  // namespace

int main() {
  for (const cpu::KernelTable* kernels : kernelSets()) {
    const std::string set = kernels->instructionSet;
#define AURORA_TEST_PROBE(isa) \
  if (set == #isa) testFunctions(set, cpu::isa::mathProbe);
    AURORA_FOR_KERNEL_SETS(AURORA_TEST_PROBE)
#undef AURORA_TEST_PROBE
  }
  return finish("math");
}
