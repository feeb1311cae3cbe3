// Work that shows the machine's peak: arithmetic that never leaves the registers, and passes over memory that do nothing else.
#include "cpu/loops.h"
#include "cpu/past.h"

namespace aurora::cpu::AURORA_ISA {
namespace {

/// Independent chains hide the latency of an instruction; more than the registers hold would measure the stack.
constexpr int kChains = W == 16 ? 24 : 12;
/// Multiply-adds of one piece for each lane: about half a millisecond with AVX-512.
constexpr int64_t kSteps = 1 << 22;

/// Runs chains of v = step(v) and returns what keeps the compiler from leaving them out.
template <class Step>
inline f32v runChains(Step&& step) {
  f32v v[kChains];
  unroll<kChains>([&](auto i) { v[i] = splat(0.01f * i); });
  for (int64_t n = 0; n < kSteps / kChains; ++n) unroll<kChains>([&](auto i) { v[i] = step(v[i]); });
  f32v total{};
  unroll<kChains>([&](auto i) { total += v[i]; });
  return total;
}

/// A value that the compiler cannot see through.
inline float opaque(float x) {
  volatile float hidden = x;
  return hidden;
}
inline void use(float x) {
  [[maybe_unused]] volatile float sink = x;
}

/// FLOPs of a piece of `lanes` multiply-adds a step.
constexpr double flops(int lanes) { return 2.0 * lanes * (kSteps / kChains) * kChains; }

double multiplyAdd() {
  const f32v factor = splat(opaque(0.999f)), term = splat(opaque(0.001f));
  use(sum(runChains([&](f32v v) { return v * factor + term; })));
  return flops(W);
}

double dotBf16() {
  if constexpr (!kBf16Pairs) return 0;
  // Pairs (0, 0.0156) and (0, 0.0156): v stays finite.
  const u32v a = splat(bf16Pair{static_cast<uint32_t>(opaque(0x3c800000))}), b = a;
  use(sum(runChains([&](f32v v) { return dotPairs(a, b, v); })));
  return flops(2 * W);
}

void readAll(const float* x, int64_t size) {
  constexpr int kStreams = 8;
  f32v total[kStreams] = {};
  int64_t i = 0;
  for (; i + kStreams * W <= size; i += kStreams * W) unroll<kStreams>([&](auto s) { total[s] += load(x + i + s * W); });
  for (; i < size; ++i) total[0][0] += x[i];
  unroll<kStreams - 1>([&](auto s) { total[0] += total[s + 1]; });
  use(sum(total[0]));
}

void copyAll(const float* x, float* y, int64_t size) {
  const int64_t toAligned = static_cast<int64_t>(-reinterpret_cast<uintptr_t>(y) % sizeof(f32v) / sizeof(float));
  int64_t i = 0;
  for (; i < std::min(size, toAligned); ++i) y[i] = x[i];
  for (; i + W <= size; i += W) storePast(y + i, load(x + i));
  for (; i < size; ++i) y[i] = x[i];
  finishStoresPast();
}

void updateAll(float* x, int64_t size) {
  forVectors(0, size, [&](int64_t i, auto count) { store(x + i, -load(x + i, count), count); });
}

}  // namespace

void probe(Context& context, const Probe& args) {
  float* memory = args.buffer.as<float>();
  const int64_t half = args.buffer.size() / 2, size = args.kind == ProbeKind::copy ? half : args.buffer.size();
  double arithmetic = 0;  // of one piece, written by the one who does the first
  context.pool.parallel(args.rounds, [&](int64_t piece, int) {
    const int64_t begin = size * piece / args.rounds, length = size * (piece + 1) / args.rounds - begin;
    double done = 0;
    switch (args.kind) {
      case ProbeKind::multiplyAdd: done = multiplyAdd(); break;
      case ProbeKind::dotBf16: done = dotBf16(); break;
      case ProbeKind::read: readAll(memory + begin, length); break;
      case ProbeKind::copy: copyAll(memory + begin, memory + half + begin, length); break;
      case ProbeKind::update: updateAll(memory + begin, length); break;
    }
    if (piece == 0) arithmetic = done;
  });
  const double passed = static_cast<double>(size) * sizeof(float), rounds = static_cast<double>(args.rounds);
  const double work = args.kind == ProbeKind::read ? passed : args.kind >= ProbeKind::copy ? 2 * passed : arithmetic * rounds;
  *args.work.as<float>() = static_cast<float>(args.rounds == 0 ? 0 : work);
}

}  // namespace aurora::cpu::AURORA_ISA
