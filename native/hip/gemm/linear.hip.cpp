// Linear layers and their gradients.
#include "hip/gemm/activation.h"
#include "hip/gemm/gemm.h"

namespace aurora::hip {
namespace {

constexpr int kThreads = 256;
constexpr int kAcross = 32;                     // threads along a row, each with a run of columns
constexpr int kDown = kThreads / kAcross;
constexpr int64_t kSlab = 256;                  // rows of a block: no sum runs over more
constexpr int kGradient = 0, kSlabs = 1;        // scratch slots

/// Of a slab of rows: dz = dy ∘ activation'(z), kept when dz is given, and Σ dz down the slab, in slabs [slab, columns], when that is given.
template <class T, Activation activation, int run>
AURORA_KERNEL(kThreads) void throughActivationKernel(const T* dy, const T* z, int64_t rows, int64_t columns, T* dz, float* slabs) {
  const int across = threadIndex() % kAcross, down = threadIndex() / kAcross;
  const int64_t bands = (columns + kAcross * run - 1) / (kAcross * run), slab = blockX() / bands;
  const int64_t column = ((blockX() - slab * bands) * kAcross + across) * run;
  const int64_t start = slab * kSlab, end = start + kSlab < rows ? start + kSlab : rows;
  float totals[run] = {};
  if (column < columns)
    for (int64_t row = start + down; row < end; row += kDown) {
      const int64_t at = row * columns + column;
      auto values = loadRun<run>(dy + at);
      if constexpr (activation != Activation::none) {
        const auto saved = loadRun<run>(z + at);
        AURORA_UNROLL
        for (int j = 0; j < run; ++j) {
          const float d = toFloat(values.values[j]) * activationDerivative<activation>(toFloat(saved.values[j]));
          totals[j] += d;
          values.values[j] = fromFloat<T>(d);
        }
        storeRun(dz + at, values);
      } else {
        AURORA_UNROLL
        for (int j = 0; j < run; ++j) totals[j] += toFloat(values.values[j]);
      }
    }
  if (!slabs) return;
  float* const shared = sharedMemory<float>();  // [kDown][kAcross · run]
  AURORA_UNROLL
  for (int j = 0; j < run; ++j) shared[(down * run + j) * kAcross + across] = totals[j];
  blockSync();
  if (down > 0 || column >= columns) return;
  AURORA_UNROLL
  for (int j = 0; j < run; ++j) {
    for (int other = 1; other < kDown; ++other) totals[j] += shared[(other * run + j) * kAcross + across];
    slabs[slab * columns + column + j] = totals[j];
  }
}

/// y[j] += Σ slabs[·, j]
AURORA_KERNEL(kThreads) void addSlabsKernel(const float* slabs, int64_t count, int64_t columns, float* y) {
  forGrid(columns, [&](int64_t j) {
    float total = 0;
    for (int64_t slab = 0; slab < count; ++slab) total += slabs[slab * columns + j];
    y[j] += total;
  });
}

template <class T, Activation activation>
void throughActivation(Context& context, const LinearBackward& args, T* dz) {
  const int64_t rows = args.dy.shape[0], columns = args.dy.shape[1], slabs = (rows + kSlab - 1) / kSlab;
  float* const sums = args.dbias ? context.scratch<float>(kSlabs, slabs * columns) : nullptr;
  const T *dy = args.dy.as<T>(), *z = args.preactivation.as<T>();
  const auto start = [&](auto run) {
    constexpr int width = run.value;
    const Grid grid((columns + kAcross * width - 1) / (kAcross * width) * slabs);
    constexpr size_t shared = size_t{kThreads} * width * sizeof(float);
    launch<throughActivationKernel<T, activation, width>>(context.queue, grid, kThreads, shared, dy, z, rows, columns, dz, sums);
  };
  if (columns % kWide<T> == 0 && aligned<16>(dy, z, dz))
    start(Constant<kWide<T>>{});
  else
    start(Constant<1>{});
  if (sums) launch<addSlabsKernel>(context.queue, blocksFor(columns, kThreads), kThreads, 0, sums, slabs, columns, args.dbias.as<float>());
}

template <class T>
void throughActivation(Context& context, const LinearBackward& args, T* dz) {
  switch (args.activation) {
    case Activation::gelu: return throughActivation<T, Activation::gelu>(context, args, dz);
    case Activation::geluTanh: return throughActivation<T, Activation::geluTanh>(context, args, dz);
    case Activation::none: return throughActivation<T, Activation::none>(context, args, dz);
  }
}

}  // namespace

void linear(Context& context, const Linear& args) {
  const int64_t N = args.x.shape[0], D = args.x.shape[1], F = args.weight.shape[0];
  gemm(context, {N, F, D, args.x.data, D, false, args.weight.data, D, true, args.y.data, F, args.x.dtype, args.y.dtype},
       {args.bias.data, args.activation, args.preactivation.data});
}

void linearBackward(Context& context, const LinearBackward& args) {
  const int64_t N = args.x.shape[0], D = args.x.shape[1], F = args.weight.shape[0];
  if (N == 0) return;
  const DType type = args.x.dtype;
  const bool activated = args.activation != Activation::none;
  const void* dz = args.dy.data;
  withFloat(type, [&](auto zero) {
    using T = decltype(zero);
    T* const kept = activated ? context.scratch<T>(kGradient, N * F) : nullptr;
    if (activated || args.dbias) throughActivation<T>(context, args, kept);
    if (activated) dz = kept;
  });
  if (args.dx) gemm(context, {N, D, F, dz, F, false, args.weight.data, D, false, args.dx.data, D, type, type});
  if (args.dweight) gemm(context, {F, D, N, dz, F, true, args.x.data, D, false, args.dweight.data, D, type, DType::f32, 1, 1});
}

}  // namespace aurora::hip
