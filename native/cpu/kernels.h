// The CPU kernels' door. Every file in cpu/<family>/ is compiled once for each instruction set, into a namespace of its own
// (AURORA_ISA: generic, avx2, avx512, avx512bf16), and table.cpp there collects them into one KernelTable. backend.cpp picks a table at
// run time. A kernel runs on the stream's executor thread and may use the whole pool.
#pragma once

#include <cstdint>
#include <string>

#include "core/backend.h"
#include "cpu/scratch.h"
#include "cpu/thread_pool.h"

namespace aurora::cpu {

struct Context {
  ThreadPool& pool;
  Scratch& scratch;
  Stream& stream;            // for fail()
  const char* operation;     // its name, for errors
  const std::string& stack;  // names the caller's JavaScript stack, or ""

  void fail(const char* code, std::string expected, std::string found) {
    stream.fail({code, operation, std::move(expected), std::move(found), stack});
  }
};

/// One function for each operation, with the contract of core/backend.h; arguments have been checked.
struct KernelTable {
  const char* instructionSet;
#define AURORA_OPERATION(method, Args) void (*method)(Context&, const Args&);
#include "core/operations.inc"
#undef AURORA_OPERATION
  void (*write)(Context&, const View& y, const void* host, WireType type);
  void (*read)(Context&, const View& x, void* host, WireType type);
};

}  // namespace aurora::cpu

// Inside kernel files: declares the kernels of this compilation's instruction set.
#ifdef AURORA_ISA
namespace aurora::cpu::AURORA_ISA {
#define AURORA_OPERATION(method, Args) void method(Context&, const Args&);
#include "core/operations.inc"
#undef AURORA_OPERATION
void write(Context&, const View& y, const void* host, WireType type);
void read(Context&, const View& x, void* host, WireType type);
}  // namespace aurora::cpu::AURORA_ISA
#endif
