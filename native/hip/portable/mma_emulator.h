// multiplyAdd in plain C++: the lanes lay their fragments together, one of them multiplies. Only mma.h includes this file.
#pragma once

namespace aurora::hip {

template <class T>
struct Fragments {
  Operand<T> a, b;
  Accumulator product;
};

template <class T>
void multiplyTogether(std::byte* payloads) {
  float a[kTile][kTile], bTransposed[kTile][kTile], product[kTile][kTile] = {};
  const auto lanes = reinterpret_cast<Fragments<T>*>(payloads);
  for (int lane = 0; lane < kWave; ++lane)
    for (int i = 0; i < Operand<T>::kSize; ++i) {
      const int outer = Operand<T>::outer(lane, i), k = Operand<T>::k(lane, i);
      a[outer][k] = toFloat(lanes[lane].a.values[i]);
      bTransposed[k][outer] = toFloat(lanes[lane].b.values[i]);
    }
  for (int row = 0; row < kTile; ++row)
    for (int k = 0; k < kTile; ++k)
      for (int column = 0; column < kTile; ++column) product[row][column] += a[row][k] * bTransposed[k][column];
  for (int lane = 0; lane < kWave; ++lane)
    for (int i = 0; i < Accumulator::kSize; ++i)
      lanes[lane].product.values[i] = product[Accumulator::row(lane, i)][Accumulator::column(lane, i)];
}

template <class T>
void multiplyAddTogether(Accumulator& c, const Operand<T>& a, const Operand<T>& b, Site site) {
  using Payload = Fragments<T>;
  static_assert(sizeof(Payload) <= emulator::kMaxPayload);
  const Payload mine{a, b, {}};
  const auto* all = reinterpret_cast<const Payload*>(emulator::meet("multiplyAdd", &mine, sizeof mine, site, &multiplyTogether<T>));
  for (int i = 0; i < Accumulator::kSize; ++i) c.values[i] += all[laneIndex()].product.values[i];
}

inline void multiplyAdd(Accumulator& c, const Operand<bf16>& a, const Operand<bf16>& b, Site site) { multiplyAddTogether(c, a, b, site); }
inline void multiplyAdd(Accumulator& c, const Operand<float>& a, const Operand<float>& b, Site site) {
  // As the matrix unit of that width would.
  if constexpr (kWave == 64)
    multiplyAddTogether(c, a, b, site);
  else
    multiplyAddSplit(c, a, b, site);
}

}  // namespace aurora::hip
