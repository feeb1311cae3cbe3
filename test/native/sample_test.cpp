// Sampling: greedy choice, the top-k and top-p cuts against a sorted float64 reference, frequencies, and hostile logits.
#include <limits>
#include <numeric>

#include "numbers.h"

using namespace aurora;
using namespace aurora::test;

namespace {

struct Settings {
  double temperature;
  int64_t topK;
  double topP;
  std::string text() const { return "temperature " + std::to_string(temperature) + ", top-k " + std::to_string(topK) + ", top-p " + std::to_string(topP); }
};

/// The tokens that may be drawn, most likely first, with their probabilities.
struct Choice {
  std::vector<int64_t> tokens;
  std::vector<double> probabilities;

  Choice(const Numbers& logits, int64_t row, const Settings& settings) {
    const int64_t vocabulary = logits.shape[1];
    const auto logit = [&](int64_t i) { return logits[row * vocabulary + i]; };
    tokens.resize(vocabulary);
    std::iota(tokens.begin(), tokens.end(), 0);
    std::stable_sort(tokens.begin(), tokens.end(), [&](int64_t a, int64_t b) { return logit(a) > logit(b); });
    if (settings.topK > 0) tokens.resize(std::min<size_t>(tokens.size(), settings.topK));
    double total = 0;
    for (int64_t token : tokens) {
      probabilities.push_back(std::exp((logit(token) - logit(tokens[0])) / settings.temperature));
      total += probabilities.back();
    }
    double mass = 0, kept = 0;
    size_t count = 0;
    while (count < tokens.size() && (count == 0 || settings.topP >= 1 || mass < settings.topP)) mass += probabilities[count++] / total;
    tokens.resize(count);
    probabilities.resize(count);
    for (double p : probabilities) kept += p;
    for (double& p : probabilities) p /= kept;
  }

  void sortByToken() {
    std::vector<size_t> order(tokens.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return tokens[a] < tokens[b]; });
    const Choice old = *this;
    for (size_t i = 0; i < order.size(); ++i) tokens[i] = old.tokens[order[i]], probabilities[i] = old.probabilities[order[i]];
  }
};

/// Draws from one row often, and holds which tokens came, and how often, to the reference.
void testDistribution(DType type, const Settings& settings) {
  const int64_t vocabulary = between(5, 60), draws = kEmulated ? 60 : 4000;
  const Numbers row = Numbers::normal(type, {1, vocabulary}, 0, 2);
  Numbers logits = Numbers::make(type, {draws, vocabulary}, [&](int64_t i) { return row[i % vocabulary]; });
  const Choice choice(row, 0, settings);
  double total = 0;
  for (int64_t i = 0; i < vocabulary; ++i) total += std::exp(row[i]);
  const RandomKey random = randomKey();
  onEverySet(
      "sample",
      [&](const cpu::KernelTable& kernels, cpu::Context& context) {
        Numbers tokens(DType::i32, {draws}), logs(DType::f32, {draws});
        kernels.sample(context, {logits.view(), settings.temperature, settings.topK, settings.topP, random, {}, tokens.view(), logs.view()});
        return Outputs{tokens, logs};
      },
      [&](const Outputs& out, const std::string& what) {
        std::vector<double> counts(vocabulary);
        for (int64_t b = 0; b < draws; ++b) {
          const auto token = static_cast<int64_t>(out[0][b]);
          check(std::find(choice.tokens.begin(), choice.tokens.end(), token) != choice.tokens.end(), what + ": within the cut, " + settings.text());
          check(near(out[1], b, row[token] - std::log(total), 1e-5), what + ": log probability");
          ++counts[token];
        }
        // Six standard errors: a false alarm once in some ten million comparisons.
        for (size_t i = 0; i < choice.tokens.size(); ++i) {
          const double p = choice.probabilities[i], error = std::sqrt(p * (1 - p) / draws) * 6 + 2.0 / draws;
          check(std::fabs(counts[choice.tokens[i]] / draws - p) <= error, what + ": frequency, " + settings.text());
        }
      });
}

/// A sequence that names its own draw gets the same token in any batch; the draw is element draws[b] of the key. `spread` of the logits: bf16 ones
/// near 0 have many ties.
void testDraws(DType type, int64_t vocabulary, double spread, const Settings& settings) {
  const int64_t batch = kEmulated && vocabulary > 1000 ? 2 : 9;
  Numbers logits = Numbers::normal(type, {batch, vocabulary}, 0, spread);
  Numbers draws = Numbers::indices({batch}, 1000000);
  const RandomKey random = randomKey();
  onEverySet(
      "sample",
      [&](const cpu::KernelTable& kernels, cpu::Context& context) {
        Numbers together(DType::i32, {batch}), apart(DType::i32, {batch});
        kernels.sample(context, {logits.view(), settings.temperature, settings.topK, settings.topP, random, draws.view(), together.view(), {}});
        for (int64_t b = 0; b < batch; ++b) {
          View row{logits.bytes.data() + b * vocabulary * static_cast<int64_t>(byteSize(type)), type, {1, vocabulary}};
          View draw{draws.bytes.data() + b * 4, DType::i32, {1}}, token{apart.bytes.data() + b * 4, DType::i32, {1}};
          kernels.sample(context, {row, settings.temperature, settings.topK, settings.topP, random, draw, token, {}});
        }
        return Outputs{together, apart};
      },
      [&](const Outputs& out, const std::string& what) {
        check(out[0] == out[1], what + ": the same alone as in a batch");
        for (int64_t b = 0; b < batch; ++b) {
          // By inversion of the cumulative distribution, unless u falls within rounding of a boundary: in order of tokens, or, of what cuts
          // leave, from the most likely one on.
          const auto entry = static_cast<int64_t>(draws[b]);
          const double u = uniform(randomBlock(random, entry / 4)[entry % 4]);
          Choice choice(logits, b, settings);
          if (settings.topK == 0 && settings.topP == 1) choice.sortByToken();
          const auto token = static_cast<int64_t>(out[0][b]);
          double below = 0;
          size_t i = 0;
          while (i < choice.tokens.size() && choice.tokens[i] != token) below += choice.probabilities[i++];
          const bool kept = i < choice.tokens.size();
          check(kept && u >= below - 1e-5 && u <= below + choice.probabilities[i] + 1e-5, what + ": element draws[b] of the key, " + settings.text());
        }
      });
}

void testGreedy(DType type) {
  const int64_t batch = 5, vocabulary = between(40, 3000);
  Numbers logits = Numbers::normal(type, {batch, vocabulary});
  const int64_t place = between(0, vocabulary - 10);
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t i : {place, place + 7}) logits.set(b * vocabulary + i, 50);  // a tie
  onEverySet(
      "sample",
      [&](const cpu::KernelTable& kernels, cpu::Context& context) {
        Numbers greedy(DType::i32, {batch}), one(DType::i32, {batch}), cold(DType::i32, {batch}), tiny(DType::i32, {batch});
        kernels.sample(context, {logits.view(), 0, 0, 1, {}, {}, greedy.view(), {}});
        kernels.sample(context, {logits.view(), 1, 1, 1, {}, {}, one.view(), {}});
        kernels.sample(context, {logits.view(), 1, 0, 1e-9, {}, {}, tiny.view(), {}});
        kernels.sample(context, {logits.view(), 1e-300, 1, 1, {}, {}, cold.view(), {}});
        return Outputs{greedy, one, tiny, cold};
      },
      [&](const Outputs& out, const std::string& what) {
        for (const Numbers& tokens : out)
          checkAll(tokens, [&](int64_t) { return static_cast<double>(place); }, 0, what + ": the lowest index of the largest logit");
      });
}

/// NaN is never picked, −∞ never drawn, and rows without a finite maximum still give a token.
void testHostile() {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  const int64_t vocabulary = 21;
  Numbers logits = Numbers::filled(DType::f32, {4, vocabulary}, -inf);
  logits.set(3, 1);                    // row 0: one finite logit …
  logits.set(4, nan);                  // … and a NaN
  logits.set(2 * vocabulary + 11, inf);  // row 2; row 1 is −∞ throughout
  for (int64_t i = 0; i < vocabulary; ++i) logits.set(3 * vocabulary + i, nan);
  const double expected[] = {3, 0, 11, 0};
  for (const Settings& settings : {Settings{0, 0, 1}, {1, 0, 1}, {0.7, 5, 1}, {1, 0, 0.9}, {1, 3, 0.5}})
    onEverySet(
        "sample",
        [&](const cpu::KernelTable& kernels, cpu::Context& context) {
          Numbers tokens(DType::i32, {4});
          kernels.sample(context, {logits.view(), settings.temperature, settings.topK, settings.topP, {}, {}, tokens.view(), {}});
          return Outputs{tokens};
        },
        [&](const Outputs& out, const std::string& what) {
          checkAll(out[0], [&](int64_t b) { return expected[b]; }, 0, what + " of hostile logits, " + settings.text());
        });
}

}  // namespace

int main() {
  for (DType type : kFloats) {
    testGreedy(type);
    for (const Settings& settings : {Settings{1, 0, 1}, {0.6, 0, 1}, {1, 4, 1}, {1, 0, 0.7}, {1.5, 6, 0.8}, {1, 1000, 0.95}}) testDistribution(type, settings);
  }
  for (DType type : kFloats)
    for (const Settings& settings : {Settings{1, 0, 1}, {0.7, 5, 1}, {1, 0, 0.8}, {1.3, 20, 0.6}, {1, 40, 1}}) testDraws(type, 50, 1, settings);
  // More tokens than some kernels hold at a time, many of them equal.
  for (const Settings& settings : {Settings{1, 0, 1}, {1, 3000, 1}, {1, 5500, 1}, {1, 0, 0.95}, {1, 5000, 0.9}})
    testDraws(DType::bf16, 6000, 0.3, settings);
  testHostile();
  return finish("sample");
}
