// The forward pass of attention: one task for each block of rows, against the packed keys and values.
#include "cpu/attention/dropout_mask.h"
#include "cpu/attention/online_softmax.h"
#include "cpu/kernels.h"

namespace aurora::cpu::AURORA_ISA {
namespace {

using namespace flash;

template <class T>
void forward(Context& ctx, const Attention& args) {
  using Packed = Factor<T>;
  const Problem problem(args.layout, args.qkv.shape[0], args.firstRow, args.scale);
  const Lengths<Packed> lengths(problem.width);
  const T* qkv = args.qkv.as<const T>();
  const DropoutMask dropout(args.random, args.dropout, problem.positions, args.firstHead);
  const int64_t panelSize = lengths.panelsAt(problem.paddedKeys()), rowSize = lengths.rowsAt(problem.paddedKeys());
  const int64_t memorySize = OnlineSoftmax<Packed>::floats(lengths);
  const int64_t atOnce = headsAtOnce(problem, (panelSize + rowSize) * sizeof(Packed), problem.blocks());
  Packed* keyPanels = ctx.scratch.get<Packed>(0, atOnce * panelSize);
  Packed* values = ctx.scratch.get<Packed>(1, atOnce * rowSize);
  float* memory = ctx.scratch.get<float>(2, ctx.pool.threads() * memorySize);

  for (int64_t firstHead = 0; firstHead < problem.layout.keyHeads; firstHead += atOnce) {
    const int64_t heads = std::min(atOnce, problem.layout.keyHeads - firstHead);

    ctx.pool.parallel(heads * problem.tiles(), [&](int64_t task, int) {
      const int64_t g = task / problem.tiles(), tile = task % problem.tiles();
      packTilePanels(problem, lengths, qkv + problem.layout.keyOffset(firstHead + g), tile, keyPanels + g * panelSize);
      packTileRows(problem, lengths, qkv + problem.layout.valueOffset(firstHead + g), tile, values + g * rowSize);
    });

    // Later blocks see more keys: the longest tasks go first.
    ctx.pool.parallel(heads * problem.blocks(), [&](int64_t task, int thread) {
      const int64_t g = task % heads;
      BlockRows block(problem, firstHead + g, problem.blocks() - 1 - task / heads);
      OnlineSoftmax<Packed> softmax(problem, lengths, memory + thread * memorySize);
      softmax.begin(block, qkv);
      const KeyRange keys = block.allKeys();
      for (int64_t start = keys.begin; start < keys.end; start += kTileKeys)
        softmax.add(block, start, keyPanels + g * panelSize + lengths.panelsAt(start), values + g * rowSize + lengths.rowsAt(start),
                    dropout);
      for (int r = 0; r < block.rows; ++r) {
        unpackRow(softmax.sums + r * lengths.down, lengths.width, softmax.normaliser(r),
                  args.y.as<T>() + problem.resultAt(block.row[r]));
        if (args.logSumExp) args.logSumExp.as<float>()[problem.logSumExpAt(block.row[r])] = softmax.logSumExp(r);
      }
    });
  }
}

}  // namespace

void attention(Context& ctx, const Attention& args) {
  if (args.qkv.size() == 0) return;
  if (args.qkv.dtype == DType::bf16)
    forward<bf16>(ctx, args);
  else
    forward<float>(ctx, args);
}

}  // namespace aurora::cpu::AURORA_ISA
