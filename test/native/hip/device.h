// Operations of the GPU backend on the emulator, held against the CPU backend's on equal inputs.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/ops.h"
#include "hip/backend.h"
#include "numbers.h"

namespace aurora::test {

/// Tensors on a backend, and one stream.
class Bench {
 public:
  explicit Bench(std::unique_ptr<Backend> backend) : backend_(std::move(backend)), stream_(backend_->createStream()) {}
  ~Bench() {
    stream_->close();
    for (const auto& [memory, bytes] : held_) backend_->release(memory, bytes);
  }

  Backend& backend() { return *backend_; }
  Stream& stream() { return *stream_; }

  /// A copy on the device; of memory exactly as large.
  View tensor(const Numbers& numbers) {
    View view{nullptr, numbers.dtype, numbers.shape};
    const size_t bytes = std::max<size_t>(view.bytes(), 1);
    view.data = backend_->allocate(bytes);
    held_.push_back({view.data, bytes});
    backend_->write(*stream_, view, numbers.bytes.data(), static_cast<WireType>(numbers.dtype));
    stream_->drain();
    return view;
  }
  Numbers read(const View& view) {
    Numbers numbers(view.dtype, view.shape);
    backend_->read(*stream_, view, numbers.bytes.data(), static_cast<WireType>(view.dtype));
    stream_->drain();
    return numbers;
  }

 private:
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Stream> stream_;
  std::vector<std::pair<void*, size_t>> held_;
};

/// A device's answer to a sequence of operations: what it read back, and the failure it reported.
struct Answer {
  Outputs outputs;
  std::optional<AsyncError> error;
};
using Program = std::function<Outputs(Bench&)>;

inline Answer answerOf(std::unique_ptr<Backend> backend, const Program& program) {
  Bench bench(std::move(backend));
  Answer answer;
  answer.outputs = program(bench);
  bench.stream().drain();
  answer.error = bench.stream().takeError();
  return answer;
}

/// Runs the program on the emulator and on the CPU. Outputs must agree within `tolerance` of 1 + |value| (0: bit for bit), and failures word
/// for word.
inline void agree(const std::string& what, const Program& program, double tolerance = 0) {
  const std::string name = what + ", waves of " + std::to_string(AURORA_WAVE);
  try {
    const Answer expected = answerOf(openBackend("cpu"), program), found = answerOf(hip::open(0), program);
    check(expected.error.has_value() == found.error.has_value(), name + ": fails as on the CPU" + (found.error ? ", found " + found.error->found : ""));
    if (expected.error && found.error) {
      check(std::string(expected.error->code) == found.error->code && expected.error->operation == found.error->operation &&
                expected.error->expected == found.error->expected && expected.error->found == found.error->found,
            name + ": expected \"" + expected.error->expected + "\", \"" + expected.error->found + "\", found \"" + found.error->expected + "\", \"" +
                found.error->found + "\"");
      return;
    }
    for (size_t k = 0; k < expected.outputs.size(); ++k) {
      const Numbers &a = expected.outputs[k], &b = found.outputs[k];
      for (int64_t i = 0; i < a.size(); ++i) {
        const bool same = std::isnan(a[i]) ? std::isnan(b[i]) : a[i] == b[i] || std::fabs(a[i] - b[i]) <= tolerance * (1 + std::fabs(a[i]));
        if (same) continue;
        check(false, name + ": element " + std::to_string(i) + " of output " + std::to_string(k) + " " + a.shape.text() + " is " + std::to_string(b[i]) + ", on the CPU " +
                         std::to_string(a[i]));
        break;
      }
    }
  } catch (const Error& error) {
    check(false, name + ": " + error.what());
  }
}

}  // namespace aurora::test
