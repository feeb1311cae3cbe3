#include "hip/backend.h"

#include "core/error.h"
#include "hip/stream.h"

namespace aurora::hip {
namespace {

DeviceInfo describe(int device, const DeviceProperties& properties) {
  DeviceInfo info;
  // The emulator is one device for each width of waves.
  info.name = runtime::kEmulated ? (kWave == 64 ? "emulator" : "emulator:" + std::to_string(kWave)) : runtime::kKind + (":" + std::to_string(device));
  info.instructionSet = properties.architecture;
  info.instructionSets = {properties.architecture};
  info.gpu = GpuInfo{properties.name,        properties.computeUnits, properties.wave,           properties.sharedBytes,
                     properties.memoryBytes, properties.clockMHz,     properties.memoryClockMHz, properties.memoryBusBits};
  return info;
}

class GpuBackend final : public Backend {
 public:
  explicit GpuBackend(int device) : device_(device), properties_(runtime::properties(device)) {
    if (properties_.wave != kWave)
      throw Error(code::kDevice, "openDevice", "a device with waves of " + std::to_string(kWave) + " lanes",
                  properties_.name + " (" + properties_.architecture + ") with " + std::to_string(properties_.wave));
  }

  DeviceInfo info() const override { return describe(device_, properties_); }

  std::unique_ptr<Stream> createStream() override {
    runtime::use(device_);
    return std::make_unique<GpuStream>(device_, properties_);
  }

  void* allocate(size_t bytes) override {
    runtime::use(device_);
    return runtime::allocate(bytes);
  }
  void release(void* memory, size_t) override { runtime::release(memory); }
  bool exactMemory() const override { return runtime::kEmulated; }

  void write(Stream& stream, const View& y, const void* host, WireType type) override {
    on(stream).submit("write", [&](Context& context) {
      const bool same = type == static_cast<WireType>(y.dtype);
      const size_t bytes = static_cast<size_t>(y.size()) * byteSize(type);
      if (bytes == 0) return;
      void* const arrived = same ? y.data : context.scratch<std::byte>(0, static_cast<int64_t>(bytes));
      context.stream.copyToDevice(arrived, host, bytes);
      if (!same) convert(context, arrived, type, y.data, static_cast<WireType>(y.dtype), y.size());
    });
  }
  void read(Stream& stream, const View& x, void* host, WireType type) override {
    on(stream).submit("read", [&](Context& context) {
      const bool same = type == static_cast<WireType>(x.dtype);
      const size_t bytes = static_cast<size_t>(x.size()) * byteSize(type);
      if (bytes == 0) return;
      void* const leaving = same ? x.data : context.scratch<std::byte>(0, static_cast<int64_t>(bytes));
      if (!same) convert(context, x.data, static_cast<WireType>(x.dtype), leaving, type, x.size());
      context.stream.copyToHost(host, leaving, bytes);
    });
  }

#define AURORA_OPERATION(method, Args)                                                \
  void method(Stream& stream, const Args& args) override {                           \
    void (*const run)(Context&, const Args&) = aurora::hip::method;                  \
    if (!run) unsupported(#method);                                                  \
    on(stream).submit(#method, [&](Context& context) { run(context, args); });       \
  }
#include "core/operations.inc"
#undef AURORA_OPERATION

 private:
  static GpuStream& on(Stream& stream) { return static_cast<GpuStream&>(stream); }

  const int device_;
  const DeviceProperties properties_;
};

}  // namespace

std::vector<DeviceInfo> devices() {
  std::vector<DeviceInfo> found;
  for (int device = 0, count = runtime::deviceCount(); device < count; ++device) found.push_back(describe(device, runtime::properties(device)));
  return found;
}

std::unique_ptr<Backend> open(int device) { return std::make_unique<GpuBackend>(device); }

}  // namespace aurora::hip
