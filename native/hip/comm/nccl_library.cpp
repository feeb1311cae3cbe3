#include "hip/comm/nccl_library.h"

#include "hip/portable/library.h"

namespace aurora::hip {
namespace {

#if defined(AURORA_EMULATOR)
constexpr const char* kName = "NCCL";
const std::vector<const char*> kFiles;
#elif defined(__HIP__)
constexpr const char* kName = "RCCL";
const std::vector<const char*> kFiles = {"librccl.so.1", "librccl.so", "/opt/rocm/lib/librccl.so"};
#else
constexpr const char* kName = "NCCL";
const std::vector<const char*> kFiles = {"libnccl.so.2", "libnccl.so", "/usr/local/cuda/lib64/libnccl.so.2"};
#endif

/// 21903: 2.19.3; before 2.9 it was 2804: 2.8.4.
std::string versionText(int code) {
  const int major = code < 10000 ? code / 1000 : code / 10000, minor = code < 10000 ? code / 100 % 10 : code / 100 % 100;
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(code % 100);
}

}  // namespace

Nccl openNccl(const std::vector<const char*>& files) {
  Nccl nccl;
  nccl.described.name = kName;
  const DynamicLibrary library(files);
  nccl.described.error = library.error();
  if (!library) return nccl;
  const bool complete = library.function(nccl.getUniqueId, "ncclGetUniqueId") && library.function(nccl.commInitRank, "ncclCommInitRank") &&
                        library.function(nccl.commDestroy, "ncclCommDestroy") && library.function(nccl.commAbort, "ncclCommAbort") &&
                        library.function(nccl.commGetAsyncError, "ncclCommGetAsyncError") && library.function(nccl.getErrorString, "ncclGetErrorString") &&
                        library.function(nccl.allReduce, "ncclAllReduce") && library.function(nccl.allGather, "ncclAllGather") &&
                        library.function(nccl.reduceScatter, "ncclReduceScatter") && library.function(nccl.broadcast, "ncclBroadcast") &&
                        library.function(nccl.send, "ncclSend") && library.function(nccl.receive, "ncclRecv");
  const std::string path = library.path();
  if (!complete)
    nccl.described.error = "it lacks functions that are needed (2.7 has all)";
  else if (DynamicLibrary::twoRuntimes())
    nccl.described.error = path + " brings another HIP run-time than the module's";
  if (!nccl.described.error.empty()) return nccl;
  int (*version)(int*) = nullptr;
  int code = 0;
  if (library.function(version, "ncclGetVersion") && version(&code) == Nccl::kSuccess) nccl.described.version = versionText(code);
  nccl.described.path = path;
  nccl.found = true;
  return nccl;
}

const Nccl& nccl() {
  static const Nccl opened = openNccl(kFiles);
  return opened;
}

}  // namespace aurora::hip
