// Tensors' memory: made, viewed, freed, written and read.
#include <cstring>
#include <memory>

#include "addon/errors.h"
#include "addon/functions.h"

namespace aurora::addon {
namespace {

Napi::Value alloc(Environment& environment, Arguments& arguments) {
  const int64_t device = arguments.handle("device");
  const DType dtype = arguments.dtype("dtype");
  const Shape shape = arguments.shape("shape");
  const Id id = environment.tensors.allocate(environment.device(device, arguments.function()), dtype, shape);
  environment.reportMemory();
  return Napi::Number::New(environment.env(), static_cast<double>(id));
}

Napi::Value view(Environment& environment, Arguments& arguments) {
  const Id x = arguments.tensor("x");
  const int64_t offset = arguments.integer("offset", 0, kMaxElements);
  const Shape shape = arguments.shape("shape");
  return Napi::Number::New(environment.env(), static_cast<double>(environment.tensors.view(x, offset, shape)));
}

Napi::Value free(Environment& environment, Arguments& arguments) {
  environment.tensors.free(arguments.tensor("x"));
  environment.reportMemory();
  return environment.env().Undefined();
}

Napi::Value describe(Environment& environment, Arguments& arguments) {
  const Tensor& tensor = environment.tensors.get(arguments.tensor("x"), arguments.function(), "x");
  const Shape& shape = tensor.view.shape;
  Napi::Array sizes = Napi::Array::New(environment.env(), static_cast<size_t>(shape.rank));
  for (int i = 0; i < shape.rank; ++i) sizes[static_cast<uint32_t>(i)] = static_cast<double>(shape[i]);
  Napi::Object description = Napi::Object::New(environment.env());
  description["dtype"] = static_cast<double>(tensor.view.dtype);
  description["shape"] = sizes;
  description["device"] = static_cast<double>(environment.idOf(tensor.device()));
  return description;
}

Napi::Value write(Environment& environment, Arguments& arguments) {
  const Id y = arguments.tensor("y");
  const std::span<const std::byte> bytes = arguments.bytes("bytes");
  const WireType wire = arguments.wire("wire");
  const Tensor& tensor = environment.tensors.get(y, "write", "y");
  const size_t expected = static_cast<size_t>(tensor.view.size()) * byteSize(wire);
  if (bytes.size() != expected)
    throw Error(code::kShape, "write", std::to_string(expected) + " bytes for " + tensor.view.shape.text(), std::to_string(bytes.size()));

  Device& device = tensor.device();
  Stream& stream = device.stream();
  const std::shared_ptr<std::byte[]> host(new std::byte[bytes.size()]);
  if (!bytes.empty()) std::memcpy(host.get(), bytes.data(), bytes.size());
  tensor.storage->usedOn(stream);
  device.backend().write(stream, tensor.view, host.get(), wire);
  stream.then([host] {});  // lives until the stream has copied from it
  return environment.env().Undefined();
}

Napi::Value read(Environment& environment, Arguments& arguments) {
  const Id x = arguments.tensor("x");
  const WireType wire = arguments.wire("wire");
  const size_t bytes = static_cast<size_t>(environment.tensors.get(x, "read", "x").view.size()) * byteSize(wire);
  const Napi::ArrayBuffer host = environment.newArrayBuffer(bytes);
  const Tensor& tensor = environment.tensors.get(x, "read", "x");
  Device& device = tensor.device();
  tensor.storage->usedOn(device.stream());
  // The pending promise holds the buffer, which nobody else can reach, until the stream has filled it.
  device.backend().read(device.stream(), tensor.view, const_cast<Napi::ArrayBuffer&>(host).Data(), wire);
  return environment.whenRun({&device.stream()}, host);
}

constexpr Function kFunctions[] = {
    {"alloc", alloc}, {"view", view}, {"free", free}, {"describe", describe}, {"write", write}, {"read", read},
};

}  // namespace

std::span<const Function> tensorFunctions() { return kFunctions; }

}  // namespace aurora::addon
