// NCCL, or AMD's RCCL, whose functions have the same names: opened when the first group of GPUs is begun. Nothing of theirs is needed to build.
#pragma once

#include <string>
#include <vector>

#include "core/modules.h"

namespace aurora::hip {

/// The few functions that are used, with enumerations as integers; they have been the same in all versions 2.
struct Nccl {
  using Comm = void*;
  struct Id {
    char bytes[128];
  };
  enum Type { u8 = 1, i32 = 2, f32 = 7, bf16 = 9 };
  enum Operation { sum = 0, max = 2 };
  static constexpr int kSuccess = 0, kInProgress = 7;

  ModuleLibrary described;
  bool found = false;

  int (*getUniqueId)(Id*) = nullptr;
  int (*commInitRank)(Comm*, int size, Id, int rank) = nullptr;
  int (*commDestroy)(Comm) = nullptr;
  int (*commAbort)(Comm) = nullptr;
  int (*commGetAsyncError)(Comm, int*) = nullptr;
  const char* (*getErrorString)(int) = nullptr;
  int (*allReduce)(const void* x, void* y, size_t count, int type, int operation, Comm, void* stream) = nullptr;
  int (*allGather)(const void* x, void* y, size_t count, int type, Comm, void* stream) = nullptr;
  int (*reduceScatter)(const void* x, void* y, size_t count, int type, int operation, Comm, void* stream) = nullptr;
  int (*broadcast)(const void* x, void* y, size_t count, int type, int root, Comm, void* stream) = nullptr;
  int (*send)(const void* x, size_t count, int type, int to, Comm, void* stream) = nullptr;
  int (*receive)(void* y, size_t count, int type, int from, Comm, void* stream) = nullptr;
};

/// Of the files, the first that the loader finds.
Nccl openNccl(const std::vector<const char*>& files);
/// This build's vendor's, opened once.
const Nccl& nccl();

}  // namespace aurora::hip
