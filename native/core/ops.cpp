#include "core/ops.h"

#include "core/rules.h"

namespace aurora {

void check(const Fill& a) {
  const Rules r("fill");
  if (!isFloat(a.y.dtype)) r.number("value for an integer dtype", a.value);
}

void check(const Cast& a) {
  const Rules r("cast");
  r.size("y", a.y, a.x.size(), "x");
  if (a.x.data == a.y.data && a.x.size() > 0 && a.x.dtype != a.y.dtype) r.fail(code::kInvalidArgument, "y apart from x's memory", "the same memory");
}

void check(const CopyColumns& a) {
  const Rules r("copyColumns");
  r.rank("x", a.x, 2, "[N, Dx]");
  r.rank("y", a.y, 2, "[N, Dy]");
  r.like("y", a.y, "x", a.x);
  if (a.y.shape[0] != a.x.shape[0]) r.fail(code::kShape, "as many rows in y as in x, " + std::to_string(a.x.shape[0]), a.y.shape.text());
  const auto columns = [&](const char* name, int64_t offset, int64_t available) {
    if (offset < 0 || a.width < 0 || offset > available || a.width > available - offset)
      r.fail(code::kShape, std::string("columns inside ") + name + "'s " + std::to_string(available),
             std::to_string(a.width) + " columns from " + std::to_string(offset));
  };
  columns("x", a.xOffset, a.x.shape[1]);
  columns("y", a.yOffset, a.y.shape[1]);
}

void check(const GatherRows& a) {
  const Rules r("gatherRows");
  r.rank("x", a.x, 2, "[N, D]");
  r.rank("rows", a.rows, 1, "[M]");
  r.dtype("rows", a.rows, DType::i32);
  r.shape("y", a.y, {a.rows.shape[0], a.x.shape[1]}, "[M, D]");
  r.like("y", a.y, "x", a.x);
}

void check(const GatherRowsBackward& a) {
  const Rules r("gatherRowsBackward");
  r.rank("dx", a.dx, 2, "[N, D]");
  r.rank("rows", a.rows, 1, "[M]");
  r.dtype("rows", a.rows, DType::i32);
  r.shape("dy", a.dy, {a.rows.shape[0], a.dx.shape[1]}, "[M, D]");
  r.floating("dy", a.dy);
  r.like("dx", a.dx, "dy", a.dy);
}

void check(const Add& a) {
  const Rules r("add");
  r.floating("a", a.a);
  r.like("b", a.b, "a", a.a);
  r.like("y", a.y, "a", a.a);
  r.shape("b", a.b, a.a.shape, "a's");
  r.shape("y", a.y, a.a.shape, "a's");
  r.number("alpha", a.alpha);
  r.number("beta", a.beta);
}

void check(const Embedding& a) {
  const Rules r("embedding");
  r.rank("tokens", a.tokens, 1, "[N]");
  r.rank("tokenTable", a.tokenTable, 2, "[V, D]");
  r.rank("positionTable", a.positionTable, 2, "[P, D]");
  const int64_t n = a.tokens.shape[0], d = a.tokenTable.shape[1];
  r.shape("positions", a.positions, {n}, "[N]");
  r.shape("positionTable", a.positionTable, {a.positionTable.shape[0], d}, "[P, D]");
  r.shape("h", a.h, {n, d}, "[N, D]");
  r.dtype("tokens", a.tokens, DType::i32);
  r.dtype("positions", a.positions, DType::i32);
  r.floating("tokenTable", a.tokenTable);
  r.like("positionTable", a.positionTable, "tokenTable", a.tokenTable);
  r.like("h", a.h, "tokenTable", a.tokenTable);
}

void check(const EmbeddingBackward& a) {
  const Rules r("embeddingBackward");
  r.rank("dh", a.dh, 2, "[N, D]");
  r.floating("dh", a.dh);
  const int64_t n = a.dh.shape[0], d = a.dh.shape[1];
  r.shape("tokens", a.tokens, {n}, "[N]");
  r.shape("positions", a.positions, {n}, "[N]");
  r.dtype("tokens", a.tokens, DType::i32);
  r.dtype("positions", a.positions, DType::i32);
  const auto table = [&](const char* name, const View& x) {
    r.dtype(name, x, DType::f32);
    r.rank(name, x, 2, "[rows, D]");
    r.shape(name, x, {x.shape[0], d}, "[rows, D]");
  };
  table("dtokenTable", a.dtokenTable);
  table("dpositionTable", a.dpositionTable);
}

void check(const LayerNorm& a) {
  const Rules r("layerNorm");
  r.rank("x", a.x, 2, "[N, D]");
  r.floating("x", a.x);
  const int64_t n = a.x.shape[0], d = a.x.shape[1];
  r.notEmpty("D", d);
  r.shape("residual", a.residual, {n, d}, "[N, D]");
  r.shape("gamma", a.gamma, {d}, "[D]");
  r.shape("beta", a.beta, {d}, "[D]");
  r.shape("sum", a.sum, {n, d}, "[N, D]");
  r.shape("y", a.y, {n, d}, "[N, D]");
  r.shape("mean", a.mean, {n}, "[N]");
  r.shape("rstd", a.rstd, {n}, "[N]");
  r.like("residual", a.residual, "x", a.x);
  r.like("gamma", a.gamma, "x", a.x);
  r.like("beta", a.beta, "x", a.x);
  r.like("sum", a.sum, "x", a.x);
  r.like("y", a.y, "x", a.x);
  r.dtype("mean", a.mean, DType::f32);
  r.dtype("rstd", a.rstd, DType::f32);
  r.between("epsilon", a.epsilon, 0, Rules::kHuge);
  if (bool(a.residual) != bool(a.sum))
    r.fail(code::kInvalidArgument, "residual and sum, or neither", a.sum ? "sum without residual" : "residual without sum");
}

void check(const LayerNormBackward& a) {
  const Rules r("layerNormBackward");
  r.rank("h", a.h, 2, "[N, D]");
  r.floating("h", a.h);
  const int64_t n = a.h.shape[0], d = a.h.shape[1];
  r.notEmpty("D", d);
  r.shape("dy", a.dy, {n, d}, "[N, D]");
  r.shape("gamma", a.gamma, {d}, "[D]");
  r.shape("mean", a.mean, {n}, "[N]");
  r.shape("rstd", a.rstd, {n}, "[N]");
  r.shape("dsum", a.dsum, {n, d}, "[N, D]");
  r.shape("dx", a.dx, {n, d}, "[N, D]");
  r.shape("dgamma", a.dgamma, {d}, "[D]");
  r.shape("dbeta", a.dbeta, {d}, "[D]");
  r.like("dy", a.dy, "h", a.h);
  r.like("gamma", a.gamma, "h", a.h);
  r.like("dsum", a.dsum, "h", a.h);
  r.like("dx", a.dx, "h", a.h);
  r.dtype("mean", a.mean, DType::f32);
  r.dtype("rstd", a.rstd, DType::f32);
  r.dtype("dgamma", a.dgamma, DType::f32);
  r.dtype("dbeta", a.dbeta, DType::f32);
}

void check(const Linear& a) {
  const Rules r("linear");
  r.rank("x", a.x, 2, "[N, D]");
  r.rank("weight", a.weight, 2, "[F, D]");
  r.floating("x", a.x);
  const int64_t n = a.x.shape[0], d = a.x.shape[1], f = a.weight.shape[0];
  r.notEmpty("D", d);
  r.notEmpty("F", f);
  r.shape("weight", a.weight, {f, d}, "[F, D]");
  r.shape("bias", a.bias, {f}, "[F]");
  r.shape("y", a.y, {n, f}, "[N, F]");
  r.shape("preactivation", a.preactivation, {n, f}, "[N, F]");
  r.like("weight", a.weight, "x", a.x);
  r.like("bias", a.bias, "x", a.x);
  r.like("y", a.y, "x", a.x);
  r.like("preactivation", a.preactivation, "x", a.x);
  if (a.activation == Activation::none && a.preactivation)
    r.fail(code::kInvalidArgument, "no preactivation without an activation", "one", "y itself is the pre-activation");
}

void check(const LinearBackward& a) {
  const Rules r("linearBackward");
  r.rank("x", a.x, 2, "[N, D]");
  r.rank("weight", a.weight, 2, "[F, D]");
  r.floating("x", a.x);
  const int64_t n = a.x.shape[0], d = a.x.shape[1], f = a.weight.shape[0];
  r.notEmpty("D", d);
  r.notEmpty("F", f);
  r.shape("weight", a.weight, {f, d}, "[F, D]");
  r.shape("dy", a.dy, {n, f}, "[N, F]");
  r.shape("preactivation", a.preactivation, {n, f}, "[N, F]");
  r.shape("dx", a.dx, {n, d}, "[N, D]");
  r.shape("dweight", a.dweight, {f, d}, "[F, D]");
  r.shape("dbias", a.dbias, {f}, "[F]");
  r.like("weight", a.weight, "x", a.x);
  r.like("dy", a.dy, "x", a.x);
  r.like("preactivation", a.preactivation, "x", a.x);
  r.like("dx", a.dx, "x", a.x);
  r.dtype("dweight", a.dweight, DType::f32);
  r.dtype("dbias", a.dbias, DType::f32);
  if ((a.activation == Activation::none) == bool(a.preactivation))
    r.fail(code::kInvalidArgument, "preactivation with an activation, none without", a.preactivation ? "one without" : "none with");
}

void check(const Attention& a) {
  const Rules r("attention");
  r.layout(a.layout);
  r.rank("qkv", a.qkv, 2, "[N, W]");
  r.floating("qkv", a.qkv);
  const int64_t n = a.qkv.shape[0];
  r.rows("N", n);
  r.shape("qkv", a.qkv, {n, a.layout.rowWidth()}, "[N, (H + 2G)·K]");
  r.shape("firstRow", a.firstRow, {n}, "[N]");
  r.shape("y", a.y, {n, a.layout.heads * a.layout.width}, "[N, H·K]");
  r.shape("logSumExp", a.logSumExp, {a.layout.heads, n}, "[H, N]");
  r.dtype("firstRow", a.firstRow, DType::i32);
  r.like("y", a.y, "qkv", a.qkv);
  r.dtype("logSumExp", a.logSumExp, DType::f32);
  r.number("scale", a.scale);
  r.fraction("dropout", a.dropout);
}

void check(const AttentionBackward& a) {
  const Rules r("attentionBackward");
  r.layout(a.layout);
  r.rank("qkv", a.qkv, 2, "[N, W]");
  r.floating("qkv", a.qkv);
  const int64_t n = a.qkv.shape[0], width = a.layout.heads * a.layout.width;
  r.rows("N", n);
  r.shape("qkv", a.qkv, {n, a.layout.rowWidth()}, "[N, (H + 2G)·K]");
  r.shape("firstRow", a.firstRow, {n}, "[N]");
  r.shape("dy", a.dy, {n, width}, "[N, H·K]");
  r.shape("y", a.y, {n, width}, "[N, H·K]");
  r.shape("logSumExp", a.logSumExp, {a.layout.heads, n}, "[H, N]");
  r.shape("dqkv", a.dqkv, a.qkv.shape, "qkv's");
  r.dtype("firstRow", a.firstRow, DType::i32);
  r.like("dy", a.dy, "qkv", a.qkv);
  r.like("y", a.y, "qkv", a.qkv);
  r.dtype("logSumExp", a.logSumExp, DType::f32);
  r.like("dqkv", a.dqkv, "qkv", a.qkv);
  r.number("scale", a.scale);
  r.fraction("dropout", a.dropout);
}

void check(const CacheWrite& a) {
  const Rules r("cacheWrite");
  r.layout(a.layout);
  r.rank("qkv", a.qkv, 2, "[N, W]");
  r.rank("keys", a.keys, 3, "[B, T, G·K]");
  r.floating("qkv", a.qkv);
  r.shape("qkv", a.qkv, {a.qkv.shape[0], a.layout.rowWidth()}, "[N, (H + 2G)·K]");
  r.shape("slots", a.slots, {a.qkv.shape[0]}, "[N]");
  const Shape cache{a.keys.shape[0], a.keys.shape[1], a.layout.keyHeads * a.layout.width};
  r.rows("B·T", cache[0] * cache[1]);
  r.shape("keys", a.keys, cache, "[B, T, G·K]");
  r.shape("values", a.values, cache, "[B, T, G·K]");
  r.dtype("slots", a.slots, DType::i32);
  r.like("keys", a.keys, "qkv", a.qkv);
  r.like("values", a.values, "qkv", a.qkv);
}

void check(const AttentionDecode& a) {
  const Rules r("attentionDecode");
  r.layout(a.layout);
  r.rank("qkv", a.qkv, 2, "[B, W]");
  r.rank("keys", a.keys, 3, "[B, T, G·K]");
  r.floating("qkv", a.qkv);
  const int64_t b = a.qkv.shape[0];
  const Shape cache{b, a.keys.shape[1], a.layout.keyHeads * a.layout.width};
  r.rows("T", cache[1]);
  r.shape("qkv", a.qkv, {b, a.layout.rowWidth()}, "[B, (H + 2G)·K]");
  r.shape("keys", a.keys, cache, "[B, T, G·K]");
  r.shape("values", a.values, cache, "[B, T, G·K]");
  r.shape("lengths", a.lengths, {b}, "[B]");
  r.shape("y", a.y, {b, a.layout.heads * a.layout.width}, "[B, H·K]");
  r.dtype("lengths", a.lengths, DType::i32);
  r.like("keys", a.keys, "qkv", a.qkv);
  r.like("values", a.values, "qkv", a.qkv);
  r.like("y", a.y, "qkv", a.qkv);
  r.number("scale", a.scale);
}

namespace {

/// What the head's operations have in common: shapes and dtypes of h, weight, targets.
void checkHead(const Rules& r, const View& h, const View& weight, const View& targets) {
  r.rank("h", h, 2, "[N, D]");
  r.rank("weight", weight, 2, "[V, D]");
  r.floating("h", h);
  r.notEmpty("D", h.shape[1]);
  r.notEmpty("V", weight.shape[0]);
  r.rows("V", weight.shape[0]);
  r.shape("weight", weight, {weight.shape[0], h.shape[1]}, "[V, D]");
  r.shape("targets", targets, {h.shape[0]}, "[N]");
  r.like("weight", weight, "h", h);
  r.dtype("targets", targets, DType::i32);
}

}  // namespace

void check(const LinearCrossEntropy& a) {
  const Rules r("linearCrossEntropy");
  checkHead(r, a.h, a.weight, a.targets);
  const int64_t n = a.h.shape[0], d = a.h.shape[1], v = a.weight.shape[0];
  r.shape("weights", a.weights, {n}, "[N]");
  r.shape("losses", a.losses, {n}, "[N]");
  r.shape("dh", a.dh, {n, d}, "[N, D]");
  r.shape("dweight", a.dweight, {v, d}, "[V, D]");
  r.shape("best", a.best, {n}, "[N]");
  r.dtype("weights", a.weights, DType::f32);
  r.dtype("losses", a.losses, DType::f32);
  r.like("dh", a.dh, "h", a.h);
  r.dtype("dweight", a.dweight, DType::f32);
  r.dtype("best", a.best, DType::i32);
  if ((a.dh || a.dweight) && !a.weights)
    r.fail(code::kInvalidArgument, "weights with dh or dweight", "none", "gradients are those of the sum of weights[n] · losses[n]");
}

void check(const VocabularyExponentials& a) {
  const Rules r("vocabularyExponentials");
  checkHead(r, a.h, a.weight, a.targets);
  const int64_t n = a.h.shape[0];
  r.shape("exponentials", a.exponentials, {n, a.weight.shape[0]}, "[N, V]");
  r.shape("partials", a.partials, {3, n}, "[3, N]");
  r.dtype("exponentials", a.exponentials, DType::f32);
  r.dtype("partials", a.partials, DType::f32);
}

void check(const VocabularyCrossEntropy& a) {
  const Rules r("vocabularyCrossEntropy");
  checkHead(r, a.h, a.weight, a.targets);
  const int64_t n = a.h.shape[0], d = a.h.shape[1], v = a.weight.shape[0];
  r.rank("partials", a.partials, 3, "[R, 3, N]");
  const int64_t slices = a.partials.shape[0];
  r.notEmpty("R", slices);
  r.shape("partials", a.partials, {slices, 3, n}, "[R, 3, N]");
  if (a.slice >= slices) r.fail(code::kInvalidArgument, "slice below R, " + std::to_string(slices), std::to_string(a.slice));
  r.shape("weights", a.weights, {n}, "[N]");
  r.shape("exponentials", a.exponentials, {n, v}, "[N, V]");
  r.shape("losses", a.losses, {n}, "[N]");
  r.shape("dh", a.dh, {n, d}, "[N, D]");
  r.shape("dweight", a.dweight, {v, d}, "[V, D]");
  r.dtype("partials", a.partials, DType::f32);
  r.dtype("weights", a.weights, DType::f32);
  r.dtype("exponentials", a.exponentials, DType::f32);
  r.dtype("losses", a.losses, DType::f32);
  r.like("dh", a.dh, "h", a.h);
  r.dtype("dweight", a.dweight, DType::f32);
  if ((a.dh || a.dweight) && !a.weights)
    r.fail(code::kInvalidArgument, "weights with dh or dweight", "none", "gradients are those of the sum of weights[n] · losses[n]");
}

void check(const Dropout& a) {
  const Rules r("dropout");
  if (a.first % 4 != 0) r.fail(code::kInvalidArgument, "first a multiple of 4", std::to_string(a.first));
  r.floating("x", a.x);
  r.like("y", a.y, "x", a.x);
  r.shape("y", a.y, a.x.shape, "x's");
  r.fraction("p", a.p);
}

void check(const RandomNormal& a) {
  const Rules r("randomNormal");
  r.floating("y", a.y);
  r.number("mean", a.mean);
  r.between("std", a.std, 0, Rules::kHuge);
}

void check(const RandomUniform& a) {
  const Rules r("randomUniform");
  r.floating("y", a.y);
  r.number("low", a.low);
  r.between("high", a.high, a.low, Rules::kHuge);
}

void check(const L2Norm& a) {
  const Rules r("l2Norm");
  r.dtype("x", a.x, DType::f32);
  r.dtype("out", a.out, DType::f32);
  r.shape("out", a.out, {1}, "[1]");
}

void check(const AdamW& a) {
  const Rules r("adamw");
  const int64_t m = a.parameter.size();
  r.floating("parameter", a.parameter);
  r.size("master", a.master, m, "parameter");
  r.size("gradient", a.gradient, m, "parameter");
  r.size("m", a.m, m, "parameter");
  r.size("v", a.v, m, "parameter");
  r.dtype("master", a.master, DType::f32);
  r.dtype("gradient", a.gradient, DType::f32);
  r.dtype("m", a.m, DType::f32);
  r.dtype("v", a.v, DType::f32);
  const bool rounded = a.parameter.dtype == DType::bf16;
  if (rounded != bool(a.master) && !(rounded && a.stochastic))
    r.fail(code::kInvalidArgument, "an f32 master with a bf16 parameter (unless it is rounded stochastically), none with f32",
           a.master ? "one with f32" : "none with bf16");
  if (a.stochastic && !rounded) r.fail(code::kInvalidArgument, "a bf16 parameter to be rounded stochastically", "an f32 one");
  if (a.first % 4 != 0) r.fail(code::kInvalidArgument, "a multiple of 4 as first", std::to_string(a.first));
  r.between("lr", a.lr, 0, Rules::kHuge);
  r.fraction("beta1", a.beta1);
  r.fraction("beta2", a.beta2);
  r.between("epsilon", a.epsilon, 0, Rules::kHuge);
  r.between("weightDecay", a.weightDecay, 0, Rules::kHuge);
  r.number("gradientScale", a.gradientScale);
  if (a.step < 1) r.fail(code::kInvalidArgument, "a step of at least 1", std::to_string(a.step));
}

void check(const Sample& a) {
  const Rules r("sample");
  r.rank("logits", a.logits, 2, "[B, V]");
  r.floating("logits", a.logits);
  const int64_t b = a.logits.shape[0];
  r.notEmpty("V", a.logits.shape[1]);
  r.rows("V", a.logits.shape[1]);
  r.shape("draws", a.draws, {b}, "[B]");
  r.shape("tokens", a.tokens, {b}, "[B]");
  r.shape("logProbabilities", a.logProbabilities, {b}, "[B]");
  r.dtype("draws", a.draws, DType::i32);
  r.dtype("tokens", a.tokens, DType::i32);
  r.dtype("logProbabilities", a.logProbabilities, DType::f32);
  r.between("temperature", a.temperature, 0, Rules::kHuge);
  if (a.topK < 0) r.fail(code::kInvalidArgument, "topK of at least 0", std::to_string(a.topK));
  r.between("topP", a.topP, 0, 1);
  if (a.topP == 0) r.fail(code::kInvalidArgument, "topP above 0", "0");
}

void check(const Probe& a) {
  const Rules r("probe");
  r.rank("buffer", a.buffer, 1, "[M]");
  r.dtype("buffer", a.buffer, DType::f32);
  r.shape("work", a.work, {1}, "[1]");
  r.dtype("work", a.work, DType::f32);
  r.between("rounds", static_cast<double>(a.rounds), 0, 65536);
}

}  // namespace aurora
