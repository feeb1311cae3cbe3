#include "cpu/gemm/gemm.h"

#include "cpu/gemm/epilogue.h"
#include "cpu/gemm/few_rows.h"
#include "cpu/gemm/pack.h"

namespace aurora::cpu::AURORA_ISA {
namespace {

// Sizes of blocks, in elements. A panel of B over a chunk of k fills most of a 32 KiB L1 cache, a block of A and a tile of sums half of
// a 512 KiB L2 cache.
constexpr int64_t kChunkSteps = 24 * 1024 / (kTileColumns * 4) / 16 * 16;
constexpr int64_t kBlockRows = 96 / kTileRows * kTileRows;      // rows of A packed at once
constexpr int64_t kTaskColumns = 128 / kTileColumns * kTileColumns;
constexpr int64_t kSharedColumns = 384 / kTileColumns * kTileColumns;
constexpr int64_t kFewPanels = 256;                              // up to this many rows every task packs its own part of B
constexpr int64_t kSharedBytes = int64_t{8} << 20;               // of B packed for all tasks at once

constexpr int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/// How the product is cut: a function of the shape alone. C is cut into tasks, K into chunks.
struct Plan {
  int64_t chunk;        // of k
  int64_t taskRows, taskColumns;
  int64_t sharedColumns;  // B is packed for all tasks in bands of so many columns; 0: each task packs its own

  Plan(int64_t M, int64_t N, int64_t K, int64_t depth) {
    chunk = roundUp(ceilDiv(K, ceilDiv(K, kChunkSteps * depth)), 16);
    const int64_t band = kSharedBytes / (K * 4) / kTileColumns * kTileColumns;
    if (M > kFewPanels && band >= kTaskColumns) {
      sharedColumns = least(band, roundUp(N, kTileColumns));
      taskRows = kBlockRows;
      taskColumns = least(kSharedColumns, sharedColumns);
    } else {
      sharedColumns = 0;
      taskRows = roundUp(ceilDiv(M, ceilDiv(M, kFewPanels)), kTileRows);
      taskColumns = kTaskColumns;
    }
  }
};

template <int R, class Packed>
auto packer(DType dtype) {
  if constexpr (std::is_same_v<Packed, bf16Pair>)
    return &pack<R, bf16Pair, bf16>;
  else
    return dtype == DType::f32 ? &pack<R, float, float> : &pack<R, float, bf16>;
}

/// Where the block of an operand starts whose first lane (row of A, column of B) and k these are.
inline const void* blockAt(const Operand& x, bool across, int64_t lane, int64_t k) {
  return static_cast<const char*>(x.data) + (across ? k * x.ld + lane : lane * x.ld + k) * byteSize(x.dtype);
}

template <class Packed>
void packedProduct(Context& ctx, int64_t M, int64_t N, int64_t K, const Operand& a, const Operand& b, const Output& c,
                   const Epilogue& epilogue) {
  const Plan plan(M, N, K, kDepth<Packed>);
  const auto packA = packer<kTileRows, Packed>(a.dtype);
  const auto packB = packer<kTileColumns, Packed>(b.dtype);
  const bool acrossA = a.transposed, acrossB = !b.transposed;
  const Finish finish = finisher(c.dtype);
  const auto stepsOf = [](int64_t depth) { return ceilDiv(depth, kDepth<Packed>); };
  const int64_t chunks = ceilDiv(K, plan.chunk), chunkSteps = stepsOf(plan.chunk);

  // A thread's own memory: packed rows of A, packed columns of B, sums.
  const int64_t ownA = kBlockRows / kTileRows * panelStride<kTileRows>(chunkSteps);
  const int64_t ownB = plan.sharedColumns ? 0 : chunkSteps * plan.taskColumns;
  const int64_t ownSums = (chunks > 1 ? plan.taskRows : kTileRows) * (chunks > 1 ? plan.taskColumns : kTileColumns);
  const int64_t own = roundUp(ownA + ownB + ownSums, 64);
  float* const threads = ctx.scratch.get<float>(kGemmScratch, own * ctx.pool.threads());
  Packed* const shared =
      plan.sharedColumns ? ctx.scratch.get<Packed>(kGemmScratch + 1, chunks * chunkSteps * plan.sharedColumns) : nullptr;

  // One task: a block of C. The chunks of a packed band of B are chunkStride apart.
  const auto multiply = [&](int thread, int64_t row, int64_t rows, int64_t band, int64_t offset, int64_t columns, int64_t chunkStride) {
    const int64_t column = band + offset;
    Packed* const blockA = reinterpret_cast<Packed*>(threads + thread * own);
    Packed* const blockB = blockA + ownA;
    float* const sums = reinterpret_cast<float*>(blockB + ownB);
    const int64_t tiles = ceilDiv(columns, kTileColumns);
    for (int64_t k = 0; k < K; k += plan.chunk) {
      const int64_t depth = least(plan.chunk, K - k), steps = stepsOf(depth), strideA = panelStride<kTileRows>(steps);
      const Packed* panelsB = shared ? shared + k / plan.chunk * chunkStride + offset * steps : blockB;
      if (!shared) packB(blockAt(b, acrossB, column, k), b.ld, acrossB, columns, N - column, depth, blockB);
      const bool first = k == 0, last = k + depth == K;
      for (int64_t i0 = 0; i0 < rows; i0 += kBlockRows) {
        const int64_t blockRows = least(kBlockRows, rows - i0);
        packA(blockAt(a, acrossA, row + i0, k), a.ld, acrossA, blockRows, M - row - i0, depth, blockA);
        for (int64_t j = 0; j < tiles; ++j) {
          const int64_t tileColumns = least(kTileColumns, columns - j * kTileColumns);
          for (int64_t i = 0; i < blockRows; i += kTileRows) {
            const int64_t tileRows = least(kTileRows, blockRows - i);
            float* tile = chunks == 1 ? sums : sums + ((i0 + i) * tiles + j * kTileRows) * kTileColumns;
            microkernels<Packed>.at(tileRows, tileColumns)(steps, blockA + i / kTileRows * strideA, panelsB + j * steps * kTileColumns,
                                                           tile, first);
            if (last)
              finish(c, epilogue, tile, kTileColumns, row + i0 + i, column + j * kTileColumns, tileRows, tileColumns);
          }
        }
      }
    }
  };

  const int64_t bandColumns = plan.sharedColumns ? plan.sharedColumns : N;
  for (int64_t band = 0; band < N; band += bandColumns) {
    const int64_t width = least(bandColumns, N - band), paddedWidth = roundUp(width, kTileColumns);
    if (shared) {
      constexpr int64_t kColumnsPerTask = 64 / kTileColumns * kTileColumns;
      const int64_t parts = ceilDiv(width, kColumnsPerTask);
      constexpr int64_t kPackingCost = 8;  // an element packed takes as long as so many multiply-adds
      forTasks(ctx, parts * chunks, kPackingCost * width * K, [&](int64_t task, int) {
        const int64_t j = task % parts * kColumnsPerTask, k = task / parts * plan.chunk;
        const int64_t depth = least(plan.chunk, K - k);
        packB(blockAt(b, acrossB, band + j, k), b.ld, acrossB, least(kColumnsPerTask, width - j), N - band - j, depth,
              shared + k / plan.chunk * chunkSteps * paddedWidth + j * stepsOf(depth));
      });
    }
    const int64_t down = ceilDiv(M, plan.taskRows), along = ceilDiv(width, plan.taskColumns);
    forTasks(ctx, down * along, M * width * K, [&](int64_t task, int thread) {
      const int64_t row = task / along * plan.taskRows, j = task % along * plan.taskColumns;
      multiply(thread, row, least(plan.taskRows, M - row), band, j, least(plan.taskColumns, width - j), chunkSteps * paddedWidth);
    });
  }
}

}  // namespace

void gemm(Context& ctx, int64_t M, int64_t N, int64_t K, const Operand& a, const Operand& b, const Output& c, const Epilogue& epilogue) {
  if (M == 0 || N == 0) return;
  if (isFewRows(M, a, b)) return fewRows(ctx, M, N, K, a, b, c, epilogue);
  if constexpr (kBf16Pairs)
    if (a.dtype == DType::bf16 && b.dtype == DType::bf16) return packedProduct<bf16Pair>(ctx, M, N, K, a, b, c, epilogue);
  packedProduct<float>(ctx, M, N, K, a, b, c, epilogue);
}

}  // namespace aurora::cpu::AURORA_ISA
