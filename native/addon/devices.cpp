// Devices, their streams, events and memory.
#include "addon/functions.h"

namespace aurora::addon {
namespace {

Device& device(Environment& environment, Arguments& arguments) {
  return environment.device(arguments.handle("device"), arguments.function());
}

Napi::Value openDevice(Environment& environment, Arguments& arguments) {
  return Napi::Number::New(environment.env(), static_cast<double>(environment.openDevice(arguments.text("name"))));
}

Napi::Value deviceInfo(Environment& environment, Arguments& arguments) {
  const DeviceInfo info = device(environment, arguments).backend().info();
  Napi::Array sets = Napi::Array::New(environment.env(), info.instructionSets.size());
  for (uint32_t i = 0; i < info.instructionSets.size(); ++i) sets[i] = info.instructionSets[i];
  Napi::Object object = Napi::Object::New(environment.env());
  object["name"] = info.name;
  object["instructionSet"] = info.instructionSet;
  object["instructionSets"] = sets;
  object["threads"] = info.threads;
  return object;
}

Napi::Value memory(Environment& environment, Arguments& arguments) {
  Device& of = device(environment, arguments);
  const Allocator::Statistics& statistics = of.allocator().statistics();
  Napi::Object object = Napi::Object::New(environment.env());
  object["allocated"] = static_cast<double>(statistics.allocated);
  object["reserved"] = static_cast<double>(statistics.reserved);
  object["peak"] = static_cast<double>(statistics.peak);
  object["tensors"] = static_cast<double>(environment.tensors.count(of));
  return object;
}

Napi::Value resetPeak(Environment& environment, Arguments& arguments) {
  device(environment, arguments).allocator().resetPeak();
  return environment.env().Undefined();
}

Napi::Value trim(Environment& environment, Arguments& arguments) {
  Device& of = device(environment, arguments);
  std::vector<Stream*> streams;
  for (const auto& stream : of.streams()) streams.push_back(stream.get());
  // Blocks that several streams use come back to the cache only when those have run, so the cache is given back then.
  return environment.whenRun(streams, {}, [&environment, &of] {
    of.allocator().trim();
    environment.reportMemory();
  });
}

Napi::Value createStream(Environment& environment, Arguments& arguments) {
  const int64_t id = arguments.handle("device");
  const size_t stream = environment.device(id, arguments.function()).createStream();
  return Napi::Number::New(environment.env(), static_cast<double>(Environment::streamId(id, stream)));
}

Napi::Value setStream(Environment& environment, Arguments& arguments) {
  const int64_t id = arguments.handle("device"), stream = arguments.handle("stream");
  Device& of = environment.device(id, arguments.function());
  const size_t previous = of.current();
  of.use(environment.stream(id, stream, arguments.function()));
  return Napi::Number::New(environment.env(), static_cast<double>(Environment::streamId(id, previous)));
}

Napi::Value synchronize(Environment& environment, Arguments& arguments) {
  return environment.whenRun({&device(environment, arguments).stream()});
}

Napi::Value recordEvent(Environment& environment, Arguments& arguments) {
  return Napi::Number::New(environment.env(), static_cast<double>(environment.recordEvent(device(environment, arguments))));
}

Napi::Value waitEvent(Environment& environment, Arguments& arguments) {
  Device& of = device(environment, arguments);
  environment.waitEvent(of, arguments.handle("event"));
  return environment.env().Undefined();
}

constexpr Function kFunctions[] = {
    {"openDevice", openDevice}, {"deviceInfo", deviceInfo},     {"memory", memory},       {"resetPeak", resetPeak},
    {"trim", trim},             {"createStream", createStream}, {"setStream", setStream}, {"synchronize", synchronize},
    {"recordEvent", recordEvent}, {"waitEvent", waitEvent},
};

}  // namespace

std::span<const Function> deviceFunctions() { return kFunctions; }

}  // namespace aurora::addon
