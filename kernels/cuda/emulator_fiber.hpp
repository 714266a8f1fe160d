// Fibers for the CUDA emulator: stacks that one OS thread switches between, and what the sanitizers are told.
#pragma once
#include <sys/mman.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define D16_EMULATOR_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define D16_EMULATOR_ASAN 1
#endif
#endif
#if defined(D16_EMULATOR_COUNTING)  // instrumented as for TSan, but others watch: emulator_counting.hpp
#elif defined(__SANITIZE_THREAD__)
#define D16_EMULATOR_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define D16_EMULATOR_TSAN 1
#endif
#endif

#ifdef D16_EMULATOR_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef D16_EMULATOR_TSAN
extern "C" {
void* __tsan_create_fiber(unsigned);
void __tsan_destroy_fiber(void*);
void __tsan_switch_to_fiber(void*, unsigned);
void* __tsan_get_current_fiber();
void __tsan_read_range(void*, unsigned long);
void __tsan_write_range(void*, unsigned long);
void __tsan_acquire(void*);
void __tsan_release(void*);
void AnnotateIgnoreReadsBegin(char const*, int);
void AnnotateIgnoreReadsEnd(char const*, int);
void AnnotateIgnoreWritesBegin(char const*, int);
void AnnotateIgnoreWritesEnd(char const*, int);
}
#endif

namespace d16::kernels {
namespace emulated {
namespace emulator {

// What TSan is told. A CUDA thread is a TSan thread, and only what orders CUDA threads may order them there: the
// barrier below calls release() and acquire(), a switch of fibers orders nothing, and the emulator's own books are kept
// in Quiet.
#ifdef D16_EMULATOR_TSAN
struct Quiet {
  Quiet() {
    AnnotateIgnoreReadsBegin(__FILE__, 0);
    AnnotateIgnoreWritesBegin(__FILE__, 0);
  }
  ~Quiet() {
    AnnotateIgnoreWritesEnd(__FILE__, 0);
    AnnotateIgnoreReadsEnd(__FILE__, 0);
  }
};
inline void release(void* at) { __tsan_release(at); }
inline void acquire(void* at) { __tsan_acquire(at); }
inline void note_read(void const* at, size_t bytes) { __tsan_read_range(const_cast<void*>(at), bytes); }
inline void note_write(void* at, size_t bytes) { __tsan_write_range(at, bytes); }
inline constexpr bool tsan = true;
#else
struct Quiet {
  Quiet() {}
};
inline void release(void*) {}
inline void acquire(void*) {}
inline void note_read(void const*, size_t) {}
inline void note_write(void*, size_t) {}
inline constexpr bool tsan = false;
#endif

#ifdef D16_EMULATOR_ASAN
inline void poison(void* at, size_t bytes) { __asan_poison_memory_region(at, bytes); }
inline void unpoison(void* at, size_t bytes) { __asan_unpoison_memory_region(at, bytes); }
inline constexpr bool asan = true;
#else
inline void poison(void*, size_t) {}
inline void unpoison(void*, size_t) {}
inline constexpr bool asan = false;
#endif

/// A stack and where it stopped. The worker's own context is one too, without a stack of ours.
struct Fiber {
  static constexpr size_t stack_bytes = size_t(asan ? 1024 : 256) << 10;  // red zones around locals need room
  static constexpr size_t guard_bytes = 4096;

  void* stopped_at = nullptr;
  char* memory = nullptr;
  void *asan_stack = nullptr, *tsan_fiber = nullptr;
  void const* bottom = nullptr;  ///< ASan wants the bounds of a stack; the worker's own are learnt at the first switch
  size_t size = 0;
#if !defined(__x86_64__)
  ucontext_t context;
#endif
};

#if defined(__x86_64__)
__attribute__((naked, noinline)) inline void swap_stacks(void** /*from*/, void* /*to*/) {
  asm volatile(
      "pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15; movq %rsp,(%rdi);"
      "movq %rsi,%rsp; popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp; ret");
}
#endif

/// Goes on where `to` stopped; returns when somebody switches back. With `leaves_for_good` nobody may.
#ifdef D16_EMULATOR_TSAN
__attribute__((no_sanitize("thread"), noinline))
#endif
inline void
switch_fiber(Fiber* from, Fiber* to, [[maybe_unused]] bool leaves_for_good = false) {
#ifdef D16_EMULATOR_ASAN
  __sanitizer_start_switch_fiber(leaves_for_good ? nullptr : &from->asan_stack, to->bottom, to->size);
#endif
#ifdef D16_EMULATOR_TSAN
  constexpr unsigned without_order = 1;
  __tsan_switch_to_fiber(to->tsan_fiber, without_order);
#endif
#if defined(__x86_64__)
  swap_stacks(&from->stopped_at, to->stopped_at);
#else
  swapcontext(&from->context, &to->context);
#endif
#ifdef D16_EMULATOR_ASAN
  __sanitizer_finish_switch_fiber(from->asan_stack, nullptr, nullptr);
#endif
}

/// A fiber that will begin with entry(), which must not return. A page below the stack catches its overflow.
inline Fiber* new_fiber(void (*entry)()) {
  void* const memory = mmap(nullptr, Fiber::stack_bytes + Fiber::guard_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  Fiber* const fiber = new Fiber;
  fiber->memory = static_cast<char*>(memory);
  mprotect(fiber->memory, Fiber::guard_bytes, PROT_NONE);
  fiber->bottom = fiber->memory + Fiber::guard_bytes;
  fiber->size = Fiber::stack_bytes;
#ifdef D16_EMULATOR_TSAN
  fiber->tsan_fiber = __tsan_create_fiber(0);
#endif
#if defined(__x86_64__)
  static std::atomic<unsigned> count{0};  // tops are staggered: hot frames would share the same sets of the cache
  char* const top = fiber->memory + Fiber::guard_bytes + Fiber::stack_bytes - 64 * (count++ % 63) - 64;
  void** slot = reinterpret_cast<void**>(top);
  *--slot = nullptr;  // a return address of 0 ends a debugger's backtrace
  *--slot = reinterpret_cast<void*>(entry);
  constexpr int saved_registers = 6;
  for (int i = 0; i < saved_registers; ++i) *--slot = nullptr;
  fiber->stopped_at = slot;
#else
  getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp = fiber->memory + Fiber::guard_bytes;
  fiber->context.uc_stack.ss_size = Fiber::stack_bytes;
  makecontext(&fiber->context, entry, 0);
#endif
  return fiber;
}

/// A fiber that stopped in the middle is lost to TSan, which does not let a thread end inside of Quiet.
inline void free_fiber(Fiber* fiber, [[maybe_unused]] bool has_ended = true) {
#ifdef D16_EMULATOR_TSAN
  if (has_ended) __tsan_destroy_fiber(fiber->tsan_fiber);
#endif
  unpoison(fiber->memory + Fiber::guard_bytes, Fiber::stack_bytes);
  munmap(fiber->memory, Fiber::stack_bytes + Fiber::guard_bytes);
  delete fiber;
}

}  // namespace emulator
}  // namespace emulated
}  // namespace d16::kernels
