// Devices, their streams, events and memory.
#include "addon/functions.h"
#include "core/modules.h"

namespace aurora::addon {
namespace {

Device& device(Environment& environment, Arguments& arguments) {
  return environment.device(arguments.handle("device"), arguments.function());
}

Napi::Value openDevice(Environment& environment, Arguments& arguments) {
  return Napi::Number::New(environment.env(), static_cast<double>(environment.openDevice(arguments.text("name"))));
}

template <class Items, class Make>
Napi::Array arrayOf(Napi::Env env, const Items& items, Make make) {
  Napi::Array array = Napi::Array::New(env, items.size());
  for (uint32_t i = 0; i < items.size(); ++i) array[i] = make(items[i]);
  return array;
}

Napi::Object toJs(Napi::Env env, const DeviceInfo& info) {
  Napi::Object object = Napi::Object::New(env);
  object["name"] = info.name;
  object["instructionSet"] = info.instructionSet;
  object["instructionSets"] = arrayOf(env, info.instructionSets, [](const std::string& set) { return set; });
  object["threads"] = info.threads;
  if (!info.gpu) return object;
  Napi::Object gpu = Napi::Object::New(env);
  gpu["product"] = info.gpu->product;
  gpu["computeUnits"] = info.gpu->computeUnits;
  gpu["wave"] = info.gpu->wave;
  gpu["sharedBytes"] = static_cast<double>(info.gpu->sharedBytes);
  gpu["memoryBytes"] = static_cast<double>(info.gpu->memoryBytes);
  gpu["clockMHz"] = info.gpu->clockMHz;
  gpu["memoryClockMHz"] = info.gpu->memoryClockMHz;
  gpu["memoryBusBits"] = info.gpu->memoryBusBits;
  object["gpu"] = gpu;
  return object;
}

Napi::Value deviceInfo(Environment& environment, Arguments& arguments) {
  return toJs(environment.env(), device(environment, arguments).backend().info());
}

Napi::Value modules(Environment& environment, Arguments&) {
  const Napi::Env env = environment.env();
  return arrayOf(env, moduleFiles(), [env](const ModuleFile& file) {
    Napi::Object object = Napi::Object::New(env);
    object["kind"] = file.kind;
    object["build"] = file.build;
    object["searched"] = arrayOf(env, file.searched, [](const std::string& path) { return path; });
    object["path"] = file.path;
    return object;
  });
}

Napi::Value openModule(Environment& environment, Arguments& arguments) {
  const Napi::Env env = environment.env();
  const Module& module = aurora::openModule(arguments.text("kind"));
  Napi::Object object = Napi::Object::New(env);
  object["devices"] = arrayOf(env, module.devices(), [env](const DeviceInfo& info) { return toJs(env, info); });
  object["libraries"] = arrayOf(env, module.libraries(), [env](const ModuleLibrary& library) {
    Napi::Object described = Napi::Object::New(env);
    described["name"] = library.name;
    described["path"] = library.path;
    described["version"] = library.version;
    described["error"] = library.error;
    return described;
  });
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
    {"openDevice", openDevice},   {"deviceInfo", deviceInfo}, {"modules", modules},           {"openModule", openModule},
    {"memory", memory},           {"resetPeak", resetPeak},   {"trim", trim},                 {"createStream", createStream},
    {"setStream", setStream},     {"synchronize", synchronize}, {"recordEvent", recordEvent}, {"waitEvent", waitEvent},
};

}  // namespace

std::span<const Function> deviceFunctions() { return kFunctions; }

}  // namespace aurora::addon
