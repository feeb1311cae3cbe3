// Embedding and rows of tables, with their gradients, and indices outside the tables.
#include "core/error.h"
#include "numbers.h"

using namespace aurora;
using namespace aurora::test;

namespace {

void testEmbedding(DType type, int64_t rows, int64_t width) {
  const int64_t vocabulary = between(1, 60), positions = between(1, 40);
  Numbers tokens = Numbers::indices({rows}, vocabulary), places = Numbers::indices({rows}, positions);
  for (Numbers* ids : {&tokens, &places})
    for (int64_t n = 0; n < rows; ++n)
      if (between(0, 4) == 0) ids->set(n, -static_cast<double>(between(1, 1000)));
  Numbers tokenTable = Numbers::normal(type, {vocabulary, width}), positionTable = Numbers::normal(type, {positions, width});
  const auto token = [&](int64_t n) { return static_cast<int64_t>(tokens[n]); };
  const auto place = [&](int64_t n) { return static_cast<int64_t>(places[n]); };
  onEverySet(
      "embedding",
      [&](const cpu::KernelTable& kernels, cpu::Context& context) {
        Numbers h(type, {rows, width});
        kernels.embedding(context, {tokens.view(), places.view(), tokenTable.view(), positionTable.view(), h.view()});
        return Outputs{h};
      },
      [&](const Outputs& out, const std::string& what) {
        const auto row = [&](const Numbers& table, int64_t id, int64_t column) { return id < 0 ? 0 : table[id * width + column]; };
        checkAll(
            out[0], [&](int64_t i) { return row(tokenTable, token(i / width), i % width) + row(positionTable, place(i / width), i % width); }, 1e-6,
            what + " " + name(type));
      });

  Numbers dh = Numbers::normal(type, {rows, width});
  const Numbers before = Numbers::normal(DType::f32, {vocabulary, width}), beforePlaces = Numbers::normal(DType::f32, {positions, width});
  std::vector<double> expected(vocabulary * width), expectedPlaces(positions * width);
  for (int64_t i = 0; i < vocabulary * width; ++i) expected[i] = before[i];
  for (int64_t i = 0; i < positions * width; ++i) expectedPlaces[i] = beforePlaces[i];
  for (int64_t i = 0; i < rows * width; ++i) {
    if (token(i / width) >= 0) expected[token(i / width) * width + i % width] += dh[i];
    if (place(i / width) >= 0) expectedPlaces[place(i / width) * width + i % width] += dh[i];
  }
  onEverySet(
      "embeddingBackward",
      [&](const cpu::KernelTable& kernels, cpu::Context& context) {
        Numbers dtokens = before, dplaces = beforePlaces, only = before;
        kernels.embeddingBackward(context, {dh.view(), tokens.view(), places.view(), dtokens.view(), dplaces.view()});
        kernels.embeddingBackward(context, {dh.view(), tokens.view(), places.view(), only.view(), {}});
        return Outputs{dtokens, dplaces, only};
      },
      [&](const Outputs& out, const std::string& what) {
        const double tolerance = 1e-6 * (2 + static_cast<double>(rows) / static_cast<double>(std::min(vocabulary, positions)));
        checkAll(out[0], [&](int64_t i) { return expected[i]; }, tolerance, what + " tokens " + name(type));
        checkAll(out[1], [&](int64_t i) { return expectedPlaces[i]; }, tolerance, what + " positions " + name(type));
        check(out[0] == out[2], what + ": the same without the position table");
      });
}

void testGatherRows(DType type, int64_t rows, int64_t picks, int64_t width) {
  Numbers x = Numbers::normal(type, {rows, width}), indices = Numbers::indices({picks}, rows), dy = Numbers::normal(type, {picks, width});
  const auto row = [&](int64_t m) { return static_cast<int64_t>(indices[m]); };
  std::vector<double> dx(rows * width), magnitude(rows * width);
  for (int64_t i = 0; i < picks * width; ++i) {
    dx[row(i / width) * width + i % width] += dy[i];
    magnitude[row(i / width) * width + i % width] += std::fabs(dy[i]);
  }
  onEverySet(
      "gatherRows",
      [&](const cpu::KernelTable& kernels, cpu::Context& context) {
        Numbers y(type, {picks, width}), gradient(type, {rows, width});
        kernels.gatherRows(context, {x.view(), indices.view(), y.view()});
        kernels.gatherRowsBackward(context, {dy.view(), indices.view(), gradient.view()});
        return Outputs{y, gradient};
      },
      [&](const Outputs& out, const std::string& what) {
        checkAll(out[0], [&](int64_t i) { return x[row(i / width) * width + i % width]; }, 0, what + " " + name(type));
        for (int64_t i = 0; i < rows * width; ++i)
          if (!near(out[1], i, dx[i], 1e-6, magnitude[i])) return check(false, what + " backward " + name(type));
      });
}

/// An index outside its table is reported, and the CPU writes nothing. Negative ids of an embedding have a meaning.
void testBadIndices() {
  for (const cpu::KernelTable* kernels : kernelSets())
    for (int32_t bad : {-1, 5, 2147483647, -2147483647 - 1}) {
      Workbench bench(2);
      cpu::Context context = bench.context("embedding");
      Numbers good = Numbers::filled(DType::i32, {3}, 1), wrong = good;
      wrong.set(1, bad);
      Numbers table = Numbers::normal(DType::f32, {5, 7});
      const Numbers untouched = Numbers::filled(DType::f32, {3, 7}, 4), tableBefore = table;
      Numbers h = untouched;
      const auto fails = [&](const char* what) {
        const auto error = bench.stream.takeError();
        check(error && error->code == std::string(code::kIndex) && error->found.find(std::to_string(bad)) != std::string::npos,
              std::string(kernels->instructionSet) + ": " + what + " reports index " + std::to_string(bad));
        // A GPU has written the other rows when it finds out.
        check(kEmulated || (h == untouched && table == tableBefore), std::string(kernels->instructionSet) + ": " + what + " writes nothing");
        h = untouched;
        table = tableBefore;
      };
      if (bad >= 0) {
        kernels->embedding(context, {wrong.view(), good.view(), table.view(), table.view(), h.view()});
        fails("embedding (tokens)");
        kernels->embedding(context, {good.view(), wrong.view(), table.view(), table.view(), h.view()});
        fails("embedding (positions)");
        kernels->embeddingBackward(context, {h.view(), wrong.view(), good.view(), table.view(), {}});
        fails("embeddingBackward (tokens)");
        kernels->embeddingBackward(context, {h.view(), good.view(), wrong.view(), {}, table.view()});
        fails("embeddingBackward (positions)");
      }
      kernels->gatherRows(context, {table.view(), wrong.view(), h.view()});
      fails("gatherRows");
      kernels->gatherRowsBackward(context, {h.view(), wrong.view(), table.view()});
      fails("gatherRowsBackward");
    }
}

}  // namespace

int main() {
  for (DType type : kFloats) {
    testEmbedding(type, 0, 3);
    testEmbedding(type, between(1, 5), between(1, 30));
    testEmbedding(type, between(100, 200), between(200, 500));
    testGatherRows(type, between(1, 9), between(1, 5), between(1, 40));
    testGatherRows(type, between(200, 300), between(100, 400), between(100, 300));
    testGatherRows(type, 3, 0, 5);
  }
  testBadIndices();
  return finish("embedding");
}
