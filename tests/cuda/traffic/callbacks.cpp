// The functions that code compiled with -fsanitize=thread calls, in place of the sanitizer's runtime: each access is told
// to the counter, atomics are also carried out. And the memory of tensors, by the linker's --wrap.
#include "callbacks.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>

using d16::traffic::Kind;

#define D16_INSTRUCTION __builtin_return_address(0)

namespace {

/// A struct whose type is less aligned than its size, or larger than any instruction: in pieces as a GPU has them. What is
/// no longer than 16 bytes is told as a range only when it is not even aligned to 8.
void note_range(void const* pointer, size_t bytes, Kind kind, void const* instruction) {
  uintptr_t at = reinterpret_cast<uintptr_t>(pointer);
  uintptr_t const most = bytes > 16 ? 16 : 4;
  for (uintptr_t const end = at + bytes; at < end;) {
    uintptr_t piece = most;
    while (piece > 1 && (at % piece || at + piece > end)) piece /= 2;
    d16::traffic::note_access(reinterpret_cast<void const*>(at), unsigned(piece), kind, instruction);
    at += piece;
  }
}

}  // namespace

// The names are given by the compiler.
extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_atomic_thread_fence(int) { std::atomic_thread_fence(std::memory_order_seq_cst); }
void __tsan_atomic_signal_fence(int) { std::atomic_signal_fence(std::memory_order_seq_cst); }
void __tsan_read_range(void* at, unsigned long bytes) { note_range(at, bytes, Kind::read, D16_INSTRUCTION); }
void __tsan_write_range(void* at, unsigned long bytes) { note_range(at, bytes, Kind::write, D16_INSTRUCTION); }

#define D16_ACCESS(bytes)                                                                                  \
  void __tsan_read##bytes(void* at) { d16::traffic::note_access(at, bytes, Kind::read, D16_INSTRUCTION); } \
  void __tsan_write##bytes(void* at) { d16::traffic::note_access(at, bytes, Kind::write, D16_INSTRUCTION); }
D16_ACCESS(1)
D16_ACCESS(2)
D16_ACCESS(4)
D16_ACCESS(8)
D16_ACCESS(16)

#define D16_FETCH(bits, name)                                                                        \
  uint##bits##_t __tsan_atomic##bits##_fetch_##name(uint##bits##_t* at, uint##bits##_t value, int) { \
    d16::traffic::note_access(at, bits / 8, Kind::atomic, D16_INSTRUCTION);                          \
    return __atomic_fetch_##name(at, value, __ATOMIC_SEQ_CST);                                       \
  }
// A plain load begins the loop of what has no instruction of its own: what is counted is the exchange behind it.
#define D16_ATOMIC(bits)                                                                                              \
  uint##bits##_t __tsan_atomic##bits##_load(uint##bits##_t const* at, int) {                                          \
    return __atomic_load_n(at, __ATOMIC_SEQ_CST);                                                                     \
  }                                                                                                                   \
  void __tsan_atomic##bits##_store(uint##bits##_t* at, uint##bits##_t value, int) {                                   \
    d16::traffic::note_access(at, bits / 8, Kind::atomic, D16_INSTRUCTION);                                           \
    __atomic_store_n(at, value, __ATOMIC_SEQ_CST);                                                                    \
  }                                                                                                                   \
  uint##bits##_t __tsan_atomic##bits##_exchange(uint##bits##_t* at, uint##bits##_t value, int) {                      \
    d16::traffic::note_access(at, bits / 8, Kind::atomic, D16_INSTRUCTION);                                           \
    return __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST);                                                          \
  }                                                                                                                   \
  int __tsan_atomic##bits##_compare_exchange_strong(uint##bits##_t* at, uint##bits##_t* expected,                     \
                                                    uint##bits##_t value, int, int) {                                 \
    d16::traffic::note_access(at, bits / 8, Kind::atomic, D16_INSTRUCTION);                                           \
    return __atomic_compare_exchange_n(at, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);               \
  }                                                                                                                   \
  int __tsan_atomic##bits##_compare_exchange_weak(uint##bits##_t* at, uint##bits##_t* expected, uint##bits##_t value, \
                                                  int, int) {                                                         \
    d16::traffic::note_access(at, bits / 8, Kind::atomic, D16_INSTRUCTION);                                           \
    return __atomic_compare_exchange_n(at, expected, value, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                \
  }                                                                                                                   \
  D16_FETCH(bits, add) D16_FETCH(bits, sub) D16_FETCH(bits, and) D16_FETCH(bits, or) D16_FETCH(bits, xor)
D16_ATOMIC(8)
D16_ATOMIC(16)
D16_ATOMIC(32)
D16_ATOMIC(64)

// The arena of host memory, the only one to ask for 64 bytes of alignment, is the global memory of the emulated GPU.
void* __real_aligned_alloc(size_t alignment, size_t bytes);
void* __wrap_aligned_alloc(size_t alignment, size_t bytes) {
  constexpr size_t of_tensors = 64;
  return alignment == of_tensors ? d16::traffic::take_global_memory(bytes) : __real_aligned_alloc(alignment, bytes);
}
void __real_free(void* memory);
void __wrap_free(void* memory) {
  if (!d16::traffic::is_global_memory(memory)) __real_free(memory);
}

}  // extern "C"
