// Gloo's own all-reduce of f32 between two processes: this one, and one that it starts. Answers lines `f32 <bytes> <calls>` as peer.h says; what
// both processes must know goes to the other one through a pipe, once for each line.
#include <gloo/allreduce.h>
#include <gloo/config.h>
#include <gloo/math.h>
#include <gloo/rendezvous/context.h>
#include <gloo/rendezvous/file_store.h>
#include <gloo/transport/tcp/device.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace {

struct Order {
  long bytes, calls;
};

std::shared_ptr<gloo::rendezvous::Context> connect(int rank, const std::string& folder) {
  auto device = gloo::transport::tcp::CreateDevice(gloo::transport::tcp::attr("127.0.0.1"));
  gloo::rendezvous::FileStore store(folder);
  auto context = std::make_shared<gloo::rendezvous::Context>(rank, 2);
  context->connectFullMesh(store, device);
  return context;
}

double run(const std::shared_ptr<gloo::Context>& context, Order order) {
  static std::vector<float> data;
  data.assign(static_cast<size_t>(order.bytes) / sizeof(float), 0.0f);
  gloo::AllreduceOptions options(context);
  options.setOutput(data.data(), data.size());
  options.setReduceFunction(static_cast<void (*)(void*, const void*, const void*, size_t)>(&gloo::sum<float>));
  gloo::allreduce(options);  // untimed
  const auto started = std::chrono::steady_clock::now();
  for (long call = 0; call < order.calls; ++call) gloo::allreduce(options);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count() / static_cast<double>(order.calls);
}

}  // namespace

int main() {
  std::string name = std::filesystem::temp_directory_path() / "aurora-gloo-XXXXXX";
  if (!mkdtemp(name.data())) return 1;
  int ends[2];
  if (pipe(ends) != 0) return 1;
  std::signal(SIGPIPE, SIG_IGN);
  if (fork() == 0) {
    close(ends[1]);
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    const auto context = connect(1, name);
    for (Order order; read(ends[0], &order, sizeof order) == sizeof order;) run(context, order);
    return 0;
  }
  close(ends[0]);
  const auto context = connect(0, name);
  std::filesystem::remove_all(name);
  std::cout << "Gloo " << GLOO_VERSION_MAJOR << '.' << GLOO_VERSION_MINOR << '.' << GLOO_VERSION_PATCH << ", ring" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string dtype;
    Order order{};
    words >> dtype >> order.bytes >> order.calls;
    if (dtype != "f32") {
      std::cout << "cannot: Gloo has no " << dtype << std::endl;
      continue;
    }
    if (write(ends[1], &order, sizeof order) != sizeof order) return 1;
    std::cout << run(context, order) << std::endl;
  }
}
