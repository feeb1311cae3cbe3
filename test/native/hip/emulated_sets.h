// The GPU backend on the emulator in the shape of a CPU kernel set, so that the CPU's tests run on it as they are: each call copies its tensors to
// the device, runs the operation there and copies back what it has written. In one set every tensor starts an element behind an aligned address.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/fields.h"
#include "cpu/kernels.h"
#include "hip/backend.h"

namespace aurora::test {

template <bool shifted>
class EmulatedSet {
 public:
  static const cpu::KernelTable& table() {
    static const std::string name = "emulator, waves of " + std::to_string(AURORA_WAVE) + (shifted ? ", unaligned" : "");
    static const cpu::KernelTable table{
        name.c_str(),
#define AURORA_OPERATION(method, Args) run<Args, &Backend::method>,
#include "core/operations.inc"
#undef AURORA_OPERATION
        nullptr, nullptr};
    return table;
  }

 private:
  struct Device {
    std::unique_ptr<Backend> backend = hip::open(0);
    std::unique_ptr<Stream> stream = backend->createStream();
    ~Device() { stream->close(); }
  };
  struct Copy {
    View host, device;
    void* memory;
    size_t bytes;
    bool written;
  };

  template <class Args, void (Backend::*method)(Stream&, const Args&)>
  static void run(cpu::Context& context, const Args& given) {
    static Device device;
    Args args = given;
    // Fields that share memory on the host do so on the device.
    std::map<void*, Copy> copies;
    fields(Visitor{[&](View& view, Role role) {
             if (!view) return;
             auto [at, fresh] = copies.try_emplace(view.data, Copy{view, view, nullptr, 0, false});
             Copy& copy = at->second;
             if (fresh) {
               const size_t shift = shifted ? byteSize(view.dtype) : 0;
               copy.bytes = view.bytes() + shift;
               copy.memory = device.backend->allocate(copy.bytes);
               copy.device.data = static_cast<std::byte*>(copy.memory) + shift;
               device.backend->write(*device.stream, copy.device, view.data, static_cast<WireType>(view.dtype));
               device.stream->drain();
             }
             copy.written |= isWritten(role);
             view.data = copy.device.data;
           }},
           args);
    try {
      (device.backend.get()->*method)(*device.stream, args);
    } catch (const Error& error) {
      context.fail(code::kDevice, "no error", error.what());
    }
    device.stream->drain();
    if (auto error = device.stream->takeError()) context.stream.fail(std::move(*error));
    for (const auto& [data, copy] : copies) {
      if (copy.written) device.backend->read(*device.stream, copy.device, data, static_cast<WireType>(copy.host.dtype));
      device.stream->drain();
      device.backend->release(copy.memory, copy.bytes);
    }
  }

  template <class Body>
  struct Visitor {
    Body body;
    void operator()(const char*, View& view, Role role, MayBe = {}) { body(view, role); }
    template <class Value>
    void operator()(const char*, Value&) {}
  };
  template <class Body>
  Visitor(Body) -> Visitor<Body>;
};

/// Of an operation that a test calls: the emulator as it is, and with unaligned tensors.
inline std::vector<const cpu::KernelTable*> emulatedSets() { return {&EmulatedSet<false>::table(), &EmulatedSet<true>::table()}; }

}  // namespace aurora::test
