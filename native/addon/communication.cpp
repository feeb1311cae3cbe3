// Groups of processes: begun, connected, and what is enqueued on them.
#include <cstring>

#include "addon/functions.h"
#include "comm/checks.h"
#include "comm/single.h"
#include "core/modules.h"

namespace aurora::addon {

int64_t Communicators::add(OpenCommunicator communicator) {
  open_.emplace(++last_, std::move(communicator));
  return last_;
}

OpenCommunicator& Communicators::get(int64_t id, const char* operation) {
  const auto found = open_.find(id);
  if (found == open_.end()) throw Error(code::kClosed, operation, "a communicator that is open", "number " + std::to_string(id));
  return found->second;
}

OpenCommunicator Communicators::remove(int64_t id, const char* operation) {
  OpenCommunicator removed = get(id, operation);
  open_.erase(id);
  std::erase_if(removed_, [](const auto& known) { return known.expired(); });
  removed_.push_back(removed.communicator);
  return removed;
}

void Communicators::abortAll(const std::string& reason) {
  for (auto& [id, open] : open_) open.communicator->abort(reason);
  for (auto& removed : removed_)
    if (const auto communicator = removed.lock()) communicator->abort(reason);
}

void Communicators::clear() {
  open_.clear();
  removed_.clear();
}

namespace {

constexpr int64_t kMostRanks = 4096, kMostRank = (int64_t{1} << 31) - 1;

std::shared_ptr<Communicator> begin(const std::string& kind, Device& device, const CommunicatorOptions& options) {
  constexpr const char* operation = "beginCommunicator";
  const std::string name = device.backend().info().name;
  const size_t colon = name.rfind(':');
  const std::string deviceKind = name.substr(0, colon);
  if (kind == "single") {
    if (options.size != 1) throw Error(code::kInvalidArgument, operation, "kind 'gloo' or 'nccl' for several ranks", "'single'");
    return singleCommunicator([&device](Stream& stream, const View& x, const View& y) { device.backend().cast(stream, {x, y}); });
  }
  if (kind == "gloo") {
    if (name != "cpu") throw Error(code::kNotSupported, operation, "device 'cpu' for kind 'gloo'", "'" + name + "'", "kind 'nccl' is for GPUs");
    return openModule("gloo", operation).communicator(options);
  }
  if (kind == "nccl") {
    const Module* module = name == "cpu" ? nullptr : &openModule(deviceKind == "emulator" ? name : deviceKind, operation);
    if (!module || !module->communicator)
      throw Error(code::kNotSupported, operation, "a 'hip' or 'cuda' device for kind 'nccl'", "'" + name + "'", "kind 'gloo' is for the CPU");
    CommunicatorOptions ofGpu = options;
    ofGpu.device = colon == std::string::npos ? 0 : std::stoi(name.substr(colon + 1));
    return module->communicator(ofGpu);
  }
  throw Error(code::kInvalidArgument, operation, "kind 'single', 'gloo' or 'nccl'", "'" + kind + "'");
}

Napi::Value beginCommunicator(Environment& environment, Arguments& arguments) {
  const int64_t device = arguments.handle("device");
  const std::string kind = arguments.text("kind");
  CommunicatorOptions options;
  options.rank = static_cast<int>(arguments.integer("rank", 0, kMostRanks - 1));
  options.size = static_cast<int>(arguments.integer("size", 1, kMostRanks));
  options.host = arguments.text("host");
  options.timeout = std::chrono::milliseconds(arguments.integer("timeoutMs", 1, int64_t{1} << 31));
  options.name = arguments.text("name");
  const auto size = static_cast<uint32_t>(options.size);
  options.ranks = arguments.integers("ranks", 0, kMostRank, size, size);

  Device& of = environment.device(device, arguments.function());
  checkRank(arguments.function(), "rank", options.rank, options.size);
  const std::shared_ptr<Communicator> communicator = begin(kind, of, options);
  const Bytes address = communicator->address();
  Napi::ArrayBuffer buffer = environment.newArrayBuffer(address.size());
  if (!address.empty()) std::memcpy(buffer.Data(), address.data(), address.size());
  Napi::Object object = Napi::Object::New(environment.env());
  object["id"] = static_cast<double>(environment.communicators.add({communicator, &of, options.rank, options.size, options.size == 1}));
  object["address"] = buffer;
  return object;
}

Napi::Value connectCommunicator(Environment& environment, Arguments& arguments) {
  const int64_t id = arguments.handle("id");
  std::vector<Bytes> addresses = arguments.manyBytes("addresses", 0, kMostRanks);
  OpenCommunicator& open = environment.communicators.get(id, arguments.function());
  if (open.connected && open.size > 1) throw Error(code::kInvalidArgument, arguments.function(), "a communicator that is not connected yet", "one that is, or tried");
  open.connected = true;
  return environment.whenDone([communicator = open.communicator, addresses = std::move(addresses)] { communicator->connect(addresses); });
}

/// What every operation begins with; tensors are looked at when all arguments have been read.
class Call {
 public:
  Call(Environment& environment, const Arguments& arguments, int64_t id, std::string caller)
      : environment_(environment), operation_(arguments.function()), open_(environment.communicators.get(id, operation_)), caller_(std::move(caller)) {
    if (!open_.connected) throw Error(code::kInvalidArgument, operation_, "a communicator that was connected", "one that was not", "await connectCommunicator first");
  }

  const OpenCommunicator& open() const { return open_; }
  Communicator& communicator() const { return *open_.communicator; }

  View tensor(const char* name, Id id) const {
    if (id == 0) throw Error(code::kInvalidArgument, operation_, std::string("a tensor as ") + name, "none");
    const Tensor& tensor = environment_.tensors.get(id, operation_, name);
    if (&tensor.device() != open_.device)
      throw Error(code::kDevice, operation_, std::string(name) + " on the group's device, '" + open_.device->backend().info().name + "'",
                  "one on '" + tensor.device().backend().info().name + "'");
    return tensor.view;
  }
  /// The stream to enqueue on, after all checks.
  Stream& stream(std::initializer_list<Id> tensors) {
    Stream& stream = open_.device->stream();
    for (Id id : tensors) environment_.tensors.get(id, operation_, "x").storage->usedOn(stream);
    stream.callerStack = std::move(caller_);
    return stream;
  }

 private:
  Environment& environment_;
  const char* operation_;
  OpenCommunicator& open_;
  std::string caller_;
};

Call callOf(Environment& environment, const Arguments& arguments, int64_t id) {
  std::string caller = environment.callers.note(environment.env());
  return Call(environment, arguments, id, std::move(caller));
}

Reduction reduction(Arguments& arguments) { return static_cast<Reduction>(arguments.integer("reduction", 0, 1)); }

Napi::Value allReduce(Environment& environment, Arguments& arguments) {
  const int64_t id = arguments.handle("id");
  const Id x = arguments.tensor("x");
  const Reduction kind = reduction(arguments);
  Call call = callOf(environment, arguments, id);
  const View view = call.tensor("x", x);
  checkReducible(arguments.function(), view);
  call.communicator().allReduce(call.stream({x}), view, kind);
  return environment.env().Undefined();
}

Napi::Value allGather(Environment& environment, Arguments& arguments) {
  const int64_t id = arguments.handle("id");
  const Id x = arguments.tensor("x"), y = arguments.tensor("y");
  Call call = callOf(environment, arguments, id);
  const View part = call.tensor("x", x), whole = call.tensor("y", y);
  checkParts(arguments.function(), "x", part, "y", whole, call.open().rank, call.open().size);
  call.communicator().allGather(call.stream({x, y}), part, whole);
  return environment.env().Undefined();
}

Napi::Value reduceScatter(Environment& environment, Arguments& arguments) {
  const int64_t id = arguments.handle("id");
  const Id x = arguments.tensor("x"), y = arguments.tensor("y");
  const Reduction kind = reduction(arguments);
  Call call = callOf(environment, arguments, id);
  const View whole = call.tensor("x", x), part = call.tensor("y", y);
  checkReducible(arguments.function(), whole);
  checkParts(arguments.function(), "y", part, "x", whole, call.open().rank, call.open().size);
  call.communicator().reduceScatter(call.stream({x, y}), whole, part, kind);
  return environment.env().Undefined();
}

Napi::Value broadcast(Environment& environment, Arguments& arguments) {
  const int64_t id = arguments.handle("id");
  const Id x = arguments.tensor("x");
  const int64_t root = arguments.integer("root", 0, kMostRanks);
  Call call = callOf(environment, arguments, id);
  const View view = call.tensor("x", x);
  checkRank(arguments.function(), "root", root, call.open().size);
  call.communicator().broadcast(call.stream({x}), view, static_cast<int>(root));
  return environment.env().Undefined();
}

template <void (Communicator::*method)(Stream&, const View&, int)>
Napi::Value message(Environment& environment, Arguments& arguments, const char* peerName) {
  const int64_t id = arguments.handle("id");
  const Id x = arguments.tensor("x");
  const int64_t peer = arguments.integer(peerName, 0, kMostRanks);
  Call call = callOf(environment, arguments, id);
  const View view = call.tensor("x", x);
  checkPeer(arguments.function(), peerName, peer, call.open().rank, call.open().size);
  (call.communicator().*method)(call.stream({x}), view, static_cast<int>(peer));
  return environment.env().Undefined();
}

Napi::Value send(Environment& environment, Arguments& arguments) { return message<&Communicator::send>(environment, arguments, "to"); }
Napi::Value receive(Environment& environment, Arguments& arguments) { return message<&Communicator::receive>(environment, arguments, "from"); }

template <void (Communicator::*method)(Stream&)>
Napi::Value plain(Environment& environment, Arguments& arguments) {
  Call call = callOf(environment, arguments, arguments.handle("id"));
  (call.communicator().*method)(call.stream({}));
  return environment.env().Undefined();
}

Napi::Value abortCommunicator(Environment& environment, Arguments& arguments) {
  const int64_t id = arguments.handle("id");
  const std::string reason = arguments.text("reason");
  environment.communicators.get(id, arguments.function()).communicator->abort(reason);
  return environment.env().Undefined();
}

Napi::Value closeCommunicator(Environment& environment, Arguments& arguments) {
  const OpenCommunicator closed = environment.communicators.remove(arguments.handle("id"), arguments.function());
  // The last holder ends the connections, which takes some milliseconds: the stream's thread, not this one.
  closed.device->stream().then([communicator = closed.communicator] {});
  return environment.env().Undefined();
}

constexpr Function kFunctions[] = {
    {"beginCommunicator", beginCommunicator},
    {"connectCommunicator", connectCommunicator},
    {"allReduce", allReduce},
    {"allGather", allGather},
    {"reduceScatter", reduceScatter},
    {"broadcast", broadcast},
    {"send", send},
    {"receive", receive},
    {"barrier", plain<&Communicator::barrier>},
    {"flush", plain<&Communicator::flush>},
    {"abortCommunicator", abortCommunicator},
    {"closeCommunicator", closeCommunicator},
};

}  // namespace

std::span<const Function> communicationFunctions() { return kFunctions; }

}  // namespace aurora::addon
