// The Backend interface: what a device can do. The comment on each argument struct is that operation's contract: its
// mathematics, shapes, dtypes, aliasing and accumulation rules. A backend implements it, native/core/ops.cpp checks every
// call against it before a backend sees it, and src/ops/ gives it to users.
//
// Letters: N rows (tokens of all sequences, flattened), D hidden, F output features, H query heads, G key/value heads
// (1 for multi-query, H for multi-head), K head width, V vocabulary, P positions, B sequences, T cache length.
//
// Rules for all operations
// - Every call enqueues on the stream and returns at once. Errors only the data can show (an id outside its table) are
//   reported through Stream::fail and surface at the next synchronisation; memory outside a tensor is never touched.
// - "float" means f32 or bf16; all float tensors of one call have the same dtype unless stated. Sums, softmax, norms and
//   losses are computed in f32 (or better); a bf16 result is rounded once, to nearest even.
// - Gradients of parameters (names `dweight`, `dbias`, `dgamma`, `dbeta`, `dtable`) are f32 and are ADDED to. All other outputs are
//   overwritten. An output may alias an input only where stated.
// - For given inputs a result is bit-for-bit repeatable, on the CPU for any number of threads.
// - Views marked optional may be empty. N = 0 is allowed everywhere and does nothing.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/random.h"
#include "core/stream.h"
#include "core/view.h"

namespace aurora {

enum class Activation : uint8_t {
  none = 0,
  gelu = 1,      // x/2 (1 + erf(x/√2))
  geluTanh = 2,  // x/2 (1 + tanh(√(2/π)(x + 0.044715 x³)))
};

/// Fills y (any dtype) with value, converted to y's dtype.
struct Fill { View y; double value; };

/// y = x converted element by element; shapes have equal sizes. Integer ↔ float and f32 ↔ bf16 (round to nearest even;
/// float → integer truncates and saturates). Same-dtype casts copy. No aliasing unless dtypes are equal.
struct Cast { View x, y; };

/// y[n, yOffset + j] = x[n, xOffset + j] for j < width: the one strided copy, for slices and concatenations along columns.
/// x [N, Dx], y [N, Dy], same dtype (any). Distinct memory.
struct CopyColumns { View x; int64_t xOffset; View y; int64_t yOffset; int64_t width; };

/// y[m] = x[rows[m]]. x [N, D] any dtype, rows i32 [M], y [M, D]. A row outside [0, N) fails (ERR_INDEX).
struct GatherRows { View x, rows, y; };
/// dx[rows[m]] += dy[m], after dx was cleared. dy float [M, D], rows i32 [M], dx [N, D]. Repeated rows sum, in order of m.
struct GatherRowsBackward { View dy, rows, dx; };

/// y = alpha·a + beta·b. float, equal shapes; b optional (then y = alpha·a). y may alias a or b.
struct Add { View a; double alpha; View b; double beta; View y; };

/// h[n] = tokenTable[tokens[n]] + positionTable[positions[n]].
/// tokens, positions i32 [N]; tokenTable [V, D], positionTable [P, D] float; h [N, D]. A negative id adds nothing (another rank holds its row);
/// ids beyond the tables fail (ERR_INDEX).
struct Embedding { View tokens, positions, tokenTable, positionTable, h; };
/// dtokenTable[tokens[n]] += dh[n]; dpositionTable[positions[n]] += dh[n]. Both f32, both optional. Rows sum in order of n; negative ids are left out.
struct EmbeddingBackward { View dh, tokens, positions, dtokenTable, dpositionTable; };

/// h = x + residual (h = x when residual is empty; then sum is not written); y = (h − mean)·rstd·gamma + beta, rows over D.
/// x, residual (optional), sum (optional, receives h; required with residual), y [N, D]; gamma, beta [D] in x's dtype;
/// mean, rstd f32 [N] (both optional). With residual the statistics are of the unrounded f32 sum. sum may alias x or residual.
struct LayerNorm { View x, residual, gamma, beta; double epsilon; View sum, y, mean, rstd; };
/// dx = layer norm's input gradient at h, plus dsum when given (the gradient that reaches h by the residual path).
/// dy, h [N, D]; dsum optional [N, D], may alias dx; dx optional [N, D]; dgamma, dbeta f32 [D] optional, added to.
struct LayerNormBackward { View dy, h, gamma, mean, rstd, dsum, dx, dgamma, dbeta; };

/// z = x · weightᵀ + bias; y = activation(z). x [N, D], weight [F, D], bias [F] optional, y [N, F].
/// preactivation [N, F] optional: receives z when activation ≠ none (backward needs it).
struct Linear { View x, weight, bias; Activation activation; View y, preactivation; };
/// dz = dy ∘ activation'(preactivation) (dz = dy for none); dx = dz · weight; dweight += dzᵀ · x; dbias += Σₙ dz.
/// dy [N, F], preactivation [N, F] (empty for none), dx [N, D] optional, dweight f32 [F, D] optional, dbias f32 [F] optional.
struct LinearBackward { View dy, x, weight, preactivation; Activation activation; View dx, dweight, dbias; };

/// How heads lie in the rows of a fused projection qkv [N, W], W = (H + 2G)·K. In elements from the start of a row:
/// multi-query (G = 1): query head h at h·K, key at H·K, value at H·K + K.
/// multi-head (G = H): head h's query at 3hK, key at 3hK + K, value at 3hK + 2K (GPTBigCode's interleaved layout).
struct HeadLayout {
  int64_t heads, keyHeads, width;
  int64_t rowWidth() const { return (heads + 2 * keyHeads) * width; }
  bool multiQuery() const { return keyHeads == 1 && heads != 1; }
  int64_t queryOffset(int64_t head) const { return multiQuery() ? head * width : 3 * head * width; }
  int64_t keyOffset(int64_t head) const { return multiQuery() ? heads * width : (3 * head + 1) * width; }
  int64_t valueOffset(int64_t head) const { return keyOffset(head) + width; }
};

/// Causal attention within documents. Row i attends to rows firstRow[i] … i:
/// y_i,h = Σ_j softmax_j(scale · q_i,h · k_j) v_j. qkv [N, W] float, firstRow i32 [N] with 0 ≤ firstRow[i] ≤ i (values
/// outside are clamped; it is non-decreasing when sequences and documents are laid one after another, and backends skip
/// tiles by it), y [N, H·K], logSumExp f32 [H, N] optional (backward needs it): log Σ exp of the scaled scores.
/// dropout in [0, 1): probability p of zeroing a softmax weight, the rest scaled by 1/(1−p); element (((firstHead + h)·N + i)·N + j) of `random`:
/// firstHead is the place of this call's first head among a layer's, of which other ranks have the rest. Nothing of size N×N is stored.
struct Attention { View qkv, firstRow; HeadLayout layout; double scale, dropout; RandomKey random; View y, logSumExp; int64_t firstHead = 0; };
/// dqkv [N, W] from dy [N, H·K], with the scores recomputed. Gradients of shared keys and values are summed over the heads.
struct AttentionBackward {
  View dy, qkv, firstRow, y, logSumExp;
  HeadLayout layout;
  double scale, dropout;
  RandomKey random;
  View dqkv;
  int64_t firstHead = 0;
};

/// Copies the key and value parts of row n of qkv to slot slots[n] of the caches. slots i32 [N], a flat b·T + t; negative: skip;
/// ≥ B·T fails (ERR_INDEX). keys, values [B, T, G·K], qkv [N, W], same dtype.
struct CacheWrite { View qkv, slots; HeadLayout layout; View keys, values; };
/// One new token for each sequence: row b of qkv [B, W] gives the queries, which attend to slots 0 … lengths[b] − 1 of its cache
/// (clamped to [0, T]; length 0 gives y = 0). lengths i32 [B]; y [B, H·K].
struct AttentionDecode { View qkv, keys, values, lengths; HeadLayout layout; double scale; View y; };

/// losses[n] = logsumexp(z_n) − z_n[targets[n]], z = h · weightᵀ, never stored whole (chunks of rows).
/// h [N, D], weight [V, D] float, targets i32 [N] in [0, V), or negative: ignored, its loss and gradient are 0; other values fail.
/// losses f32 [N]. For training, weights f32 [N] is given: the objective is Σ weights[n]·losses[n], and in the same pass
/// dh [N, D] (optional) receives its gradient and dweight f32 [V, D] (optional) is added to. best i32 [N] optional: argmax of z_n.
struct LinearCrossEntropy { View h, weight, targets, weights, losses, dh, dweight, best; };

// The same loss with the vocabulary cut into slices of which each rank has one, in two steps with an all-gather of the partials between them.
// Targets are counted from the slice's first row: in [0, V) of this slice; −1: none; below −1: in another slice.

/// exponentials[n, v] = e^(z − top), z = h · weightᵀ and top the row's largest here; partials of the row: top, Σ exponentials, z[target] (0 when it
/// is not here). h [N, D], weight [V, D] float, targets i32 [N], exponentials f32 [N, V], partials f32 [3, N]. Targets ≥ V fail.
struct VocabularyExponentials { View h, weight, targets, exponentials, partials; };
/// losses[n] from the partials of all R slices, f32 [R, 3, N], of which `slice` is this one: log Σ e^z − z[target] over the whole vocabulary, 0 without
/// a target. With weights f32 [N] the exponentials become the gradients of Σ weights[n]·losses[n] by the logits, in place (their memory then holds
/// rubbish to others): dh [N, D] (optional) receives this slice's share of its gradient, dweight f32 [V, D] (optional) is added to.
struct VocabularyCrossEntropy { View h, weight, targets, partials; int64_t slice; View weights, exponentials, losses, dh, dweight; };

/// y = keep ? x / (1 − p) : 0, keep when uniform(random, first + element index) ≥ p. float. y may alias x. Its own derivative (apply it to dy).
/// first is a multiple of 4: the place of x's first element in a tensor of which other ranks have the rest.
struct Dropout { View x; double p; RandomKey random; View y; int64_t first = 0; };

/// y[i] = mean + std · normal(i) (Box–Muller over pairs of uniforms in f32), y float of any shape.
struct RandomNormal { View y; double mean, std; RandomKey random; };
/// y[i] = low + (high − low) · uniform(i).
struct RandomUniform { View y; double low, high; RandomKey random; };

/// out f32 [1] = √Σ x². x f32 of any shape; summed in f64 by fixed blocks. NaN or infinity in x makes out non-finite.
struct L2Norm { View x, out; };

/// AdamW with decoupled weight decay (Loshchilov & Hutter 2019), one fused pass over flat buffers of M elements.
/// g = gradient·gradientScale; m = β₁m + (1−β₁)g; v = β₂v + (1−β₂)g²; master −= lr·(m̂/(√v̂ + ε) + weightDecay·master), with
/// m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ), t = step ≥ 1. gradient, m, v f32; parameter float. With a bf16 parameter `master` f32 is
/// required and the parameter receives it rounded; with f32 the parameter is its own master and `master` is empty.
/// `stochastic` (bf16 only): element i of the parameter is rounded by roundStochastic (core/random.h) with element first + i of `random` (first a
/// multiple of 4), so that updates smaller than half its last place are not lost; then `master` is optional, and without it the parameter is its
/// own master.
struct AdamW {
  View parameter, master, gradient, m, v;
  double lr, beta1, beta2, epsilon, weightDecay, gradientScale;
  int64_t step;
  bool stochastic;
  RandomKey random;
  int64_t first;
};

/// Picks a token for every row of logits float [B, V] → tokens i32 [B]. temperature 0: argmax (lowest index on ties). Otherwise
/// softmax(logits / temperature), cut to the topK most likely (0: all), then to the smallest set whose mass reaches topP
/// (1: all), drawn with uniform(random, b's entry of draws). draws i32 [B] optional (default b): lets a sequence keep its own
/// random numbers whatever batch it is in. logProbabilities f32 [B] optional: log softmax(logits) of the picked token at temperature 1.
struct Sample { View logits; double temperature; int64_t topK; double topP; RandomKey random; View draws, tokens, logProbabilities; };

/// What a probe measures.
enum class ProbeKind : uint8_t {
  multiplyAdd = 0,  // independent f32 multiply-adds in registers
  dotBf16 = 1,      // dot products of bf16 pairs, added in f32, in registers
  read = 2,         // reading memory
  copy = 3,         // copying memory
  update = 4,       // changing memory in place
};

/// Keeps the device at one kind of work and nothing else, so that a caller who times it learns the machine's peak. The work is cut into
/// `rounds` equal pieces, each done by one thread (0 … 65536; one piece is one thread's peak), on GPUs by one block: of arithmetic a constant
/// amount each, of memory a `rounds`-th of buffer each: read, its first half copied to its second, or negated in place. buffer f32 [M], much larger
/// than the caches, is not looked at by arithmetic. work f32 [1] receives the floating-point operations done, or the bytes read and written; 0: the
/// machine lacks the instruction.
struct Probe { View buffer; ProbeKind kind; int64_t rounds; View work; };

/// What a benchmark needs to know of a GPU; 0 where the driver does not say.
struct GpuInfo {
  std::string product;  // "AMD Instinct MI250X"
  int computeUnits = 0;
  int wave = 0;         // lanes
  size_t sharedBytes = 0, memoryBytes = 0;
  double clockMHz = 0, memoryClockMHz = 0;
  int memoryBusBits = 0;
};

struct DeviceInfo {
  std::string name;            // "cpu", "hip:0"
  std::string instructionSet;  // the kernel set in use: "avx2", "gfx90a"
  std::vector<std::string> instructionSets;  // all that this machine could run
  int threads = 1;             // of the host, that its operations keep busy
  std::optional<GpuInfo> gpu;
};

/// One device. A backend that lacks an operation throws ERR_NOT_SUPPORTED, naming itself and the operation: the default
/// of every method below.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual DeviceInfo info() const = 0;
  virtual std::unique_ptr<Stream> createStream() = 0;
  /// 64-byte aligned; returns null when memory is exhausted.
  virtual void* allocate(size_t bytes) = 0;
  virtual void release(void* memory, size_t bytes) = 0;
  /// Whether every tensor should have memory of its own, exactly as large as it is: for devices that watch over its ends.
  virtual bool exactMemory() const { return false; }
  /// Copies between host bytes and a tensor, converting from / to `type`; enqueued. `host` stays valid until it has run.
  virtual void write(Stream&, const View& y, const void* host, WireType type) = 0;
  virtual void read(Stream&, const View& x, void* host, WireType type) = 0;

#define AURORA_OPERATION(method, Args) \
  virtual void method(Stream&, const Args&) { unsupported(#method); }
#include "core/operations.inc"
#undef AURORA_OPERATION

 protected:
  [[noreturn]] void unsupported(const char* operation) const;
};

}  // namespace aurora
