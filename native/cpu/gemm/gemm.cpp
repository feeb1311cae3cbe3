#include "cpu/gemm/gemm.h"

#include "cpu/gemm/epilogue.h"
#include "cpu/gemm/few_rows.h"
#include "cpu/gemm/pack.h"

namespace aurora::cpu::AURORA_ISA {
namespace {

// Sizes of blocks. A panel of B over a chunk of k fills most of a 32 KiB L1 cache; a block of A and the sums of a task share a 512 KiB L2
// cache with the panels of B that pass through.
constexpr int64_t kChunkSteps = 24 * 1024 / (kTileColumns * 4) / 16 * 16;
constexpr int64_t kBlockRows = 96 / kTileRows * kTileRows;  // of A, between which B's panels change
constexpr int64_t kMostTaskRows = 256;
constexpr int64_t kSharedBytesA = int64_t{16} << 20, kSharedBytesB = int64_t{8} << 20;  // packed for all tasks at once
constexpr int64_t kFewTasks = 16;      // with fewer, a long K is worth slicing
constexpr int64_t kSliceDepth = 2048;  // the least k worth a slice of its own

constexpr int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/// How the product is cut, which follows from the shape alone. C is cut into tasks of taskRows × taskColumns. K is cut into chunks, one
/// after the other in a task; where C has few tasks and K is long, also into slices, tasks of their own whose sums are added at the end.
/// An operand is packed for all tasks together in bands of so many rows of A or columns of B, or (0) by each task for itself.
struct Plan {
  int64_t taskRows, taskColumns;
  int64_t chunk, slices = 1;
  int64_t bandRows, bandColumns;

  Plan(int64_t M, int64_t N, int64_t K, int64_t depth) {
    chunk = roundUp(ceilDiv(K, ceilDiv(K, kChunkSteps * depth)), 16);
    bandRows = band(kSharedBytesA / (K * 4) / kBlockRows * kBlockRows, roundUp(M, kTileRows));
    bandColumns = M > kMostTaskRows ? band(kSharedBytesB / (K * 4) / kTileColumns * kTileColumns, roundUp(N, kTileColumns)) : 0;
    taskRows = bandColumns ? kBlockRows : roundUp(ceilDiv(M, ceilDiv(M, kMostTaskRows)), kTileRows);
    // Narrow tasks balance better; but tasks in a row share A, and each packs it again when it is not packed for all.
    taskColumns = !bandRows ? 256 : bandColumns ? 192 : 64;
    taskColumns = least(roundUp(taskColumns, kTileColumns), roundUp(N, kTileColumns));
    const int64_t tasks = ceilDiv(M, taskRows) * ceilDiv(N, taskColumns);
    if (tasks < kFewTasks && K >= 2 * kSliceDepth) {
      bandRows = bandColumns = 0;
      taskColumns = least(roundUp(256, kTileColumns), roundUp(N, kTileColumns));
      slices = least(ceilDiv(kFewTasks, ceilDiv(M, taskRows) * ceilDiv(N, taskColumns)), K / kSliceDepth);
    }
  }

 private:
  static int64_t band(int64_t fitting, int64_t all) { return fitting >= all ? all : fitting >= kMostTaskRows ? fitting : 0; }
};

/// One operand in panels of R lanes (rows of A, columns of B): packed before the tasks run, or for a task when it needs them.
template <class Packed, int R>
class Panels {
 public:
  static constexpr int64_t steps(int64_t depth) { return ceilDiv(depth, kDepth<Packed>); }
  /// Packed elements that hold `lanes` lanes over `depth` of k.
  static constexpr int64_t size(int64_t lanes, int64_t depth) { return ceilDiv(lanes, R) * panelStride<R>(steps(depth)); }

  /// `across`: lanes lie side by side in memory.
  Panels(const Operand& x, bool across, int64_t lanes, int64_t K, int64_t chunk)
      : x_(x), across_(across), lanes_(lanes), K_(K), chunk_(chunk) {
    if constexpr (std::is_same_v<Packed, bf16Pair>)
      pack_ = &pack<R, bf16Pair, bf16>;
    else
      pack_ = x.dtype == DType::f32 ? &pack<R, float, float> : &pack<R, float, bf16>;
  }

  /// From now on lanes begin … begin + width − 1 are held in memory, of size(width, chunk) for each chunk, packed by packPart of all parts.
  void share(Packed* memory, int64_t begin, int64_t width) {
    shared_ = memory;
    begin_ = begin;
    width_ = width;
  }
  int64_t parts() const { return shared_ ? ceilDiv(width_, kPartLanes) * ceilDiv(K_, chunk_) : 0; }
  void packPart(int64_t part) {
    const int64_t across = ceilDiv(width_, kPartLanes);
    const int64_t lane = part % across * kPartLanes, k = part / across * chunk_, depth = least(chunk_, K_ - k);
    packInto(begin_ + lane, least(kPartLanes, width_ - lane), k, depth, at(lane, k, depth));
  }

  /// The panels of these lanes (the first a multiple of R from where sharing began) over one chunk; packed into `own` unless shared.
  const Packed* get(int64_t lane, int64_t count, int64_t k, int64_t depth, Packed* own) const {
    if (shared_) return at(lane - begin_, k, depth);
    packInto(lane, count, k, depth, own);
    return own;
  }

 private:
  static constexpr int64_t kPartLanes = 96 / R * R;

  Packed* at(int64_t lane, int64_t k, int64_t depth) const { return shared_ + k / chunk_ * size(width_, chunk_) + size(lane, depth); }
  void packInto(int64_t lane, int64_t count, int64_t k, int64_t depth, Packed* panels) const {
    const int64_t element = across_ ? k * x_.ld + lane : lane * x_.ld + k;
    pack_(static_cast<const char*>(x_.data) + element * byteSize(x_.dtype), x_.ld, across_, count, lanes_ - lane, depth, panels);
  }

  Operand x_;
  bool across_;
  int64_t lanes_, K_, chunk_;
  void (*pack_)(const void* source, int64_t ld, bool across, int64_t lanes, int64_t readable, int64_t depth, Packed* panels);
  Packed* shared_ = nullptr;
  int64_t begin_ = 0, width_ = 0;
};

inline char* elementAt(const Output& c, int64_t i, int64_t j) { return static_cast<char*>(c.data) + (i * c.ld + j) * byteSize(c.dtype); }

template <class Packed>
void packedProduct(Context& ctx, int64_t M, int64_t N, int64_t K, const Operand& a, const Operand& b, const Output& c,
                   const Epilogue& epilogue) {
  using PanelsA = Panels<Packed, kTileRows>;
  using PanelsB = Panels<Packed, kTileColumns>;
  const Plan plan(M, N, K, kDepth<Packed>);
  const int64_t chunks = ceilDiv(K, plan.chunk);
  PanelsA panelsA(a, a.transposed, M, K, plan.chunk);
  PanelsB panelsB(b, !b.transposed, N, K, plan.chunk);
  const int64_t sharedA = roundUp(chunks * PanelsA::size(plan.bandRows, plan.chunk), 64);
  const int64_t sharedB = chunks * PanelsB::size(plan.bandColumns, plan.chunk);
  Packed* const shared = ctx.scratch.get<Packed>(kGemmScratch, sharedA + sharedB);

  // A thread's own memory: packed rows of A, packed columns of B, sums.
  const int64_t ownA = plan.bandRows ? 0 : roundUp(PanelsA::size(kBlockRows, plan.chunk), 64);
  const int64_t ownB = plan.bandColumns ? 0 : roundUp(PanelsB::size(plan.taskColumns, plan.chunk), 64);
  const int64_t ownSums = chunks == 1 ? kTileRows * kTileColumns : plan.taskRows * plan.taskColumns;
  const int64_t own = roundUp(ownA + ownB + ownSums, 64);
  float* const threads = ctx.scratch.get<float>(kGemmScratch + 1, own * ctx.pool.threads());

  const auto multiply = [&](int thread, int64_t row, int64_t rows, int64_t column, int64_t columns, int64_t begin, int64_t end,
                            const Output& to, const Epilogue& after) {
    const Finish finish = finisher(to, after);
    Packed* const blockA = reinterpret_cast<Packed*>(threads + thread * own);
    Packed* const blockB = blockA + ownA;
    float* const sums = reinterpret_cast<float*>(blockB + ownB);
    const int64_t tiles = ceilDiv(columns, kTileColumns);
    for (int64_t k = begin; k < end; k += plan.chunk) {
      const int64_t depth = least(plan.chunk, end - k), steps = PanelsA::steps(depth);
      const Packed* packedB = panelsB.get(column, columns, k, depth, blockB);
      const bool first = k == begin, last = k + depth == end;
      for (int64_t i0 = 0; i0 < rows; i0 += kBlockRows) {
        const int64_t blockRows = least(kBlockRows, rows - i0);
        const Packed* packedA = panelsA.get(row + i0, blockRows, k, depth, blockA);
        const int64_t panelB = steps * kTileColumns;
        const int64_t prefetched = roundUp(ceilDiv(panelB * sizeof(Packed), ceilDiv(blockRows, kTileRows)), 64);
        for (int64_t j = 0; j < tiles; ++j) {
          const int64_t tileColumns = least(kTileColumns, columns - j * kTileColumns);
          for (int64_t i = 0; i < blockRows; i += kTileRows) {
            const int64_t tileRows = least(kTileRows, blockRows - i);
            // While this panel of B serves the rows, the next one comes nearer, a part with every tile.
            const char* next = reinterpret_cast<const char*>(packedB + (j + 1) * panelB) + i / kTileRows * prefetched;
            if (j + 1 < tiles)
              for (int64_t line = 0; line < prefetched; line += 64) __builtin_prefetch(next + line, 0, 2);
            float* tile = chunks == 1 ? sums : sums + ((i0 + i) * tiles + j * kTileRows) * kTileColumns;
            if (last)
              for (int64_t r = 0; r < tileRows; ++r) __builtin_prefetch(elementAt(to, row + i0 + i + r, column + j * kTileColumns), 1);
            microkernels<Packed>.at(tileRows, tileColumns)(steps, packedA + PanelsA::size(i, depth), packedB + j * panelB, tile,
                                                           first);
            if (last) finish(to, after, tile, kTileColumns, row + i0 + i, column + j * kTileColumns, tileRows, tileColumns);
          }
        }
      }
    }
  };

  if (plan.slices > 1) {
    const int64_t down = ceilDiv(M, plan.taskRows), along = ceilDiv(N, plan.taskColumns), sliceDepth = ceilDiv(chunks, plan.slices) * plan.chunk;
    const int64_t slices = ceilDiv(K, sliceDepth);
    float* const partial = ctx.scratch.get<float>(kGemmScratch + 2, slices * M * N + W);
    forTasks(ctx, slices * down * along, M * N * K, [&](int64_t task, int thread) {
      const int64_t slice = task / (down * along), row = task / along % down * plan.taskRows, column = task % along * plan.taskColumns;
      multiply(thread, row, least(plan.taskRows, M - row), column, least(plan.taskColumns, N - column), slice * sliceDepth,
               least(K, (slice + 1) * sliceDepth), {partial + slice * M * N, DType::f32, N}, {});
    });
    const Finish finish = finisher(c, epilogue);
    forTasks(ctx, M, M * N * slices, [&](int64_t row, int) {
      float* sums = partial + row * N;
      for (int64_t slice = 1; slice < slices; ++slice)
        forVectors(0, N, [&](int64_t j, auto count) {
          store(sums + j, load(sums + j, count) + load(sums + slice * M * N + j, count), count);
        });
      finish(c, epilogue, sums, N, row, 0, 1, N);
    });
    return;
  }

  const int64_t bandRows = plan.bandRows ? plan.bandRows : M, bandColumns = plan.bandColumns ? plan.bandColumns : N;
  for (int64_t top = 0; top < M; top += bandRows) {
    const int64_t height = least(bandRows, M - top);
    if (plan.bandRows) panelsA.share(shared, top, height);
    for (int64_t left = 0; left < N; left += bandColumns) {
      const int64_t width = least(bandColumns, N - left);
      if (plan.bandColumns) panelsB.share(shared + sharedA, left, width);
      const int64_t partsA = left == 0 ? panelsA.parts() : 0;                          // the band of A serves all bands of B
      const int64_t partsB = top == 0 || bandColumns < N ? panelsB.parts() : 0;  // a single band of B serves all of A
      constexpr int64_t kPackingCost = 8;  // an element packed takes as long as so many multiply-adds
      forTasks(ctx, partsA + partsB, kPackingCost * ((partsA ? height : 0) + (partsB ? width : 0)) * K, [&](int64_t part, int) {
        if (part < partsA)
          panelsA.packPart(part);
        else
          panelsB.packPart(part - partsA);
      });
      const int64_t down = ceilDiv(height, plan.taskRows), along = ceilDiv(width, plan.taskColumns);
      forTasks(ctx, down * along, height * width * K, [&](int64_t task, int thread) {
        const int64_t row = task / along * plan.taskRows, column = task % along * plan.taskColumns;
        multiply(thread, top + row, least(plan.taskRows, height - row), left + column, least(plan.taskColumns, width - column), 0, K, c,
                 epilogue);
      });
    }
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
