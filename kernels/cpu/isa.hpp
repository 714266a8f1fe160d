// The instruction sets that CPU kernels are compiled for, and the choice among them at run time by CPUID.
// A body never depends on compiler flags: each instruction set has its own function with a target attribute, so
// objects built with different flags can be linked together without one borrowing the other's code.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#if defined(__x86_64__)
#define D16_TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define D16_TARGET_AVX2 __attribute__((target("avx2,fma")))
#else
#define D16_TARGET_AVX512
#define D16_TARGET_AVX2
#endif
/// For small bodies that must become part of the function with the target attribute.
#define D16_INLINE __attribute__((always_inline)) inline

namespace d16::kernels::cpu {

/// Each has what those before it have. amx is a unit that multiplies 16 x 32 by 32 x 16 bfloat16 numbers at a time.
enum class Isa { baseline, avx2, avx512, amx };

inline char const* isa_name(Isa isa) {
  constexpr char const* names[] = {"baseline", "avx2", "avx512", "amx"};
  return names[int(isa)];
}

namespace detail {
/// Whether there is a matrix unit for bfloat16, and the kernel lets this process use it: its registers are so large that
/// a process has to ask first (Linux 5.16, arch_prctl ARCH_REQ_XCOMP_PERM for state 18).
inline bool may_use_matrix_unit() {
#if defined(__x86_64__) && defined(__linux__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  bool const bfloat16 = d >> 22 & 1, tiles = d >> 24 & 1;
  if (!bfloat16 || !tiles) return false;
  long status = 158;  // arch_prctl, by hand: unistd.h would bring its names to everybody
  asm volatile("syscall" : "+a"(status) : "D"(0x1023L), "S"(18L) : "rcx", "r11", "memory");
  return status == 0;
#else
  return false;
#endif
}
}  // namespace detail

/// The vectors of an instruction set, to index tables: the matrix unit has those of AVX-512.
constexpr int vectors_of(Isa isa) { return int(isa < Isa::amx ? isa : Isa::avx512); }

/// The best instruction set of this machine; the environment variable D16_ISA (baseline, avx2, avx512)
/// lowers it.
inline Isa best_isa() {
  static Isa const best = [] {
    Isa found = Isa::baseline;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) found = Isa::avx2;
    if (found == Isa::avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
      found = detail::may_use_matrix_unit() ? Isa::amx : Isa::avx512;
#endif
    if (char const* asked = std::getenv("D16_ISA"))
      for (Isa lower : {Isa::baseline, Isa::avx2, Isa::avx512})
        if (std::strcmp(asked, isa_name(lower)) == 0 && lower < found) found = lower;
    return found;
  }();
  return best;
}

namespace detail {
template <class F> D16_TARGET_AVX512 void loop_avx512(int64_t begin, int64_t end, F const& body) {
  for (int64_t i = begin; i < end; ++i) body(i);
}
template <class F> D16_TARGET_AVX2 void loop_avx2(int64_t begin, int64_t end, F const& body) {
  for (int64_t i = begin; i < end; ++i) body(i);
}
template <class F> void loop_baseline(int64_t begin, int64_t end, F const& body) {
  for (int64_t i = begin; i < end; ++i) body(i);
}
}  // namespace detail

/// body(i) for i in [begin, end), compiled once per instruction set so that the compiler vectorises it for each.
/// The body must be inlined: mark a lambda  [=](int64_t i) __attribute__((always_inline)) { ... }.
template <class F> void simd_for(int64_t begin, int64_t end, F const& body) {
  switch (best_isa()) {
    case Isa::amx:
    case Isa::avx512: return detail::loop_avx512(begin, end, body);
    case Isa::avx2: return detail::loop_avx2(begin, end, body);
    case Isa::baseline: return detail::loop_baseline(begin, end, body);
  }
}

}  // namespace d16::kernels::cpu
