#include "cpu/limits.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <sstream>
#include <string>
#include <thread>

namespace aurora::cpu {
namespace {

constexpr double kUnlimited = std::numeric_limits<double>::infinity();

/// The numbers at the start of a file; one that is missing or a word ("max") ends them.
double readNumber(const std::string& path, int index = 0) {
  std::ifstream file(path);
  double number = 0;
  for (int i = 0; i <= index; ++i)
    if (!(file >> number)) return kUnlimited;
  return number;
}

/// The smallest `limit(folder, v2)` over this process's control group and its ancestors, of each hierarchy that has the controller.
double smallestLimit(const std::string& controller, const std::function<double(const std::string& folder, bool v2)>& limit) {
  double smallest = kUnlimited;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    // "0::/path" (version 2), "4:cpu,cpuacct:/path" (version 1)
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const bool v2 = second == first + 1;
    bool has = v2;
    std::istringstream controllers(line.substr(first + 1, second - first - 1));
    for (std::string name; std::getline(controllers, name, ',');) has |= name == controller;
    if (!has) continue;
    // In a container the path may be the host's: then only the root exists.
    std::string path = line.substr(second + 1);
    if (path == "/") path.clear();
    std::string folder = v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/";
    if (!v2) folder += controller;
    while (true) {
      smallest = std::min(smallest, limit(folder + path, v2));
      if (path.empty()) break;
      path.erase(path.rfind('/'));
    }
  }
  return smallest;
}

}  // namespace

int availableProcessors() {
  double processors = std::max(1u, std::thread::hardware_concurrency());
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) processors = CPU_COUNT(&set);
  const double quota = smallestLimit("cpu", [](const std::string& folder, bool v2) {
    const double time = v2 ? readNumber(folder + "/cpu.max") : readNumber(folder + "/cpu.cfs_quota_us");
    const double period = v2 ? readNumber(folder + "/cpu.max", 1) : readNumber(folder + "/cpu.cfs_period_us");
    return time > 0 && period < kUnlimited ? time / period : kUnlimited;  // version 1 writes −1 for no limit
  });
  return std::max(1, static_cast<int>(std::min(processors, std::ceil(quota))));
}

size_t availableMemory() {
  const double physical = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  return static_cast<size_t>(std::min(physical, smallestLimit("memory", [](const std::string& folder, bool v2) {
    return readNumber(folder + (v2 ? "/memory.max" : "/memory.limit_in_bytes"));
  })));
}

}  // namespace aurora::cpu
