// The CPU backend: every operation becomes a task of the stream that calls its kernel.
#include "core/backend.h"

#include <atomic>
#include <cstdlib>

#include "core/device.h"
#include "cpu/instruction_set.h"
#include "cpu/limits.h"
#include "cpu/pages.h"
#include "cpu/stream.h"

namespace aurora::cpu {
namespace {

std::atomic<size_t> held{0};  // by all CPU devices of the process

class CpuBackend final : public Backend {
 public:
  DeviceInfo info() const override {
    DeviceInfo info{"cpu", kernels_.instructionSet, {}, pool_.threads()};
    for (const KernelTable* table : usableKernels()) info.instructionSets.push_back(table->instructionSet);
    return info;
  }

  std::unique_ptr<Stream> createStream() override { return std::make_unique<CpuStream>(pool_); }

  void* allocate(size_t bytes) override {
    // The system would promise more than it has, and end the process when the promise is taken up.
    if (held.fetch_add(bytes) + bytes > memory_) {
      held -= bytes;
      return nullptr;
    }
    void* const memory = allocatePages(bytes);
    if (!memory) held -= bytes;
    return memory;
  }
  void release(void* memory, size_t bytes) override {
    std::free(memory);
    held -= bytes;
  }

  void write(Stream& stream, const View& y, const void* host, WireType type) override {
    on(stream).submit("write", [this, y, host, type](Context& context) { kernels_.write(context, y, host, type); });
  }
  void read(Stream& stream, const View& x, void* host, WireType type) override {
    on(stream).submit("read", [this, x, host, type](Context& context) { kernels_.read(context, x, host, type); });
  }

#define AURORA_OPERATION(method, Args)                                                                              \
  void method(Stream& stream, const Args& args) override {                                                          \
    on(stream).submit(#method, [this, args](Context& context) { kernels_.method(context, args); });                 \
  }
#include "core/operations.inc"
#undef AURORA_OPERATION

 private:
  static CpuStream& on(Stream& stream) { return static_cast<CpuStream&>(stream); }

  ThreadPool& pool_ = ThreadPool::shared();
  const KernelTable& kernels_ = chooseKernels();
  const size_t memory_ = availableMemory();
};

[[maybe_unused]] const bool registered =
    registerBackend("cpu", [] { return std::unique_ptr<Backend>(std::make_unique<CpuBackend>()); });

}  // namespace
}  // namespace aurora::cpu
