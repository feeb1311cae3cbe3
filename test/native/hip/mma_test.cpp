// Products of tiles against float64, in the fragment layout of this build's wave: all ways to load, to multiply, to reduce and to store.
#include "hip/portable/mma.h"

#include <bit>
#include <vector>

#include "check.h"
#include "hip/portable/portable.h"

using namespace aurora;
using namespace aurora::hip;
using namespace aurora::test;

namespace {

const Queue queue;
std::mt19937_64 engine = randomEngine();
constexpr int kStride = 24, kDepth = 48;

template <class T>
struct DeviceArray {
  explicit DeviceArray(int64_t size) : size(size), data(static_cast<T*>(runtime::allocate(static_cast<size_t>(size) * sizeof(T)))) {}
  ~DeviceArray() { runtime::release(data); }
  static DeviceArray normal(int64_t size) {
    DeviceArray made(size);
    std::normal_distribution<float> distribution;
    for (int64_t i = 0; i < size; ++i) put(made.data + i, distribution(engine));
    return made;
  }
  DeviceArray(DeviceArray&& other) noexcept : size(other.size), data(std::exchange(other.data, nullptr)) {}
  double operator[](int64_t i) const { return get(data + i); }
  int64_t size;
  T* data;
};

/// along: [16, kDepth] with k contiguous; across: [kDepth, 16 (stride kStride)]. y: 16×16 results one behind another.
template <class T>
AURORA_KERNEL(64) void multiplies(const T* along, const T* across, float* y, T* stored, float* rows) {
  T* shared = sharedMemory<T>();
  for (int i = threadIndex(); i < 16 * kDepth; i += blockThreads()) shared[i] = along[i];
  blockSync();
  Operand<T> a, b;
  Accumulator c, transposed;
  c.clear();
  transposed.clear();
  for (int k = 0; k < kDepth; k += kTile) {
    a.loadAlongK(shared + k, kDepth);
    b.loadAcrossK(across + k * kStride, kStride);
    multiplyAdd(c, a, b);
    multiplyAdd(transposed, b, a);
  }
  const RowValues sum = c.rowSum(), most = c.rowMax();
  for (int slot = 0; slot < RowValues::kSize; ++slot) {
    rows[Accumulator::rowOfSlot(laneIndex(), slot)] = sum.values[slot];
    rows[16 + Accumulator::rowOfSlot(laneIndex(), slot)] = most.values[slot];
  }
  c.store(y, 16);
  transposed.storeTransposed(y + 256, 16);
  c.store(stored, 16);
  c.forEach([&](int row, int column, float& value) { value += static_cast<float>(100 * row + column); });
  c.store(y + 512, 16, 13, 9);
}

/// (a·bᵀ)·d: the first product, as it lies, is the second one's operand. sums: of its rows, from every lane's share.
template <class T>
AURORA_KERNEL(64) void chains(const T* a, const T* b, const T* d, float* first, float* second, float* sums) {
  Operand<T> left, right, down;
  left.loadAlongK(a, kTile);
  right.loadAlongK(b, kTile);
  down.loadAcrossK(d, kTile);
  OperandAccumulator product, chained;
  product.clear();
  chained.clear();
  multiplyAdd(product, left, right);
  multiplyAdd(chained, product.operand<T>(), down);
  float row[OperandAccumulator::kRows] = {};
  for (int i = 0; i < OperandAccumulator::kSize; ++i) {
    row[OperandAccumulator::rowSlot(i)] += product.values[i];
    first[OperandAccumulator::row(laneIndex(), i) * kTile + OperandAccumulator::column(laneIndex(), i)] = product.values[i];
  }
  for (int r = 0; r < OperandAccumulator::kRows; ++r)
    sums[OperandAccumulator::rowOfSlot(laneIndex(), r)] = OperandAccumulator::reduceRow(row[r], Sum{});
  chained.forEachRun([&](int r, int column, const auto& run) {
    storeRun(second + OperandAccumulator::rowOfSlot(laneIndex(), r) * kTile + column, run);
  });
}

/// x as an operand of T: to bf16 with a tie away from zero.
template <class T>
double asOperand(double x) {
  if (sizeof(T) == sizeof(float)) return x;
  const uint32_t bits = (std::bit_cast<uint32_t>(static_cast<float>(x)) + 0x8000) & 0xffff0000u;
  return std::bit_cast<float>(bits);
}

template <class T>
void testChains(const char* name) {
  const auto a = DeviceArray<T>::normal(256), b = DeviceArray<T>::normal(256), d = DeviceArray<T>::normal(256);
  DeviceArray<float> first(256), second(256), sums(16);
  launch<chains<T>>(queue, 1, kWave, 0, a.data, b.data, d.data, first.data, second.data, sums.data);
  for (int r = 0; r < 16; ++r) {
    double sum = 0;
    for (int j = 0; j < 16; ++j) {
      double product = 0, chained = 0, scale = 0;
      for (int k = 0; k < 16; ++k) {
        product += a[r * 16 + k] * b[j * 16 + k];
        const double operand = asOperand<T>(first[r * 16 + k]);
        chained += operand * d[k * 16 + j];
        scale += std::fabs(operand * d[k * 16 + j]);
      }
      const std::string at = std::string("chain in ") + name + " at " + std::to_string(r) + ", " + std::to_string(j);
      check(std::fabs(first[r * 16 + j] - product) <= 1e-5 * 16, at + ": first product");
      check(std::fabs(second[r * 16 + j] - chained) <= 1e-6 * scale, at + ": second product");
      sum += first[r * 16 + j];
    }
    check(std::fabs(sums[r] - sum) <= 1e-5 * 16, std::string("chain in ") + name + ": row sum " + std::to_string(r));
  }
}

template <class T>
void testProducts(const char* name, double tolerance) {
  const auto along = DeviceArray<T>::normal(16 * kDepth), across = DeviceArray<T>::normal(kDepth * kStride);
  DeviceArray<float> y(3 * 256), rows(32);
  DeviceArray<T> stored(256);
  launch<multiplies<T>>(queue, 1, kWave, 16 * kDepth * sizeof(T), along.data, across.data, y.data, stored.data, rows.data);
  const std::string what = std::string(name) + " with waves of " + std::to_string(kWave);
  double worst = 0;
  for (int r = 0; r < 16; ++r) {
    double sum = 0, most = -INFINITY;
    for (int j = 0; j < 16; ++j) {
      double expected = 0, scale = 0;
      for (int k = 0; k < kDepth; ++k) {
        const double term = along[r * kDepth + k] * across[k * kStride + j];
        expected += term;
        scale += std::fabs(term);
      }
      const std::string at = what + " at " + std::to_string(r) + ", " + std::to_string(j);
      const int i = r * 16 + j;
      worst = std::max(worst, std::fabs(y[i] - expected) / scale);
      check(std::fabs(y[i] - expected) <= tolerance * scale, at + ": product");
      check(y[256 + i] == y[i] || std::fabs(y[256 + i] - y[i]) <= tolerance * scale, at + ": transposed product");
      check(stored[i] == static_cast<double>(toFloat(fromFloat<T>(static_cast<float>(y[i])))), at + ": stored as " + name);
      if (r < 13 && j < 9)
        check(y[512 + i] == static_cast<double>(static_cast<float>(y[i]) + static_cast<float>(100 * r + j)), at + ": visited");
      else
        check(std::isnan(y[512 + i]), at + ": outside the limits nothing is stored");
      sum += y[i];
      most = std::max(most, y[i]);
    }
    check(std::fabs(rows[r] - sum) <= 1e-5 * (1 + std::fabs(sum)) * 16, what + ": row sum " + std::to_string(r));
    check(rows[16 + r] == most, what + ": row maximum " + std::to_string(r));
  }
  std::printf("%s: largest error relative to Σ|terms| %.2g\n", what.c_str(), worst);
}

/// Each element of an operand and of the accumulator is some lane's, and only one's.
void testLayouts() {
  int operand[16][16] = {}, accumulator[16][16] = {};
  for (int lane = 0; lane < kWave; ++lane)
    for (int i = 0; i < Accumulator::kSize; ++i) {
      ++operand[Operand<bf16>::outer(lane, i)][Operand<bf16>::k(lane, i)];
      ++accumulator[Accumulator::row(lane, i)][Accumulator::column(lane, i)];
      check(Accumulator::rowOfSlot(lane, Accumulator::rowSlot(i)) == Accumulator::row(lane, i), "an element's slot is its row's");
    }
  for (int r = 0; r < 16; ++r)
    for (int c = 0; c < 16; ++c) check(operand[r][c] == 1 && accumulator[r][c] == 1, "the layout is a partition");
  // As the instructions' descriptions say, at a few places.
  if constexpr (kWave == 64) {
    check(Operand<bf16>::outer(37, 2) == 5 && Operand<bf16>::k(37, 2) == 10, "MFMA's operand");
    check(Accumulator::row(37, 2) == 10 && Accumulator::column(37, 2) == 5, "MFMA's result");
  } else {
    check(Operand<bf16>::outer(14, 3) == 11 && Operand<bf16>::k(14, 3) == 5, "mma.sync's second register: row q + 8, k 2t + 1");
    check(Operand<bf16>::outer(14, 4) == 3 && Operand<bf16>::k(14, 4) == 12, "mma.sync's third register: row q, k 2t + 8");
    check(Accumulator::row(14, 2) == 11 && Accumulator::column(14, 2) == 4, "mma.sync's c2: row q + 8, column 2t");
    check(Accumulator::row(14, 5) == 3 && Accumulator::column(14, 5) == 13, "the second half's c1: column 2t + 9");
  }
}

void testSplit() {
  std::normal_distribution<float> distribution(0, 1000);
  for (int i = 0; i < 10000; ++i) {
    const float x = i == 0 ? 3.4028235e38f : distribution(engine);
    const Split parts = split(x);
    check(static_cast<double>(toFloat(parts.high)) + toFloat(parts.middle) + toFloat(parts.low) == static_cast<double>(x), "the split is exact");
  }
  check(std::isinf(toFloat(split(INFINITY).high)) && std::isnan(toFloat(split(NAN).high)), "infinity and NaN stay");
}

}  // namespace

int main() {
  testLayouts();
  testSplit();
  for (int repeat = 0; repeat < 5; ++repeat) {
    testProducts<bf16>("bf16", 3e-7);
    testProducts<float>("f32", 4e-7);
    testChains<bf16>("bf16");
    testChains<float>("f32");
  }
  return finish("mma");
}
