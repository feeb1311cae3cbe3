// Every operation's checks: a call that fits passes; each of its tensors in another shape or dtype, and each number out of range, is refused.
#include "core/ops.h"

#include <functional>
#include <limits>
#include <set>

#include "check.h"
#include "core/error.h"

using namespace aurora;
using namespace aurora::test;

namespace {

constexpr DType f32 = DType::f32, bf = DType::bf16, i32 = DType::i32;
constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();

/// Checks look at shapes, dtypes and addresses only: every view gets an address of its own.
View tensor(DType dtype, Shape shape) {
  static char* next = nullptr;
  next += 1 << 20;
  return {next, dtype, shape};
}

template <class Args>
bool accepted(const Args& args) {
  try {
    check(args);
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// Calls `change` with every tensor of the call, one at a time in a fresh copy, and expects a refusal.
struct ForEachTensor {
  std::function<void(const char* name, View& view)> visit;
  void operator()(const char* name, View& view, Role, MayBe = {}) { visit(name, view); }
  template <class Value>
  void operator()(const char*, Value&) {}
};

/// `free` lists changes that the operation allows: "x" any size of x's last axis, "x:bf16" that dtype of x alone.
template <class Args>
void strict(const Args& valid, const std::set<std::string>& free = {}) {
  const std::string operation = operationName<Args>;
  test::check(accepted(valid), operation + ": a call that fits is accepted");
  const auto expectRefusal = [&](const std::string& field, const std::string& what, const std::function<void(View&)>& change) {
    Args changed = valid;
    bool touched = false;
    fields(ForEachTensor{[&](const char* name, View& view) {
             if (field != name || !view) return;
             change(view);
             touched = true;
           }},
           changed);
    if (touched) test::check(!accepted(changed), operation + ": " + field + " with " + what + " is refused");
  };
  Args copy = valid;
  std::vector<std::string> names;
  fields(ForEachTensor{[&](const char* name, View&) { names.push_back(name); }}, copy);
  for (const std::string& name : names) {
    if (!free.count(name)) {
      expectRefusal(name, "a longer last axis", [](View& view) { ++view.shape.dims[view.shape.rank - 1]; });
      expectRefusal(name, "one axis more", [](View& view) { view.shape.dims[view.shape.rank++] = 2; });
      expectRefusal(name, "one axis less", [](View& view) { --view.shape.rank; });
    }
    for (DType type : {DType::f32, DType::bf16, DType::i32, DType::u16, DType::u8})
      if (!free.count(name + ":" + aurora::name(type)))
        expectRefusal(name, std::string("dtype ") + aurora::name(type), [&](View& view) {
          // Of the same dtype it would be no change: change the shape as well.
          if (view.dtype == type) view.shape = {9, 9, 9, 9};
          view.dtype = type;
        });
  }
}

/// A number out of range is refused.
template <class Args>
void refuses(Args args, const char* what, const std::function<void(Args&)>& change) {
  change(args);
  test::check(!accepted(args), std::string(operationName<Args>) + ": " + what + " is refused");
}

void elementwise() {
  const std::set<std::string> any = {"y", "y:f32", "y:bf16", "y:i32", "y:u16", "y:u8"};
  strict(Fill{tensor(f32, {2, 3}), inf}, any);
  refuses<Fill>({tensor(i32, {2}), 1}, "NaN for integers", [](Fill& a) { a.value = nan; });
  const View x = tensor(f32, {6});
  test::check(accepted(Cast{x, tensor(DType::u8, {2, 3})}), "cast: equal sizes pass");
  test::check(!accepted(Cast{x, tensor(bf, {7})}), "cast: other sizes are refused");
  test::check(!accepted(Cast{x, View{x.data, i32, {6}}}), "cast: another dtype in place is refused");
  test::check(accepted(Cast{x, x}), "cast: the same tensor passes");

  const CopyColumns columns{tensor(f32, {3, 5}), 1, tensor(f32, {3, 7}), 4, 3};
  strict(columns, {"x", "y"});
  refuses<CopyColumns>(columns, "beyond x", [](CopyColumns& a) { a.xOffset = 3; });
  refuses<CopyColumns>(columns, "beyond y", [](CopyColumns& a) { a.yOffset = 5; });
  refuses<CopyColumns>(columns, "a negative width", [](CopyColumns& a) { a.width = -1; });
  refuses<CopyColumns>(columns, "a huge width", [](CopyColumns& a) { a.width = std::numeric_limits<int64_t>::max(); });
  refuses<CopyColumns>(columns, "other rows", [](CopyColumns& a) { a.y.shape = {4, 7}; });

  const Add add{tensor(bf, {2, 3}), 1, tensor(bf, {2, 3}), 2, tensor(bf, {2, 3})};
  strict(add);
  refuses<Add>(add, "NaN", [](Add& a) { a.alpha = nan; });
  refuses<Add>(add, "infinity", [](Add& a) { a.beta = -inf; });
  const Dropout dropout{tensor(f32, {5}), 0.5, {}, tensor(f32, {5})};
  strict(dropout);
  for (double p : {-0.1, 1.0, 1 - 1e-12, nan}) refuses<Dropout>(dropout, "p", [p](Dropout& a) { a.p = p; });
  strict(RandomNormal{tensor(f32, {5}), 0, 1, {}}, {"y", "y:f32", "y:bf16"});
  refuses<RandomNormal>({tensor(f32, {5}), 0, 1, {}}, "a negative std", [](RandomNormal& a) { a.std = -1; });
  strict(RandomUniform{tensor(f32, {5}), 0, 1, {}}, {"y", "y:f32", "y:bf16"});
  refuses<RandomUniform>({tensor(f32, {5}), 0, 1, {}}, "high below low", [](RandomUniform& a) { a.high = -1; });
  strict(L2Norm{tensor(f32, {5}), tensor(f32, {1})}, {"x", "x:f32"});
}

void rowsAndTables() {
  strict(GatherRows{tensor(DType::u16, {9, 4}), tensor(i32, {3}), tensor(DType::u16, {3, 4})});
  strict(GatherRowsBackward{tensor(bf, {3, 4}), tensor(i32, {3}), tensor(bf, {9, 4})});
  strict(Embedding{tensor(i32, {5}), tensor(i32, {5}), tensor(f32, {11, 4}), tensor(f32, {7, 4}), tensor(f32, {5, 4})});
  strict(EmbeddingBackward{tensor(bf, {5, 4}), tensor(i32, {5}), tensor(i32, {5}), tensor(f32, {11, 4}), tensor(f32, {7, 4})}, {"dh:f32"});
}

void layerNorm() {
  const View x = tensor(bf, {5, 4}), row = tensor(bf, {4}), statistic = tensor(f32, {5});
  const LayerNorm norm{x, x, row, row, 1e-5, x, x, statistic, statistic};
  strict(norm);
  refuses<LayerNorm>(norm, "a negative epsilon", [](LayerNorm& a) { a.epsilon = -1; });
  refuses<LayerNorm>(norm, "sum without residual", [](LayerNorm& a) { a.residual = {}; });
  refuses<LayerNorm>(norm, "residual without sum", [](LayerNorm& a) { a.sum = {}; });
  const View gradient = tensor(f32, {4});
  strict(LayerNormBackward{x, x, row, statistic, statistic, x, x, gradient, gradient});
}

void linear() {
  const View x = tensor(bf, {5, 4}), weight = tensor(bf, {3, 4}), bias = tensor(bf, {3}), y = tensor(bf, {5, 3});
  const Linear forward{x, weight, bias, Activation::gelu, y, y};
  strict(forward);
  refuses<Linear>(forward, "a pre-activation of none", [](Linear& a) { a.activation = Activation::none; });
  refuses<Linear>(forward, "D = 0", [](Linear& a) { a.x.shape = {5, 0}, a.weight.shape = {3, 0}; });
  const LinearBackward backward{y, x, weight, y, Activation::geluTanh, x, tensor(f32, {3, 4}), tensor(f32, {3})};
  strict(backward);
  refuses<LinearBackward>(backward, "no pre-activation", [](LinearBackward& a) { a.preactivation = {}; });
  const View rows = tensor(f32, {5});
  const LinearCrossEntropy loss{x, weight, tensor(i32, {5}), rows, rows, x, tensor(f32, {3, 4}), tensor(i32, {5})};
  strict(loss);
  refuses<LinearCrossEntropy>(loss, "a gradient without weights", [](LinearCrossEntropy& a) { a.weights = {}; });
}

void attention() {
  const HeadLayout layout{3, 1, 16};
  const View qkv = tensor(bf, {7, 80}), y = tensor(bf, {7, 48}), rows = tensor(i32, {7}), sums = tensor(f32, {3, 7});
  const Attention forward{qkv, rows, layout, 0.25, 0.1, {}, y, sums};
  strict(forward);
  const AttentionBackward backward{y, qkv, rows, y, sums, layout, 0.25, 0.1, {}, qkv};
  strict(backward);
  const View cache = tensor(bf, {2, 9, 16});
  const CacheWrite write{qkv, rows, layout, cache, cache};
  // Another B or T is another cache, so one cache alone differs in its last axis or its rank.
  strict(write);
  const AttentionDecode decode{tensor(bf, {2, 80}), cache, cache, tensor(i32, {2}), layout, 0.25, tensor(bf, {2, 48})};
  strict(decode);
  for (const HeadLayout& bad : {HeadLayout{3, 2, 16}, HeadLayout{0, 1, 16}, HeadLayout{3, 1, 12}, HeadLayout{3, 1, 264}, HeadLayout{3, 1, 0},
                                HeadLayout{-3, 1, 16}, HeadLayout{int64_t{1} << 52, 1, 16}}) {
    refuses<Attention>(forward, "a layout", [&](Attention& a) { a.layout = bad; });
    refuses<AttentionBackward>(backward, "a layout", [&](AttentionBackward& a) { a.layout = bad; });
    refuses<CacheWrite>(write, "a layout", [&](CacheWrite& a) { a.layout = bad; });
    refuses<AttentionDecode>(decode, "a layout", [&](AttentionDecode& a) { a.layout = bad; });
  }
  refuses<Attention>(forward, "a NaN scale", [](Attention& a) { a.scale = nan; });
  refuses<Attention>(forward, "dropout 1", [](Attention& a) { a.dropout = 1; });
  const HeadLayout multiHead{3, 3, 16};
  test::check(accepted(Attention{tensor(f32, {7, 144}), rows, multiHead, 1, 0, {}, tensor(f32, {7, 48}), {}}), "attention: multi-head passes");
}

void optimizerAndSampling() {
  const View flat = tensor(f32, {12});
  const AdamW adamw{tensor(bf, {12}), flat, flat, flat, flat, 1e-3, 0.9, 0.95, 1e-8, 0.1, 1, 1};
  strict(AdamW{flat, {}, flat, flat, flat, 1e-3, 0.9, 0.95, 1e-8, 0.1, 1, 1});
  test::check(accepted(adamw), "adamw: bf16 with a master passes");
  refuses<AdamW>(adamw, "bf16 without a master", [](AdamW& a) { a.master = {}; });
  refuses<AdamW>(adamw, "step 0", [](AdamW& a) { a.step = 0; });
  refuses<AdamW>(adamw, "beta1 = 1", [](AdamW& a) { a.beta1 = 1; });
  refuses<AdamW>(adamw, "a negative lr", [](AdamW& a) { a.lr = -1; });
  refuses<AdamW>(adamw, "a NaN scale", [](AdamW& a) { a.gradientScale = nan; });
  const Sample sample{tensor(bf, {3, 50}), 1, 10, 0.9, {}, tensor(i32, {3}), tensor(i32, {3}), tensor(f32, {3})};
  strict(sample, {"logits", "logits:f32", "logits:bf16"});
  refuses<Sample>(sample, "a negative temperature", [](Sample& a) { a.temperature = -1; });
  refuses<Sample>(sample, "topP 0", [](Sample& a) { a.topP = 0; });
  refuses<Sample>(sample, "topP above 1", [](Sample& a) { a.topP = 1.5; });
  refuses<Sample>(sample, "a negative topK", [](Sample& a) { a.topK = -1; });
}

void probe() {
  const Probe probe{tensor(f32, {12}), ProbeKind::read, 4, tensor(f32, {1})};
  strict(probe, {"buffer"});
  refuses<Probe>(probe, "a buffer of two axes", [](Probe& a) { a.buffer.shape = {3, 4}; });
  refuses<Probe>(probe, "negative rounds", [](Probe& a) { a.rounds = -1; });
  refuses<Probe>(probe, "rounds for ever", [](Probe& a) { a.rounds = int64_t{1} << 40; });
}

}  // namespace

int main() {
  elementwise();
  rowsAndTables();
  layerNorm();
  linear();
  attention();
  optimizerAndSampling();
  probe();
  return finish("ops");
}
