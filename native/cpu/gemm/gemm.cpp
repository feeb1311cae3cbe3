#include "cpu/gemm/gemm.h"

#include "cpu/gemm/epilogue.h"
#include "cpu/gemm/few_rows.h"
#include "cpu/gemm/pack.h"

namespace aurora::cpu::AURORA_ISA {
namespace {

// A chunk of k keeps a tile in registers for long. What a task packs for itself takes about half of a 512 KiB L2 cache.
constexpr int64_t kChunkSteps = 768;
constexpr int64_t kOwnBytes = int64_t{320} << 10;
constexpr int64_t kMostOwnLanes = 192;
constexpr int64_t kSharedBytes = int64_t{8} << 20;   // packed for all tasks at once, to stay in a share of an L3 cache
constexpr int64_t kFewTiles = 512;                   // with fewer, a long K is worth slicing
constexpr int64_t kSliceSteps = 2048;                // the least of k worth a slice of its own

constexpr int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/// How the product is cut. One operand, the one with fewer lanes (rows of A, columns of B), is packed for all tasks together, the
/// other by each task for itself, chunk by chunk of k. The chunks follow from the shape alone, and so do the slices: where C has few
/// tiles and K is long, slices of k are tasks of their own, whose sums are added at the end. How the lanes are shared out also
/// follows from the number of threads.
struct Plan {
  bool ownRows;  // tasks pack A
  int64_t chunk, slices = 1;
  int64_t band;         // lanes of the shared operand packed at once
  int64_t own, shared;  // lanes of each operand in a task

  Plan(int64_t M, int64_t N, int64_t K, int64_t depth, int threads) {
    ownRows = M >= N;
    const int64_t ownLanes = ownRows ? M : N, sharedLanes = ownRows ? N : M;
    const int64_t ownWidth = ownRows ? kTileRows : kTileColumns, sharedWidth = ownRows ? kTileColumns : kTileRows;
    chunk = roundUp(ceilDiv(K, ceilDiv(K, kChunkSteps * depth)), 16);
    const int64_t ownPanels = ceilDiv(ownLanes, ownWidth), sharedPanels = ceilDiv(sharedLanes, sharedWidth);
    if (ownPanels * sharedPanels < kFewTiles)
      slices = std::max<int64_t>(1, least(ceilDiv(kFewTiles, ownPanels * sharedPanels), K / (kSliceSteps * depth)));
    const int64_t most = kSharedBytes / (ceilDiv(K, depth) * 4);
    band = roundUp(least(sharedLanes, std::max(most, kMostOwnLanes)), sharedWidth);

    // The least time of the busiest thread, in tiles; to pack a panel takes about as long as a tile.
    const int64_t bandPanels = band / sharedWidth;
    const int64_t mostPanels = std::max<int64_t>(1, least(kMostOwnLanes, kOwnBytes / (ceilDiv(chunk, depth) * 4)) / ownWidth);
    int64_t lowest = INT64_MAX;
    for (int64_t parts = 1; parts <= bandPanels; parts *= 2) {
      const int64_t height = ceilDiv(bandPanels, parts);
      for (int64_t width = least(mostPanels, ownPanels); width > 0; --width) {
        const int64_t tasks = ceilDiv(ownPanels, width) * ceilDiv(bandPanels, height) * slices;
        const int64_t cost = ceilDiv(tasks, threads) * width * (height + 1);
        if (cost >= lowest) continue;
        lowest = cost;
        own = width * ownWidth;
        shared = height * sharedWidth;
      }
    }
  }
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
      pack_ = &AURORA_ISA::pack<R, bf16Pair, bf16>;
    else
      pack_ = x.dtype == DType::f32 ? &AURORA_ISA::pack<R, float, float> : &AURORA_ISA::pack<R, float, bf16>;
  }

  /// Lanes begin … begin + width − 1 shall be held in memory, of size(width, chunk) for each chunk; packed when packPart has been called
  /// for all parts.
  void share(Packed* memory, int64_t begin, int64_t width) {
    shared_ = memory;
    begin_ = begin;
    width_ = width;
  }
  int64_t parts() const { return ceilDiv(width_, kPartLanes) * ceilDiv(K_, chunk_); }
  void packPart(int64_t part) {
    const int64_t across = ceilDiv(width_, kPartLanes);
    const int64_t lane = part % across * kPartLanes, k = part / across * chunk_, depth = least(chunk_, K_ - k);
    pack(begin_ + lane, least(kPartLanes, width_ - lane), k, depth, shared_ + k / chunk_ * size(width_, chunk_) + size(lane, depth));
  }
  /// The shared panels from this lane on, over one chunk.
  const Packed* at(int64_t lane, int64_t k, int64_t depth) const {
    return shared_ + k / chunk_ * size(width_, chunk_) + size(lane - begin_, depth);
  }

  void pack(int64_t lane, int64_t count, int64_t k, int64_t depth, Packed* panels) const {
    const int64_t element = across_ ? k * x_.ld + lane : lane * x_.ld + k;
    pack_(static_cast<const char*>(x_.data) + element * byteSize(x_.dtype), x_.ld, across_, count, lanes_ - lane, depth, panels);
  }

 private:
  static constexpr int64_t kPartLanes = 96 / R * R;

  Operand x_;
  bool across_;
  int64_t lanes_, K_, chunk_;
  void (*pack_)(const void* source, int64_t ld, bool across, int64_t lanes, int64_t readable, int64_t depth, Packed* panels);
  Packed* shared_ = nullptr;
  int64_t begin_ = 0, width_ = 0;
};

/// A block of C and the part of k that is summed into it.
struct Task {
  int64_t own, ownLanes, shared, sharedLanes;
  int64_t begin, end;  // of k
};

template <class Packed, bool ownRows>
class Product {
 public:
  Product(Context& ctx, const Plan& plan, int64_t M, int64_t N, int64_t K, const Operand& a, const Operand& b)
      : ctx_(ctx), M_(M), N_(N), K_(K), plan_(plan), a_(a, a.transposed, M, K, plan.chunk), b_(b, !b.transposed, N, K, plan.chunk),
        chunks_(ceilDiv(K, plan.chunk)) {
    ownPacked_ = roundUp(Own::size(plan.own, plan.chunk), 64);
    own_ = ownPacked_ + (chunks_ == 1 ? 0 : roundUp(plan.own, kOwnWidth) * roundUp(plan.shared, kSharedWidth));
    threads_ = ctx.scratch.get<float>(kGemmScratch, own_ * ctx.pool.threads());
  }

  void run(const Output& c, const Epilogue& epilogue) {
    if (plan_.slices == 1) return multiply(c, epilogue, 1, K_, 0);
    // Slices of k give partial sums, added in their order.
    const int64_t depth = ceilDiv(chunks_, plan_.slices) * plan_.chunk, slices = ceilDiv(K_, depth), size = M_ * N_;
    float* const partial = ctx_.scratch.get<float>(kGemmScratch + 2, slices * size + W);
    multiply({partial, DType::f32, N_}, {}, slices, depth, size);
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

 private:
  using PanelsA = Panels<Packed, kTileRows>;
  using PanelsB = Panels<Packed, kTileColumns>;
  using Own = std::conditional_t<ownRows, PanelsA, PanelsB>;
  using Shared = std::conditional_t<ownRows, PanelsB, PanelsA>;
  static constexpr int kOwnWidth = ownRows ? kTileRows : kTileColumns, kSharedWidth = ownRows ? kTileColumns : kTileRows;

  Own& own() {
    if constexpr (ownRows)
      return a_;
    else
      return b_;
  }
  Shared& shared() {
    if constexpr (ownRows)
      return b_;
    else
      return a_;
  }

  /// Packs the shared operand, a band at a time, and multiplies the band. Slice s of k, `depth` deep, goes to C + s · stride.
  void multiply(const Output& c, const Epilogue& epilogue, int64_t slices, int64_t depth, int64_t stride) {
    const int64_t ownLanes = ownRows ? M_ : N_, sharedLanes = ownRows ? N_ : M_;
    Packed* const packed = ctx_.scratch.get<Packed>(kGemmScratch + 1, chunks_ * Shared::size(plan_.band, plan_.chunk));
    for (int64_t start = 0; start < sharedLanes; start += plan_.band) {
      const int64_t width = least(plan_.band, sharedLanes - start);
      shared().share(packed, start, width);
      constexpr int64_t kPackingCost = 8;  // an element packed takes as long as so many multiply-adds
      forTasks(ctx_, shared().parts(), kPackingCost * width * K_, [&](int64_t part, int) { shared().packPart(part); });
      const int64_t across = ceilDiv(ownLanes, plan_.own), down = ceilDiv(width, plan_.shared);
      forTasks(ctx_, slices * across * down, ownLanes * width * K_, [&](int64_t task, int thread) {
        const int64_t slice = task / (across * down), lane = task % across * plan_.own, k = slice * depth;
        const int64_t other = task / across % down * plan_.shared;
        Output to = c;
        if (slice) to.data = static_cast<float*>(c.data) + slice * stride;
        multiply(thread, {lane, least(plan_.own, ownLanes - lane), start + other, least(plan_.shared, width - other), k, least(K_, k + depth)},
                 to, epilogue);
      });
    }
  }

  /// One task, chunk by chunk of k. Sums go straight to C where nothing else happens to them and C holds whole vectors of f32.
  void multiply(int thread, const Task& task, const Output& c, const Epilogue& epilogue) {
    const bool plain = c.dtype == DType::f32 && !epilogue.bias && epilogue.activation == Activation::none;
    const Finish add = plain ? finisher({c.data, c.dtype, c.ld, true}, epilogue) : nullptr, finish = finisher(c, epilogue);
    Packed* const packed = reinterpret_cast<Packed*>(threads_ + thread * own_);
    float* const sums = threads_ + thread * own_ + ownPacked_;
    alignas(64) float tile[kTileRows * kTileColumns];
    for (int64_t k = task.begin; k < task.end; k += plan_.chunk) {
      const int64_t depth = least(plan_.chunk, task.end - k), steps = PanelsA::steps(depth);
      const bool first = k == task.begin, last = k + depth == task.end;
      own().pack(task.own, task.ownLanes, k, depth, packed);
      float* kept = sums;  // the tile's place while not all of k is summed
      for (int64_t s = 0; s < task.sharedLanes; s += kSharedWidth) {
        const Packed* const sharedPanel = shared().at(task.shared + s, k, depth);
        const char* ahead = reinterpret_cast<const char*>(sharedPanel + Shared::size(kSharedWidth, depth));
        for (int64_t o = 0; o < task.ownLanes; o += kOwnWidth, ahead += steps / kPrefetchSteps * 64) {
          const Packed* const ownPanel = packed + Own::size(o, depth);
          const Packed* const a = ownRows ? ownPanel : sharedPanel;
          const Packed* const b = ownRows ? sharedPanel : ownPanel;
          const int64_t row = ownRows ? task.own + o : task.shared + s, column = ownRows ? task.shared + s : task.own + o;
          const int64_t rows = least(kTileRows, M_ - row), columns = least(kTileColumns, N_ - column);
          const auto run = microkernels<Packed>.at(rows, columns);
          if (plain && columns % W == 0) {
            run(steps, a, b, static_cast<float*>(c.data) + row * c.ld + column, c.ld, first && !c.accumulate, ahead);
          } else if (plain) {
            run(steps, a, b, tile, kTileColumns, true, ahead);
            (first ? finish : add)(c, epilogue, tile, kTileColumns, row, column, rows, columns);
          } else {
            float* const to = first && last ? tile : kept;
            run(steps, a, b, to, kTileColumns, first, ahead);
            if (last) finish(c, epilogue, to, kTileColumns, row, column, rows, columns);
            kept += kTileRows * kTileColumns;
          }
        }
      }
    }
  }

  Context& ctx_;
  int64_t M_, N_, K_;
  Plan plan_;
  PanelsA a_;
  PanelsB b_;
  int64_t chunks_;
  int64_t ownPacked_, own_;  // sizes in a thread's own memory
  float* threads_;
};

template <class Packed>
void product(Context& ctx, int64_t M, int64_t N, int64_t K, const Operand& a, const Operand& b, const Output& c,
             const Epilogue& epilogue) {
  const Plan plan(M, N, K, kDepth<Packed>, ctx.pool.threads());
  if (plan.ownRows)
    Product<Packed, true>(ctx, plan, M, N, K, a, b).run(c, epilogue);
  else
    Product<Packed, false>(ctx, plan, M, N, K, a, b).run(c, epilogue);
}

}  // namespace

void gemm(Context& ctx, int64_t M, int64_t N, int64_t K, const Operand& a, const Operand& b, const Output& c,
          const Epilogue& epilogue) {
  if (M == 0 || N == 0) return;
  if (isFewRows(M, a, b)) return fewRows(ctx, M, N, K, a, b, c, epilogue);
  if constexpr (kBf16Pairs)
    if (a.dtype == DType::bf16 && b.dtype == DType::bf16) return product<bf16Pair>(ctx, M, N, K, a, b, c, epilogue);
  product<float>(ctx, M, N, K, a, b, c, epilogue);
}

}  // namespace aurora::cpu::AURORA_ISA
