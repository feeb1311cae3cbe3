// Linear layers and their gradients, and through them the matrix products of every layout, against float64 on random odd shapes.
#include "activations.h"
#include "numbers.h"

using namespace aurora;
using namespace aurora::test;

namespace {

/// A matrix in float64.
struct Matrix {
  int64_t rows, columns;
  std::vector<double> values;

  Matrix(int64_t m, int64_t n) : rows(m), columns(n), values(m * n) {}
  explicit Matrix(const Numbers& x) : Matrix(x.shape[0], x.shape[1]) {
    for (int64_t i = 0; i < x.size(); ++i) values[i] = x[i];
  }
  double& at(int64_t i, int64_t j) { return values[i * columns + j]; }
  double at(int64_t i, int64_t j) const { return values[i * columns + j]; }
  Matrix transposed() const {
    Matrix t(columns, rows);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) t.at(j, i) = at(i, j);
    return t;
  }
  Matrix absolute() const {
    Matrix result = *this;
    for (double& x : result.values) x = std::fabs(x);
    return result;
  }
  Matrix operator*(const Matrix& b) const {
    Matrix product(rows, b.columns);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t k = 0; k < columns; ++k)
        for (int64_t j = 0; j < b.columns; ++j) product.at(i, j) += at(i, k) * b.at(k, j);
    return product;
  }
};

struct Shapes {
  int64_t N, D, F;
  std::string text() const { return "N " + std::to_string(N) + ", D " + std::to_string(D) + ", F " + std::to_string(F); }
};

/// A product with, for each element, the sum of the terms' absolute values: errors are measured against that.
struct Product {
  Matrix value, magnitude;
  Product(const Matrix& a, const Matrix& b) : value(a * b), magnitude(a.absolute() * b.absolute()) {}

  /// `termError` is the relative error of a term that entered the sum already rounded.
  void expect(const Numbers& found, const Numbers* start, double termError, const std::string& what) const {
    for (int64_t i = 0; i < found.size(); ++i) {
      const double expected = value.values[i] + (start ? (*start)[i] : 0);
      if (near(found, i, expected, 3e-6 + (4e-7 + termError) * magnitude.values[i])) continue;
      return check(false, what + ": element " + std::to_string(i) + " is " + std::to_string(found[i]) + ", expected " +
                              std::to_string(expected));
    }
  }
};

void testForward(DType type, Shapes s, Activation activation, bool withBias, bool withPreactivation) {
  Numbers x = Numbers::normal(type, {s.N, s.D}), weight = Numbers::normal(type, {s.F, s.D}, 0, 1 / std::sqrt(s.D));
  Numbers bias = Numbers::normal(type, {s.F});
  Matrix z = Matrix(x) * Matrix(weight).transposed();
  if (withBias)
    for (int64_t n = 0; n < s.N; ++n)
      for (int64_t f = 0; f < s.F; ++f) z.at(n, f) += bias[f];
  onEverySet(
      std::string("linear ") + name(type) + " " + s.text(),
      [&](const cpu::KernelTable& kernels, cpu::Context& context) {
        Numbers y(type, {s.N, s.F}), preactivation(type, {s.N, s.F});
        kernels.linear(context, {x.view(), weight.view(), withBias ? bias.view() : View{}, activation, y.view(),
                                 withPreactivation ? preactivation.view() : View{}});
        return Outputs{y, preactivation};
      },
      [&](const Outputs& out, const std::string& what) {
        const double small = 4e-6 + 3e-7 * std::sqrt(s.D);
        checkAll(out[0], [&](int64_t i) { return activate(z.values[i], activation); }, small, what + " y");
        if (withPreactivation && activation != Activation::none)
          checkAll(out[1], [&](int64_t i) { return z.values[i]; }, small, what + " preactivation");
      });
}

void testBackward(DType type, Shapes s, Activation activation) {
  Numbers dy = Numbers::normal(type, {s.N, s.F}), x = Numbers::normal(type, {s.N, s.D});
  Numbers weight = Numbers::normal(type, {s.F, s.D}), z = Numbers::normal(type, {s.N, s.F});
  const Numbers dweight0 = Numbers::normal(DType::f32, {s.F, s.D}), dbias0 = Numbers::normal(DType::f32, {s.F});
  Matrix dz(dy);
  for (int64_t i = 0; i < dy.size(); ++i) dz.values[i] *= activationDerivative(z[i], activation);
  Matrix ones(1, s.N);
  for (double& one : ones.values) one = 1;
  const Product dx(dz, Matrix(weight)), dweight(dz.transposed(), Matrix(x)), dbias(ones, dz);
  onEverySet(
      std::string("linearBackward ") + name(type) + " " + s.text(),
      [&](const cpu::KernelTable& kernels, cpu::Context& context) {
        Numbers a(type, {s.N, s.D}), b = dweight0, c = dbias0, alone(type, {s.N, s.D});
        const View saved = activation == Activation::none ? View{} : z.view();
        kernels.linearBackward(context, {dy.view(), x.view(), weight.view(), saved, activation, a.view(), b.view(), c.view()});
        kernels.linearBackward(context, {dy.view(), x.view(), weight.view(), saved, activation, alone.view(), View{}, View{}});
        return Outputs{a, b, c, alone};
      },
      [&](const Outputs& out, const std::string& what) {
        // With bf16, an activation's gradient is rounded before it enters the products.
        const double rounding = type == DType::bf16 && activation != Activation::none ? 0x1p-8 : 0;
        dx.expect(out[0], nullptr, rounding, what + " dx");
        dweight.expect(out[1], &dweight0, rounding, what + " dweight");
        dbias.expect(out[2], &dbias0, 0, what + " dbias");
        check(out[0] == out[3], what + ": dx alone is the same");
      });
}

}  // namespace

int main() {
  // Decoding's few rows; one chunk of k and several; several tasks of rows and columns; tails of every kind.
  std::vector<Shapes> shapes = {{1, 1, 1},    {1, 65, 130},  {2, 96, 64},   {3, 7, 5},      {4, 100, 257},
                                {6, 33, 70},  {17, 16, 16}, {40, 800, 48}, {300, 70, 200}, {270, 400, 33}};
  for (int i = 0; i < 6; ++i) shapes.push_back({between(1, 150), between(1, 300), between(1, 150)});
  for (DType type : kFloats)
    for (const Shapes& s : shapes) {
      const Activation activation = kActivations[between(0, 2)];
      testForward(type, s, activation, between(0, 1), between(0, 1));
      testBackward(type, s, activation);
    }
  for (DType type : kFloats)
    for (Activation activation : kActivations) {
      testForward(type, {21, 40, 37}, activation, true, true);
      testBackward(type, {21, 40, 37}, activation);
    }
  // Sums long enough to be cut into slices.
  for (DType type : kFloats) {
    testForward(type, {30, 4611, 35}, Activation::gelu, true, true);
    testBackward(type, {4611, 20, 35}, Activation::none);
    testBackward(type, {20, 19, 4611}, Activation::none);
  }
  // More rows of A, and more columns of B, than are packed at once.
  testForward(DType::f32, {5000, 900, 19}, Activation::none, true, false);
  testForward(DType::bf16, {259, 900, 2500}, Activation::geluTanh, true, true);
  // No rows: gradients stay.
  testForward(DType::f32, {0, 5, 6}, Activation::none, true, false);
  testBackward(DType::f32, {0, 5, 6}, Activation::gelu);
  return finish("gemm");
}
