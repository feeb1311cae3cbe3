// What GCC and Clang call at every access of code that is compiled (not linked) with -fsanitize=thread: those to shared memory are shown to the
// emulator. Atomic operations become what they were; everything else is let go.
#include "hip/portable/portable.h"

namespace {

using namespace aurora::hip;

inline void touched(const void* address, size_t bytes, bool write) {
  const auto at = static_cast<size_t>(static_cast<const std::byte*>(address) - emulator::current.shared);
  if (at < emulator::current.sharedBytes) emulator::touch(at, bytes, write);
}

}  // namespace

#define AURORA_HOOK extern "C" __attribute__((visibility("hidden")))

AURORA_HOOK void __tsan_init() {}
AURORA_HOOK void __tsan_func_entry(void*) {}
AURORA_HOOK void __tsan_func_exit() {}
AURORA_HOOK void __tsan_vptr_update(void**, void*) {}
AURORA_HOOK void __tsan_vptr_read(void**) {}
AURORA_HOOK void __tsan_read_range(void* p, size_t bytes) { touched(p, bytes, false); }
AURORA_HOOK void __tsan_write_range(void* p, size_t bytes) { touched(p, bytes, true); }
AURORA_HOOK void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

#define AURORA_ACCESS(bytes)                                                  \
  AURORA_HOOK void __tsan_read##bytes(void* p) { touched(p, bytes, false); }  \
  AURORA_HOOK void __tsan_write##bytes(void* p) { touched(p, bytes, true); }
AURORA_ACCESS(1)
AURORA_ACCESS(2)
AURORA_ACCESS(4)
AURORA_ACCESS(8)
AURORA_ACCESS(16)
#define AURORA_UNALIGNED(bytes)                                                          \
  AURORA_HOOK void __tsan_unaligned_read##bytes(void* p) { touched(p, bytes, false); }  \
  AURORA_HOOK void __tsan_unaligned_write##bytes(void* p) { touched(p, bytes, true); }
AURORA_UNALIGNED(2)
AURORA_UNALIGNED(4)
AURORA_UNALIGNED(8)
AURORA_UNALIGNED(16)

#define AURORA_ATOMIC(bits)                                                                                                                        \
  using Word##bits = uint##bits##_t;                                                                                                               \
  AURORA_HOOK Word##bits __tsan_atomic##bits##_load(const volatile Word##bits* p, int) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); }            \
  AURORA_HOOK void __tsan_atomic##bits##_store(volatile Word##bits* p, Word##bits v, int) { __atomic_store_n(p, v, __ATOMIC_SEQ_CST); }            \
  AURORA_HOOK Word##bits __tsan_atomic##bits##_exchange(volatile Word##bits* p, Word##bits v, int) {                                              \
    return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                                                                                            \
  }                                                                                                                                                \
  AURORA_HOOK Word##bits __tsan_atomic##bits##_fetch_add(volatile Word##bits* p, Word##bits v, int) {                                             \
    return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST);                                                                                             \
  }                                                                                                                                                \
  AURORA_HOOK Word##bits __tsan_atomic##bits##_fetch_sub(volatile Word##bits* p, Word##bits v, int) {                                             \
    return __atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST);                                                                                             \
  }                                                                                                                                                \
  AURORA_HOOK int __tsan_atomic##bits##_compare_exchange_strong(volatile Word##bits* p, Word##bits* expected, Word##bits v, int, int) {           \
    return __atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                                                 \
  }                                                                                                                                                \
  AURORA_HOOK int __tsan_atomic##bits##_compare_exchange_weak(volatile Word##bits* p, Word##bits* expected, Word##bits v, int, int) {             \
    return __atomic_compare_exchange_n(p, expected, v, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                                                  \
  }
AURORA_ATOMIC(8)
AURORA_ATOMIC(32)
AURORA_ATOMIC(64)
