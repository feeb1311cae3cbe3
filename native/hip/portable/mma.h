// Products of 16×16 tiles, the one door to matrix units: accumulator [16, 16] += a [16, 16 k] · b [16, 16 k]ᵀ by one wave, in fp32.
//
//   Operand<bf16> a, b;                        // or float
//   Accumulator c; c.clear();
//   for (k = 0; k < depth; k += 16) {
//     a.loadAlongK(rows + k, stride);          // x [N, D] with weight [F, D] (y = x·weightᵀ): both along k
//     b.loadAcrossK(more + k * stride, stride);
//     multiplyAdd(c, a, b);                    // c[r][j] += Σₖ a[r][k]·b[j][k]
//   }
//   c.forEach([&](int row, int column, float& value) { … });
//   c.store(y, stride);
//
// Both operands are the same type with the same layout, so that multiplyAdd(c, b, a) gives the transposed product. Every function that
// says so is a wave operation; the others concern the lane's own elements. Which elements a lane holds (lane l):
//   wave of 64 (AMD's MFMA), 4 a lane:   operand (l % 16, k = 4·(l / 16) + i), accumulator (row 4·(l / 16) + i, column l % 16)
//   wave of 32 (NVIDIA's mma.sync m16n8k16, two of them), 8 a lane, with q = l / 4, t = l % 4:
//     operand (q, 2t…), (q + 8, 2t…), (q, 2t + 8…), (q + 8, 2t + 8…), two along k each
//     accumulator (q, 2t…), (q + 8, 2t…), (q, 2t + 8…), (q + 8, 2t + 8…), two along the row each
// The emulator uses the layout of its wave's width. Kernels ask forEach and rowSlot, and need not know.
//
// float: MFMA multiplies floats. NVIDIA's bf16 unit takes each float as an exact sum of three bf16 (8 bits each) and adds six of the nine
// products, smallest first; what is left out is below 2⁻²³ of the product, so that results are near fp32's. There an operand that is
// infinite makes its row or column NaN (not infinite), and parts of subnormal size are lost.
#pragma once

#include "hip/portable/portable.h"

namespace aurora::hip {

constexpr int kTile = 16;

/// A lane's share of an operand: 16 × 16, `outer` (a row of a, a column of the product for b) by k.
template <class T>
struct Operand {
  static constexpr int kSize = kTile * kTile / kWave;
  T values[kSize];

  AURORA_DEVICE static int outer(int lane, int i) { return kWave == 64 ? lane % 16 : lane / 4 + (i / 2 & 1) * 8; }
  AURORA_DEVICE static int k(int lane, int i) { return kWave == 64 ? lane / 16 * 4 + i : lane % 4 * 2 + i / 4 * 8 + i % 2; }

  /// f(outer, k, T& value) for the lane's elements.
  template <class F>
  AURORA_DEVICE void forEach(F&& f) {
    const int lane = laneIndex();
    AURORA_UNROLL
    for (int i = 0; i < kSize; ++i) f(outer(lane, i), k(lane, i), values[i]);
  }

  /// (outer, k) = p[outer·stride + k], from shared or global memory. For Source = T, p and stride are aligned to 4 elements.
  template <class Source>
  AURORA_DEVICE void loadAlongK(const Source* p, int stride) {
    if constexpr (sizeof(Source) == sizeof(T)) {
      constexpr int run = kWave == 64 ? 4 : 2;  // the lane's neighbours along k
      const Source* const own = p + outer(laneIndex(), 0) * stride + k(laneIndex(), 0);
      AURORA_UNROLL
      for (int i = 0; i < kSize; i += run) {
        const auto part = loadRun<run>(own + outer(0, i) * stride + k(0, i));
        AURORA_UNROLL
        for (int j = 0; j < run; ++j) values[i + j] = part.values[j];
      }
    } else {
      forEach([&](int outer, int k, T& value) { value = fromFloat<T>(get(p + outer * stride + k)); });
    }
  }
  /// (outer, k) = p[k·stride + outer].
  template <class Source>
  AURORA_DEVICE void loadAcrossK(const Source* p, int stride) {
    const Source* const own = p + k(laneIndex(), 0) * stride + outer(laneIndex(), 0);
    AURORA_UNROLL
    for (int i = 0; i < kSize; ++i) {
      const Source& value = own[k(0, i) * stride + outer(0, i)];
      if constexpr (sizeof(Source) == sizeof(T))
        values[i] = value;
      else
        values[i] = fromFloat<T>(toFloat(value));
    }
  }
};

/// One float for each row of which a lane holds elements.
struct RowValues {
  static constexpr int kSize = kWave == 64 ? 4 : 2;
  float values[kSize];
};

/// A lane's share of a 16 × 16 result.
struct Accumulator {
  static constexpr int kSize = kTile * kTile / kWave;
  float values[kSize];

  AURORA_DEVICE static int row(int lane, int i) { return kWave == 64 ? lane / 16 * 4 + i : lane / 4 + (i / 2 & 1) * 8; }
  AURORA_DEVICE static int column(int lane, int i) { return kWave == 64 ? lane % 16 : lane % 4 * 2 + i / 4 * 8 + i % 2; }
  /// Element i's row in RowValues, and that row's number.
  AURORA_DEVICE static constexpr int rowSlot(int i) { return kWave == 64 ? i : i / 2 & 1; }
  AURORA_DEVICE static int rowOfSlot(int lane, int slot) { return row(lane, kWave == 64 ? slot : slot * 2); }

  AURORA_DEVICE void clear() {
    for (float& value : values) value = 0;
  }
  /// f(row, column, float& value) for the lane's elements.
  template <class F>
  AURORA_DEVICE void forEach(F&& f) {
    const int lane = laneIndex();
    AURORA_UNROLL
    for (int i = 0; i < kSize; ++i) f(row(lane, i), column(lane, i), values[i]);
  }

  /// op over each row's 16 columns; every lane that holds a part of a row gets its result. A wave operation.
  template <class Op>
  AURORA_DEVICE RowValues reduceRows(Op op, Site site = Site::current()) const {
    RowValues result;
    AURORA_UNROLL
    for (int i = 0; i < kSize; ++i) {
      float& total = result.values[rowSlot(i)];
      total = i == firstOfSlot(rowSlot(i)) ? values[i] : op(total, values[i]);
    }
    for (float& total : result.values) total = waveReduce<kWave == 64 ? 16 : 4>(total, op, site);
    return result;
  }
  AURORA_DEVICE RowValues rowSum(Site site = Site::current()) const { return reduceRows(Sum{}, site); }
  AURORA_DEVICE RowValues rowMax(Site site = Site::current()) const { return reduceRows(Max{}, site); }

  /// p[row·stride + column], rounded to T, for rows and columns below the limits.
  template <class T>
  AURORA_DEVICE void store(T* p, int64_t stride, int rows = kTile, int columns = kTile) {
    forEach([&](int row, int column, float& value) {
      if (row < rows && column < columns) put(p + row * stride + column, value);
    });
  }
  /// p[column·stride + row].
  template <class T>
  AURORA_DEVICE void storeTransposed(T* p, int64_t stride, int rows = kTile, int columns = kTile) {
    forEach([&](int row, int column, float& value) {
      if (row < rows && column < columns) put(p + column * stride + row, value);
    });
  }

 private:
  AURORA_DEVICE static constexpr int firstOfSlot(int slot) { return kWave == 64 ? slot : slot * 2; }
};

/// A lane's share of a 16 × 16 result that lies as an operand does, (row, column) where that has (outer, k): for chains of products, (a·bᵀ)·d.
/// Once element-wise work is done it is the next product's operand as it stands, and of a row each lane holds neighbours.
struct OperandAccumulator {
  static constexpr int kSize = kTile * kTile / kWave;
  static constexpr int kRows = kWave == 64 ? 1 : 2;  // of which a lane holds elements
  static constexpr int kRun = kWave == 64 ? 4 : 2;   // neighbours along the row: elements i … i + kRun − 1, i a multiple of kRun
  float values[kSize];

  AURORA_DEVICE static int row(int lane, int i) { return Operand<float>::outer(lane, i); }
  AURORA_DEVICE static int column(int lane, int i) { return Operand<float>::k(lane, i); }
  /// Element i's row among the lane's rows, and that row's number.
  AURORA_DEVICE static constexpr int rowSlot(int i) { return kWave == 64 ? 0 : i / 2 & 1; }
  AURORA_DEVICE static int rowOfSlot(int lane, int slot) { return row(lane, slot * 2); }

  AURORA_DEVICE void clear() {
    for (float& value : values) value = 0;
  }

  /// f(slot of the row, column, Run<kRun, float>& from that column on) for the lane's runs.
  template <class F>
  AURORA_DEVICE void forEachRun(F&& f) const {
    const int lane = laneIndex();
    AURORA_UNROLL
    for (int i = 0; i < kSize; i += kRun) {
      Run<kRun, float> run;
      AURORA_UNROLL
      for (int c = 0; c < kRun; ++c) run.values[c] = values[i + c];
      f(rowSlot(i), column(lane, i), run);
    }
  }

  /// op over what the lanes that share a row hold for it; each of them gets the result. A wave operation.
  template <class Op>
  AURORA_DEVICE static float reduceRow(float x, Op op, Site site = Site::current()) {
    return waveReduce<4, kWave == 64 ? 16 : 1>(x, op, site);
  }

  /// As an operand; to bf16 each is rounded to nearest, a tie away from zero.
  template <class T>
  AURORA_DEVICE Operand<T> operand() const {
    Operand<T> result;
    if constexpr (sizeof(T) == sizeof(float)) {
      __builtin_memcpy(result.values, values, sizeof values);
    } else {
      AURORA_UNROLL
      for (int i = 0; i < kSize; i += 2) {
        uint32_t bits[2];
        __builtin_memcpy(bits, values + i, sizeof bits);
        const uint32_t pair = (bits[0] + 0x8000) >> 16 | ((bits[1] + 0x8000) & 0xffff0000u);
        __builtin_memcpy(result.values + i, &pair, sizeof pair);
      }
    }
    return result;
  }
};

/// c[r][j] += Σₖ a[r][k]·b[j][k]. A wave operation.
AURORA_DEVICE inline void multiplyAdd(Accumulator& c, const Operand<bf16>& a, const Operand<bf16>& b, Site site = Site::current());
AURORA_DEVICE inline void multiplyAdd(Accumulator& c, const Operand<float>& a, const Operand<float>& b, Site site = Site::current());

template <class T>
AURORA_DEVICE inline void multiplyAdd(OperandAccumulator& c, const Operand<T>& a, const Operand<T>& b, Site site = Site::current()) {
  // An operand lies like a result on NVIDIA's units, like a transposed one on AMD's.
  Accumulator product;
  __builtin_memcpy(product.values, c.values, sizeof c.values);
  if constexpr (kWave == 64)
    multiplyAdd(product, b, a, site);
  else
    multiplyAdd(product, a, b, site);
  __builtin_memcpy(c.values, product.values, sizeof c.values);
}

/// x = high + middle + low, exactly (but for parts of subnormal size).
struct Split {
  bf16 high, middle, low;
};
AURORA_DEVICE inline Split split(float x) {
  const auto upper = [](float v) {
    uint32_t bits;
    __builtin_memcpy(&bits, &v, sizeof bits);
    return bf16{static_cast<uint16_t>(bits >> 16)};
  };
  if (!(fabsf(x) <= 3.4028234e38f)) return {fromFloat<bf16>(x), {0}, {0}};
  const bf16 high = upper(x);
  const float rest = x - toFloat(high);
  const bf16 middle = upper(rest);
  return {high, middle, upper(rest - toFloat(middle))};
}

/// The float product by six bf16 products: where the matrix unit has no floats.
AURORA_DEVICE inline void multiplyAddSplit(Accumulator& c, const Operand<float>& a, const Operand<float>& b, Site site) {
  Operand<bf16> as[3], bs[3];
  AURORA_UNROLL
  for (int i = 0; i < Operand<float>::kSize; ++i) {
    const Split x = split(a.values[i]), y = split(b.values[i]);
    as[0].values[i] = x.high, as[1].values[i] = x.middle, as[2].values[i] = x.low;
    bs[0].values[i] = y.high, bs[1].values[i] = y.middle, bs[2].values[i] = y.low;
  }
  AURORA_UNROLL
  for (int order = 2; order >= 0; --order)
    AURORA_UNROLL
    for (int i = 0; i <= order; ++i) multiplyAdd(c, as[i], bs[order - i], site);
}

}  // namespace aurora::hip

#ifdef AURORA_EMULATOR
#include "hip/portable/mma_emulator.h"
#else
#include "hip/portable/mma_gpu.h"
#endif
