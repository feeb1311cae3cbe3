#include "addon/arguments.h"

#include <cmath>

#include "core/error.h"

namespace aurora::addon {
namespace {

constexpr int64_t kSafe = (int64_t{1} << 53) - 1;
constexpr int64_t kUint32 = (int64_t{1} << 32) - 1;

std::string text(double x) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.17g", x);
  return buffer;
}

/// For errors; never runs the program's code.
std::string describe(Napi::Value value) {
  switch (value.Type()) {
    case napi_undefined: return "undefined";
    case napi_null: return "null";
    case napi_boolean: return value.As<Napi::Boolean>().Value() ? "true" : "false";
    case napi_number: return text(value.As<Napi::Number>().DoubleValue());
    case napi_string: {
      const std::string string = value.As<Napi::String>();
      return "'" + string.substr(0, 40) + (string.size() > 40 ? "…'" : "'");
    }
    case napi_symbol: return "a symbol";
    case napi_function: return "a function";
    case napi_bigint: return "a bigint";
    default: break;
  }
  if (value.IsArray()) return "an array of " + std::to_string(value.As<Napi::Array>().Length());
  if (value.IsTypedArray()) return "a typed array";
  if (value.IsArrayBuffer()) return "an ArrayBuffer";
  return "an object";
}

}  // namespace

void Arguments::wrong(const char* name, const std::string& expected, Napi::Value found) const {
  throw Error(code::kInvalidArgument, function_, expected + " as " + name, describe(found));
}

double Arguments::toNumber(const char* name, Napi::Value value) const {
  if (!value.IsNumber()) wrong(name, "a number", value);
  return value.As<Napi::Number>().DoubleValue();
}

int64_t Arguments::toInteger(const char* name, Napi::Value value, int64_t low, int64_t high) const {
  const double x = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : std::nan("");
  if (!(x >= static_cast<double>(low) && x <= static_cast<double>(high) && std::trunc(x) == x))
    wrong(name, "a whole number from " + std::to_string(low) + " to " + std::to_string(high), value);
  return static_cast<int64_t>(x);
}

double Arguments::number(const char* name) { return toNumber(name, any()); }

int64_t Arguments::integer(const char* name, int64_t low, int64_t high) { return toInteger(name, any(), low, high); }

bool Arguments::flag(const char* name) {
  const Napi::Value value = any();
  if (!value.IsBoolean()) wrong(name, "true or false", value);
  return value.As<Napi::Boolean>().Value();
}

std::string Arguments::text(const char* name) {
  const Napi::Value value = any();
  if (!value.IsString()) wrong(name, "a string", value);
  return value.As<Napi::String>();
}

Id Arguments::tensor(const char* name) {
  const Napi::Value value = any();
  const double x = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(x >= 0 && x <= static_cast<double>(kSafe) && std::trunc(x) == x)) wrong(name, "a tensor's id", value);
  return static_cast<Id>(x);
}

int64_t Arguments::handle(const char* name) { return integer(name, 1, kSafe); }

DType Arguments::dtype(const char* name) { return static_cast<DType>(integer(name, 0, kDTypeCount - 1)); }

WireType Arguments::wire(const char* name) { return static_cast<WireType>(integer(name, 0, kWireTypeCount - 1)); }

Activation Arguments::activation(const char* name) {
  return static_cast<Activation>(integer(name, 0, static_cast<int64_t>(Activation::geluTanh)));
}

ProbeKind Arguments::probeKind(const char* name) {
  return static_cast<ProbeKind>(integer(name, 0, static_cast<int64_t>(ProbeKind::update)));
}

Napi::Array Arguments::array(const char* name, uint32_t least, uint32_t most, const char* of) {
  const Napi::Value value = any();
  if (!value.IsArray() || value.As<Napi::Array>().Length() < least || value.As<Napi::Array>().Length() > most)
    wrong(name, "an array of " + (least == most ? "" : std::to_string(least) + " to ") + std::to_string(most) + " " + of, value);
  return value.As<Napi::Array>();
}

Shape Arguments::shape(const char* name) {
  const Napi::Array sizes = array(name, 0, kMaxRank);
  Shape shape;
  double elements = 1;  // a product beyond 2^40 is refused before int64 could overflow
  for (uint32_t i = 0, rank = sizes.Length(); i < rank && i < kMaxRank; ++i) {
    shape.dims[i] = toInteger(name, sizes[i], 0, kMaxElements);
    shape.rank = static_cast<int>(i) + 1;
    elements *= static_cast<double>(std::max<int64_t>(shape.dims[i], 1));
  }
  if (elements > static_cast<double>(kMaxElements))
    throw Error(code::kInvalidArgument, function_, std::string(name) + " with at most 2^40 elements", shape.text());
  return shape;
}

HeadLayout Arguments::layout(const char* name) {
  const Napi::Array values = array(name, 3, 3);
  HeadLayout layout{};
  layout.heads = toInteger(name, values[0u], 0, kUint32);
  layout.keyHeads = toInteger(name, values[1u], 0, kUint32);
  layout.width = toInteger(name, values[2u], 0, kUint32);
  return layout;
}

RandomKey Arguments::random(const char* name) {
  const Napi::Array words = array(name, 4, 4);
  const auto word = [&](uint32_t i) { return static_cast<uint32_t>(toInteger(name, words[i], 0, kUint32)); };
  RandomKey random;
  random.key = {word(0), word(1)};
  random.stream = {word(2), word(3)};
  return random;
}

std::vector<int> Arguments::integers(const char* name, int64_t low, int64_t high, uint32_t least, uint32_t most) {
  const Napi::Array values = array(name, least, most);
  std::vector<int> integers;
  for (uint32_t i = 0, count = values.Length(); i < count && i < most; ++i) integers.push_back(static_cast<int>(toInteger(name, values[i], low, high)));
  return integers;
}

std::vector<std::vector<std::byte>> Arguments::manyBytes(const char* name, uint32_t least, uint32_t most) {
  const Napi::Array values = array(name, least, most, "typed arrays");
  std::vector<std::vector<std::byte>> copies;
  for (uint32_t i = 0, count = values.Length(); i < count && i < most; ++i) {
    const std::span<const std::byte> bytes = toBytes(name, values[i]);
    copies.emplace_back(bytes.begin(), bytes.end());
  }
  return copies;
}

std::span<const std::byte> Arguments::toBytes(const char* name, Napi::Value value) const {
  napi_value buffer = nullptr;
  void* data = nullptr;
  size_t size = 0, offset = 0;
  if (value.IsTypedArray()) {
    napi_typedarray_type type;
    size_t length;
    if (napi_get_typedarray_info(env(), value, &type, &length, &data, &buffer, &offset) != napi_ok) wrong(name, "a typed array", value);
    size = value.As<Napi::TypedArray>().ByteLength();
  } else if (value.IsDataView()) {
    if (napi_get_dataview_info(env(), value, &size, &data, &buffer, &offset) != napi_ok) wrong(name, "a DataView", value);
  } else {
    wrong(name, "a typed array, Buffer or DataView", value);
  }
  bool detached = false;
  if (napi_is_detached_arraybuffer(env(), buffer, &detached) != napi_ok || detached)
    throw Error(code::kInvalidArgument, function_, std::string("bytes in memory as ") + name, "a detached ArrayBuffer");
  // A resizable buffer may have shrunk beneath its view.
  void* start = nullptr;
  size_t available = 0;
  if (Napi::Value(env(), buffer).IsArrayBuffer() &&
      (napi_get_arraybuffer_info(env(), buffer, &start, &available) != napi_ok || offset > available || size > available - offset))
    throw Error(code::kInvalidArgument, function_, std::string("a view inside its buffer as ") + name, "one beyond its end");
  return {static_cast<const std::byte*>(data), size};
}

}  // namespace aurora::addon
