// fill, cast, copyColumns, add, dropout, and the conversions of write and read.
#include <limits>

#include "numbers.h"

using namespace aurora;
using namespace aurora::test;

namespace {

constexpr DType kTypes[] = {DType::f32, DType::bf16, DType::i32, DType::u16, DType::u8};

/// What fill and cast must give for x: truncation and saturation for integers.
double converted(double x, DType type) {
  const auto clamp = [&](double low, double high) { return std::isnan(x) ? 0 : std::trunc(std::min(high, std::max(low, x))); };
  switch (type) {
    case DType::i32: return clamp(-2147483648.0, 2147483647.0);
    case DType::u16: return clamp(0, 65535);
    case DType::u8: return clamp(0, 255);
    default: {
      Numbers rounded(type, {1});
      rounded.set(0, x);
      return rounded[0];
    }
  }
}

/// A half's value, from the definition.
double halfValue(uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const double magnitude = exponent == 31  ? (mantissa ? std::nan("") : INFINITY)
                           : exponent == 0 ? std::ldexp(mantissa, -24)
                                           : std::ldexp(1024 + mantissa, exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

void testFill() {
  for (DType type : kTypes)
    for (double value : {0.0, 1.0, 3.75, -2.5, 300.0, 1e10})
      onEverySet(
          "fill",
          [&](const cpu::KernelTable& kernels, cpu::Context& context) {
            Numbers y(type, {70001});
            kernels.fill(context, {y.view(), value});
            return Outputs{y};
          },
          [&](const Outputs& out, const std::string& what) {
            checkAll(out[0], [&](int64_t) { return converted(value, type); }, 0, what + " " + name(type));
          });
}

void testCast() {
  for (DType from : kTypes)
    for (DType to : kTypes) {
      const int64_t size = between(20000, 40000);
      const double std = isFloat(from) ? 300 : from == DType::i32 ? 1e8 : from == DType::u16 ? 2e4 : 80;
      Numbers x = Numbers::normal(from, {size}, isFloat(from) || from == DType::i32 ? 0 : std, std);
      if (isFloat(from)) {
        const double specials[] = {1e30, -1e30, 2147483648.0, -2147483648.0, INFINITY, -INFINITY, 65535.5, -0.5, 255.9};
        for (size_t i = 0; i < std::size(specials); ++i) x.set(static_cast<int64_t>(i), specials[i]);
        if (!isFloat(to)) x.set(20, std::nan(""));
      } else if (from == DType::i32) {
        x.set(0, 0x01010100 + 1);  // rounded to f32 first, this would round to the wrong bf16
        x.set(1, std::numeric_limits<int32_t>::min());
        x.set(2, std::numeric_limits<int32_t>::max());
      }
      onEverySet(
          "cast",
          [&](const cpu::KernelTable& kernels, cpu::Context& context) {
            Numbers y(to, {size});
            kernels.cast(context, {x.view(), y.view()});
            return Outputs{y};
          },
          [&](const Outputs& out, const std::string& what) {
            for (int64_t i = 0; i < size; ++i) {
              double expected = converted(x[i], to);
              if (to == DType::bf16 && from == DType::i32) {
                // To nearest even at 8 bits, straight from the integer.
                const int shift = std::max(0, std::ilogb(std::max(1.0, std::fabs(x[i]))) - 7);
                expected = std::ldexp(std::nearbyint(std::ldexp(x[i], -shift)), shift);
              }
              if (out[0][i] == expected) continue;
              return check(false, what + " of " + std::to_string(x[i]) + " from " + name(from) + " to " + name(to) + " is " +
                                      std::to_string(out[0][i]) + ", expected " + std::to_string(expected));
            }
          });
    }
  Numbers nan = Numbers::filled(DType::f32, {19}, std::nan(""));
  onEverySet(
      "cast",
      [&](const cpu::KernelTable& kernels, cpu::Context& context) {
        Numbers y(DType::bf16, {19});
        kernels.cast(context, {nan.view(), y.view()});
        return Outputs{y};
      },
      [&](const Outputs& out, const std::string& what) {
        for (int64_t i = 0; i < 19; ++i) check(std::isnan(out[0][i]), what + ": NaN stays NaN in bf16");
      });
}

/// Every half reads as its value, and reading back gives the same bits; floats round to the nearest half.
void testHalf() {
  std::vector<uint16_t> halves(65536);
  for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>(i);
  const auto sameHalf = [](uint16_t a, uint16_t b) { return a == b || (std::isnan(halfValue(a)) && std::isnan(halfValue(b))); };
  onEverySet(
      "write",
      [&](const cpu::KernelTable& kernels, cpu::Context& context) {
        Numbers y(DType::f32, {65536});
        kernels.write(context, y.view(), halves.data(), WireType::f16);
        std::vector<uint16_t> back(halves.size());
        kernels.read(context, y.view(), back.data(), WireType::f16);
        for (size_t i = 0; i < halves.size(); ++i)
          if (!sameHalf(back[i], halves[i])) check(false, "half " + std::to_string(i) + " comes back as " + std::to_string(back[i]));
        return Outputs{y};
      },
      [&](const Outputs& out, const std::string& what) {
        for (int64_t i = 0; i < 65536; ++i) {
          const double value = halfValue(static_cast<uint16_t>(i));
          if (out[0][i] != value && !(std::isnan(value) && std::isnan(out[0][i])))
            check(false, what + ": half " + std::to_string(i) + " reads as " + std::to_string(out[0][i]));
        }
      });

  // Between two neighbouring halves: below the middle to the lower, above to the upper, the middle to the even one.
  Numbers x(DType::f32, {3 * 31744});
  for (int64_t i = 0; i < 31744; ++i) {
    const double low = halfValue(static_cast<uint16_t>(i));
    const double high = i == 31743 ? 65536 : halfValue(static_cast<uint16_t>(i + 1));
    const float middle = static_cast<float>((low + high) / 2);
    x.set(3 * i, std::nextafterf(middle, 0));
    x.set(3 * i + 1, middle);
    x.set(3 * i + 2, std::nextafterf(middle, INFINITY));
  }
  for (const cpu::KernelTable* kernels : kernelSets()) {
    Workbench bench(1);
    cpu::Context context = bench.context("read");
    std::vector<uint16_t> found(static_cast<size_t>(x.size()));
    kernels->read(context, x.view(), found.data(), WireType::f16);
    for (size_t i = 0; i < 31744; ++i) {
      const bool right = found[3 * i] == i && found[3 * i + 1] == i + (i & 1) && found[3 * i + 2] == i + 1;
      check(right, std::string(kernels->instructionSet) + ": rounding between halves " + std::to_string(i) + " and the next");
    }
  }
}

void testCopyColumns() {
  for (DType type : kTypes) {
    const int64_t rows = between(1, 300), wide = between(1, 120), narrow = between(1, wide);
    const int64_t from = between(0, wide - narrow), room = between(0, 5), to = between(0, room);
    Numbers x = Numbers::make(type, {rows, wide}, [](int64_t) { return static_cast<double>(between(0, 200)); });
    onEverySet(
        "copyColumns",
        [&](const cpu::KernelTable& kernels, cpu::Context& context) {
          Numbers y = Numbers::filled(type, {rows, narrow + room}, 7);
          kernels.copyColumns(context, {x.view(), from, y.view(), to, narrow});
          return Outputs{y};
        },
        [&](const Outputs& out, const std::string& what) {
          checkAll(
              out[0],
              [&](int64_t i) {
                const int64_t row = i / (narrow + room), column = i % (narrow + room) - to;
                return column >= 0 && column < narrow ? x[row * wide + from + column] : 7;
              },
              0, what + " " + name(type));
        });
  }
}

void testAdd() {
  for (DType type : kFloats)
    for (int64_t size : {int64_t{0}, between(1, 40), between(20000, 50000)}) {
      const Numbers a = Numbers::normal(type, {size}), b = Numbers::normal(type, {size});
      const double alpha = 0.75, beta = -1.5;
      for (bool both : {true, false})
        onEverySet(
            "add",
            [&](const cpu::KernelTable& kernels, cpu::Context& context) {
              Numbers left = a, right = b, y(type, {size});
              kernels.add(context, {left.view(), alpha, both ? right.view() : View{}, beta, y.view()});
              kernels.add(context, {left.view(), alpha, both ? right.view() : View{}, beta, left.view()});  // in place
              return Outputs{y, left};
            },
            [&](const Outputs& out, const std::string& what) {
              checkAll(out[0], [&](int64_t i) { return alpha * a[i] + (both ? beta * b[i] : 0); }, 1e-6, what + " " + name(type));
              check(out[0] == out[1], what + ": in place as elsewhere");
            });
    }
}

void testDropout() {
  for (DType type : kFloats)
    for (int64_t size : {int64_t{0}, between(1, 40), between(20000, 50000)})
      for (double p : {0.0, 0.1, 0.7}) {
        const Numbers x = Numbers::normal(type, {size});
        const RandomKey random = randomKey();
        const int64_t first = 4 * between(0, int64_t{1} << between(0, 40));
        onEverySet(
            "dropout",
            [&](const cpu::KernelTable& kernels, cpu::Context& context) {
              Numbers from = x, y(type, {size});
              kernels.dropout(context, {from.view(), p, random, y.view(), first});
              kernels.dropout(context, {from.view(), p, random, from.view(), first});
              return Outputs{y, from};
            },
            [&](const Outputs& out, const std::string& what) {
              checkAll(
                  out[0],
                  [&](int64_t i) { return uniform(randomBlock(random, (first + i) / 4)[i % 4]) >= p ? x[i] / (1 - p) : 0; }, 2e-6, what + " " + name(type));
              check(out[0] == out[1], what + ": in place as elsewhere");
            });
      }
}

}  // namespace

int main() {
  testFill();
  testCast();
  testHalf();
  testCopyColumns();
  testAdd();
  testDropout();
  return finish("elementwise");
}
