#include "cpu/gemm/epilogue.h"
#include "cpu/gemm/gemm.h"

namespace aurora::cpu::AURORA_ISA {
namespace {

Operand rows(const View& x) { return {x.data, x.dtype, x.shape[1]}; }
Operand transposed(const View& x) { return {x.data, x.dtype, x.shape[1], true}; }

f32v activationDerivative(f32v z, Activation activation) {
  switch (activation) {
    case Activation::gelu:
      return geluDerivative(z);
    case Activation::geluTanh:
      return geluTanhDerivative(z);
    default:
      return splat(1.0f);
  }
}

/// dz = dy ∘ activation'(z), kept when `dz` is given, and dbias += Σₙ dz. A task owns a band of columns and goes down the rows in
/// blocks, so that no sum runs over more than a block.
template <class T>
void throughActivation(Context& ctx, const LinearBackward& args, T* dz) {
  constexpr int64_t kBand = 64, kBlock = 64, kWorkPerElement = 24;
  const int64_t N = args.dy.shape[0], F = args.dy.shape[1];
  const T* dy = args.dy.as<T>();
  const T* z = args.preactivation.as<T>();
  float* dbias = args.dbias.as<float>();
  forTasks(ctx, ceilDiv(F, kBand), N * F * kWorkPerElement, [&](int64_t task, int) {
    const int64_t begin = task * kBand, end = begin + kBand < F ? begin + kBand : F;
    float total[kBand] = {};
    for (int64_t n0 = 0; n0 < N; n0 += kBlock) {
      float block[kBand] = {};
      const int64_t n1 = n0 + kBlock < N ? n0 + kBlock : N;
      for (int64_t n = n0; n < n1; ++n)
        forVectors(begin, end, [&](int64_t j, auto count) {
          const int64_t at = n * F + j;
          f32v d = load(dy + at, count);
          if (dz) {
            d *= activationDerivative(load(z + at, count), args.activation);
            store(dz + at, d, count);
          }
          float* sums = block + (j - begin);
          store(sums, load(sums) + d);
        });
      for (int64_t j = 0; j < kBand; j += W) store(total + j, load(total + j) + load(block + j));
    }
    if (dbias)
      for (int64_t j = begin; j < end; ++j) dbias[j] += total[j - begin];
  });
}

}  // namespace

void linear(Context& ctx, const Linear& args) {
  const int64_t N = args.x.shape[0], D = args.x.shape[1], F = args.weight.shape[0];
  gemm(ctx, N, F, D, rows(args.x), transposed(args.weight), {args.y.data, args.y.dtype, F}, 
       {args.bias.data, args.activation, args.preactivation.data});
}

void linearBackward(Context& ctx, const LinearBackward& args) {
  const int64_t N = args.x.shape[0], D = args.x.shape[1], F = args.weight.shape[0];
  if (N == 0) return;
  View dz = args.dy;
  const bool activated = args.activation != Activation::none;
  if (activated) dz.data = ctx.scratch.get<char>(0, dz.bytes());
  if (activated || args.dbias)
    withFloat(dz.dtype, [&](auto zero) { throughActivation(ctx, args, activated ? dz.as<decltype(zero)>() : nullptr); });
  if (args.dx) gemm(ctx, N, D, F, rows(dz), rows(args.weight), {args.dx.data, args.dx.dtype, D});
  if (args.dweight) gemm(ctx, F, D, N, transposed(dz), rows(args.x), {args.dweight.data, DType::f32, D, true});
}

}  // namespace aurora::cpu::AURORA_ISA
