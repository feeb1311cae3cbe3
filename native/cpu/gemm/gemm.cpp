#include "cpu/gemm/gemm.h"

#include "cpu/gemm/epilogue.h"
#include "cpu/gemm/few_rows.h"
#include "cpu/gemm/pack.h"

namespace aurora::cpu::AURORA_ISA {
namespace {

// Sizes of blocks. A panel of B over a chunk of k fills most of a 32 KiB L1 cache; a block of A and the sums of a task share a
// 512 KiB L2 cache with the panels of B that pass through.
constexpr int64_t kChunkSteps = 24 * 1024 / (kTileColumns * 4) / 16 * 16;
constexpr int64_t kBlockRows = 96 / kTileRows * kTileRows;  // of A, between which B's panels change
constexpr int64_t kMostTaskRows = 256;
constexpr int64_t kSharedBytesA = int64_t{16} << 20, kSharedBytesB = int64_t{8} << 20;  // packed for all tasks at once
constexpr int64_t kFewTasks = 16;      // with fewer, a long K is worth slicing
constexpr int64_t kSliceDepth = 2048;  // the least k worth a slice of its own

constexpr int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/// How the product is cut, which follows from the shape alone. C is cut into tasks of taskRows × taskColumns. K is cut into
/// chunks, one after the other in a task; where C has few tasks and K is long, also into slices, tasks of their own whose sums
/// are added at the end. An operand is packed for all tasks together in bands of so many rows of A or columns of B, or (0) by each task for itself.
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

  /// From now on lanes begin … begin + width − 1 are held in memory, of size(width, chunk) for each chunk, packed by packPart of
  /// all parts.
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

  Packed* at(int64_t lane, int64_t k, int64_t depth) const {
    return shared_ + k / chunk_ * size(width_, chunk_) + size(lane, depth);
  }
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

/// A block of C and the part of k that is summed into it.
struct Task {
  int64_t row, rows, column, columns;
  int64_t begin, end;  // of k
};

template <class Packed>
class Product {
 public:
  Product(Context& ctx, int64_t M, int64_t N, int64_t K, const Operand& a, const Operand& b)
      : ctx_(ctx), M_(M), N_(N), K_(K), plan_(M, N, K, kDepth<Packed>), a_(a, a.transposed, M, K, plan_.chunk),
        b_(b, !b.transposed, N, K, plan_.chunk), chunks_(ceilDiv(K, plan_.chunk)) {
    const int64_t sums = chunks_ == 1 ? kTileRows * kTileColumns : plan_.taskRows * plan_.taskColumns;
    ownA_ = plan_.bandRows ? 0 : roundUp(PanelsA::size(kBlockRows, plan_.chunk), 64);
    ownB_ = plan_.bandColumns ? 0 : roundUp(PanelsB::size(plan_.taskColumns, plan_.chunk), 64);
    own_ = roundUp(ownA_ + ownB_ + sums, 64);
    threads_ = ctx.scratch.get<float>(kGemmScratch, own_ * ctx.pool.threads());
  }

  void run(const Output& c, const Epilogue& epilogue) {
    if (plan_.slices > 1)
      inSlices(c, epilogue);
    else
      inBands(c, epilogue);
  }

 private:
  using PanelsA = Panels<Packed, kTileRows>;
  using PanelsB = Panels<Packed, kTileColumns>;

  /// Packs what is shared, a band of each operand at a time, and multiplies the bands.
  void inBands(const Output& c, const Epilogue& epilogue) {
    const int64_t sharedA = roundUp(chunks_ * PanelsA::size(plan_.bandRows, plan_.chunk), 64);
    const int64_t sharedB = chunks_ * PanelsB::size(plan_.bandColumns, plan_.chunk);
    Packed* const shared = ctx_.scratch.get<Packed>(kGemmScratch + 1, sharedA + sharedB);
    const int64_t bandRows = plan_.bandRows ? plan_.bandRows : M_, bandColumns = plan_.bandColumns ? plan_.bandColumns : N_;
    for (int64_t top = 0; top < M_; top += bandRows) {
      const int64_t height = least(bandRows, M_ - top);
      if (plan_.bandRows) a_.share(shared, top, height);
      for (int64_t left = 0; left < N_; left += bandColumns) {
        const int64_t width = least(bandColumns, N_ - left);
        if (plan_.bandColumns) b_.share(shared + sharedA, left, width);
        // A band of A serves all bands of B; a single band of B serves all of A.
        const int64_t partsA = left == 0 ? a_.parts() : 0, partsB = top == 0 || bandColumns < N_ ? b_.parts() : 0;
        constexpr int64_t kPackingCost = 8;  // an element packed takes as long as so many multiply-adds
        forTasks(ctx_, partsA + partsB, kPackingCost * ((partsA ? height : 0) + (partsB ? width : 0)) * K_, [&](int64_t part, int) {
          if (part < partsA)
            a_.packPart(part);
          else
            b_.packPart(part - partsA);
        });
        const int64_t down = ceilDiv(height, plan_.taskRows), along = ceilDiv(width, plan_.taskColumns);
        forTasks(ctx_, down * along, height * width * K_, [&](int64_t task, int thread) {
          const int64_t row = task / along * plan_.taskRows, column = task % along * plan_.taskColumns;
          const int64_t rows = least(plan_.taskRows, height - row), columns = least(plan_.taskColumns, width - column);
          multiply(thread, {top + row, rows, left + column, columns, 0, K_}, c, epilogue);
        });
      }
    }
  }

  /// Slices of k give partial sums, added in their order.
  void inSlices(const Output& c, const Epilogue& epilogue) {
    const int64_t depth = ceilDiv(chunks_, plan_.slices) * plan_.chunk, slices = ceilDiv(K_, depth), size = M_ * N_;
    float* const partial = ctx_.scratch.get<float>(kGemmScratch + 1, slices * size + W);
    const int64_t down = ceilDiv(M_, plan_.taskRows), along = ceilDiv(N_, plan_.taskColumns);
    forTasks(ctx_, slices * down * along, size * K_, [&](int64_t task, int thread) {
      const int64_t slice = task / (down * along), begin = slice * depth, end = least(K_, begin + depth);
      const int64_t row = task / along % down * plan_.taskRows, column = task % along * plan_.taskColumns;
      const int64_t rows = least(plan_.taskRows, M_ - row), columns = least(plan_.taskColumns, N_ - column);
      multiply(thread, {row, rows, column, columns, begin, end}, {partial + slice * size, DType::f32, N_}, {});
    });
    const Finish finish = finisher(c, epilogue);
    forTasks(ctx_, M_, size * slices, [&](int64_t row, int) {
      float* sums = partial + row * N_;
      for (int64_t slice = 1; slice < slices; ++slice)
        forVectors(0, N_, [&](int64_t j, auto count) {
          store(sums + j, load(sums + j, count) + load(sums + slice * size + j, count), count);
        });
      finish(c, epilogue, sums, N_, row, 0, 1, N_);
    });
  }

  /// One task, chunk by chunk of k, in the thread's own memory: packed rows of A, packed columns of B, sums.
  void multiply(int thread, const Task& task, const Output& c, const Epilogue& epilogue) {
    const Finish finish = finisher(c, epilogue);
    Packed* const blockA = reinterpret_cast<Packed*>(threads_ + thread * own_);
    Packed* const blockB = blockA + ownA_;
    float* const sums = reinterpret_cast<float*>(blockB + ownB_);
    const int64_t tiles = ceilDiv(task.columns, kTileColumns);
    for (int64_t k = task.begin; k < task.end; k += plan_.chunk) {
      const int64_t depth = least(plan_.chunk, task.end - k), steps = PanelsA::steps(depth), panelSize = steps * kTileColumns;
      const bool first = k == task.begin, last = k + depth == task.end;
      const Packed* packedB = b_.get(task.column, task.columns, k, depth, blockB);
      for (int64_t i0 = 0; i0 < task.rows; i0 += kBlockRows) {
        const int64_t rows = least(kBlockRows, task.rows - i0);
        const Packed* packedA = a_.get(task.row + i0, rows, k, depth, blockA);
        const int64_t ahead = roundUp(ceilDiv(panelSize * sizeof(Packed), ceilDiv(rows, kTileRows)), 64);
        for (int64_t j = 0; j < tiles; ++j) {
          const Packed* panel = packedB + j * panelSize;
          const int64_t column = task.column + j * kTileColumns;
          const int64_t tileColumns = least(kTileColumns, task.columns - j * kTileColumns);
          for (int64_t i = 0; i < rows; i += kTileRows) {
            const int64_t row = task.row + i0 + i, tileRows = least(kTileRows, rows - i);
            // While this panel of B serves all rows, the next one comes nearer, a part with every tile.
            if (j + 1 < tiles) prefetch(reinterpret_cast<const char*>(panel + panelSize) + i / kTileRows * ahead, ahead);
            if (last) prefetchRows(c, row, tileRows, column);
            float* tile = chunks_ == 1 ? sums : sums + ((i0 + i) * tiles + j * kTileRows) * kTileColumns;
            microkernels<Packed>.at(tileRows, tileColumns)(steps, packedA + PanelsA::size(i, depth), panel, tile, first);
            if (last) finish(c, epilogue, tile, kTileColumns, row, column, tileRows, tileColumns);
          }
        }
      }
    }
  }

  static void prefetch(const char* p, int64_t bytes) {
    for (int64_t line = 0; line < bytes; line += 64) __builtin_prefetch(p + line, 0, 2);
  }
  static void prefetchRows(const Output& c, int64_t row, int64_t rows, int64_t column) {
    const char* p = static_cast<const char*>(c.data) + (row * c.ld + column) * byteSize(c.dtype);
    for (int64_t i = 0; i < rows; ++i, p += c.ld * byteSize(c.dtype)) __builtin_prefetch(p, 1);
  }

  Context& ctx_;
  int64_t M_, N_, K_;
  Plan plan_;
  PanelsA a_;
  PanelsB b_;
  int64_t chunks_;
  int64_t ownA_, ownB_, own_;  // sizes in a thread's own memory
  float* threads_;
};

}  // namespace

void gemm(Context& ctx, int64_t M, int64_t N, int64_t K, const Operand& a, const Operand& b, const Output& c,
          const Epilogue& epilogue) {
  if (M == 0 || N == 0) return;
  if (isFewRows(M, a, b)) return fewRows(ctx, M, N, K, a, b, c, epilogue);
  if constexpr (kBf16Pairs)
    if (a.dtype == DType::bf16 && b.dtype == DType::bf16) return Product<bf16Pair>(ctx, M, N, K, a, b).run(c, epilogue);
  Product<float>(ctx, M, N, K, a, b).run(c, epilogue);
}

}  // namespace aurora::cpu::AURORA_ISA
