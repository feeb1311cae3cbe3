// The fields of every operation, in the order of its JavaScript arguments (src/native.ts): one visit reads a call's arguments,
// another turns ids into views and finds forbidden overlaps. native/core/backend.h says what they mean.
#pragma once

#include <initializer_list>

#include "core/backend.h"

namespace aurora {

/// What an operation does with a tensor. Outputs are overwritten, updates are added to or changed in place.
enum class Role { input, optionalInput, output, optionalOutput, update, optionalUpdate };

constexpr bool isOptional(Role role) {
  return role == Role::optionalInput || role == Role::optionalOutput || role == Role::optionalUpdate;
}
constexpr bool isWritten(Role role) { return role != Role::input && role != Role::optionalInput; }

/// Names of earlier fields whose memory a written tensor may be, exactly. Every other overlap is an error.
using MayBe = std::initializer_list<const char*>;

namespace field {
inline constexpr Role in = Role::input, inOptional = Role::optionalInput, out = Role::output, outOptional = Role::optionalOutput,
                      update = Role::update, updateOptional = Role::optionalUpdate;
}

// A visitor takes (name, View&, Role, MayBe = {}) for tensors and (name, value&) for the rest.
// clang-format off
template <class V> void fields(V&& v, Fill& a) {
  using namespace field;
  v("y", a.y, out); v("value", a.value);
}
template <class V> void fields(V&& v, Cast& a) {
  using namespace field;
  v("x", a.x, in); v("y", a.y, out, {"x"});
}
template <class V> void fields(V&& v, CopyColumns& a) {
  using namespace field;
  v("x", a.x, in); v("xOffset", a.xOffset); v("y", a.y, update); v("yOffset", a.yOffset); v("width", a.width);
}
template <class V> void fields(V&& v, GatherRows& a) {
  using namespace field;
  v("x", a.x, in); v("rows", a.rows, in); v("y", a.y, out);
}
template <class V> void fields(V&& v, GatherRowsBackward& a) {
  using namespace field;
  v("dy", a.dy, in); v("rows", a.rows, in); v("dx", a.dx, out);
}
template <class V> void fields(V&& v, Add& a) {
  using namespace field;
  v("a", a.a, in); v("alpha", a.alpha); v("b", a.b, inOptional); v("beta", a.beta); v("y", a.y, out, {"a", "b"});
}
template <class V> void fields(V&& v, Embedding& a) {
  using namespace field;
  v("tokens", a.tokens, in); v("positions", a.positions, in); v("tokenTable", a.tokenTable, in); v("positionTable", a.positionTable, in);
  v("h", a.h, out);
}
template <class V> void fields(V&& v, EmbeddingBackward& a) {
  using namespace field;
  v("dh", a.dh, in); v("tokens", a.tokens, in); v("positions", a.positions, in);
  v("dtokenTable", a.dtokenTable, updateOptional); v("dpositionTable", a.dpositionTable, updateOptional);
}
template <class V> void fields(V&& v, LayerNorm& a) {
  using namespace field;
  v("x", a.x, in); v("residual", a.residual, inOptional); v("gamma", a.gamma, in); v("beta", a.beta, in); v("epsilon", a.epsilon);
  v("sum", a.sum, outOptional, {"x", "residual"}); v("y", a.y, out); v("mean", a.mean, outOptional); v("rstd", a.rstd, outOptional);
}
template <class V> void fields(V&& v, LayerNormBackward& a) {
  using namespace field;
  v("dy", a.dy, in); v("h", a.h, in); v("gamma", a.gamma, in); v("mean", a.mean, in); v("rstd", a.rstd, in); v("dsum", a.dsum, inOptional);
  v("dx", a.dx, outOptional, {"dsum"}); v("dgamma", a.dgamma, updateOptional); v("dbeta", a.dbeta, updateOptional);
}
template <class V> void fields(V&& v, Linear& a) {
  using namespace field;
  v("x", a.x, in); v("weight", a.weight, in); v("bias", a.bias, inOptional); v("activation", a.activation);
  v("y", a.y, out); v("preactivation", a.preactivation, outOptional);
}
template <class V> void fields(V&& v, LinearBackward& a) {
  using namespace field;
  v("dy", a.dy, in); v("x", a.x, in); v("weight", a.weight, in); v("preactivation", a.preactivation, inOptional);
  v("activation", a.activation); v("dx", a.dx, outOptional); v("dweight", a.dweight, updateOptional); v("dbias", a.dbias, updateOptional);
}
template <class V> void fields(V&& v, Attention& a) {
  using namespace field;
  v("qkv", a.qkv, in); v("firstRow", a.firstRow, in); v("layout", a.layout); v("scale", a.scale); v("dropout", a.dropout);
  v("random", a.random); v("y", a.y, out); v("logSumExp", a.logSumExp, outOptional); v("firstHead", a.firstHead);
}
template <class V> void fields(V&& v, AttentionBackward& a) {
  using namespace field;
  v("dy", a.dy, in); v("qkv", a.qkv, in); v("firstRow", a.firstRow, in); v("y", a.y, in); v("logSumExp", a.logSumExp, in);
  v("layout", a.layout); v("scale", a.scale); v("dropout", a.dropout); v("random", a.random); v("dqkv", a.dqkv, out);
  v("firstHead", a.firstHead);
}
template <class V> void fields(V&& v, CacheWrite& a) {
  using namespace field;
  v("qkv", a.qkv, in); v("slots", a.slots, in); v("layout", a.layout); v("keys", a.keys, update); v("values", a.values, update);
}
template <class V> void fields(V&& v, AttentionDecode& a) {
  using namespace field;
  v("qkv", a.qkv, in); v("keys", a.keys, in); v("values", a.values, in); v("lengths", a.lengths, in); v("layout", a.layout);
  v("scale", a.scale); v("y", a.y, out);
}
template <class V> void fields(V&& v, LinearCrossEntropy& a) {
  using namespace field;
  v("h", a.h, in); v("weight", a.weight, in); v("targets", a.targets, in); v("weights", a.weights, inOptional); v("losses", a.losses, out);
  v("dh", a.dh, outOptional); v("dweight", a.dweight, updateOptional); v("best", a.best, outOptional);
}
template <class V> void fields(V&& v, VocabularyExponentials& a) {
  using namespace field;
  v("h", a.h, in); v("weight", a.weight, in); v("targets", a.targets, in); v("exponentials", a.exponentials, out); v("partials", a.partials, out);
}
template <class V> void fields(V&& v, VocabularyCrossEntropy& a) {
  using namespace field;
  v("h", a.h, in); v("weight", a.weight, in); v("targets", a.targets, in); v("partials", a.partials, in); v("slice", a.slice);
  v("weights", a.weights, inOptional); v("exponentials", a.exponentials, update); v("losses", a.losses, out); v("dh", a.dh, outOptional);
  v("dweight", a.dweight, updateOptional);
}
template <class V> void fields(V&& v, Dropout& a) {
  using namespace field;
  v("x", a.x, in); v("p", a.p); v("random", a.random); v("y", a.y, out, {"x"}); v("first", a.first);
}
template <class V> void fields(V&& v, RandomNormal& a) {
  using namespace field;
  v("y", a.y, out); v("mean", a.mean); v("std", a.std); v("random", a.random);
}
template <class V> void fields(V&& v, RandomUniform& a) {
  using namespace field;
  v("y", a.y, out); v("low", a.low); v("high", a.high); v("random", a.random);
}
template <class V> void fields(V&& v, L2Norm& a) {
  using namespace field;
  v("x", a.x, in); v("out", a.out, out);
}
template <class V> void fields(V&& v, AdamW& a) {
  using namespace field;
  v("parameter", a.parameter, update); v("master", a.master, updateOptional); v("gradient", a.gradient, in);
  v("m", a.m, update); v("v", a.v, update); v("lr", a.lr); v("beta1", a.beta1); v("beta2", a.beta2); v("epsilon", a.epsilon);
  v("weightDecay", a.weightDecay); v("gradientScale", a.gradientScale); v("step", a.step);
  v("stochastic", a.stochastic); v("random", a.random); v("first", a.first);
}
template <class V> void fields(V&& v, Sample& a) {
  using namespace field;
  v("logits", a.logits, in); v("temperature", a.temperature); v("topK", a.topK); v("topP", a.topP); v("random", a.random);
  v("draws", a.draws, inOptional); v("tokens", a.tokens, out); v("logProbabilities", a.logProbabilities, outOptional);
}
template <class V> void fields(V&& v, Probe& a) {
  using namespace field;
  v("buffer", a.buffer, update); v("kind", a.kind); v("rounds", a.rounds); v("work", a.work, out);
}
// clang-format on

/// Operations whose data can fail after the call has returned: they keep the caller's stack for the error.
template <class Args>
inline constexpr bool dataCanFail = false;
template <>
inline constexpr bool dataCanFail<GatherRows> = true;
template <>
inline constexpr bool dataCanFail<Embedding> = true;
template <>
inline constexpr bool dataCanFail<LinearCrossEntropy> = true;
template <>
inline constexpr bool dataCanFail<VocabularyExponentials> = true;
template <>
inline constexpr bool dataCanFail<CacheWrite> = true;

}  // namespace aurora
