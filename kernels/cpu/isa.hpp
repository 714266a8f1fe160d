// The instruction sets that CPU kernels are compiled for, and the choice among them at run time by CPUID.
// A body never depends on compiler flags: each instruction set has its own function with a target attribute, so
// objects built with different flags can be linked together without one borrowing the other's code.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

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

enum class Isa { baseline, avx2, avx512 };

inline char const* isa_name(Isa isa) { return isa == Isa::avx512 ? "avx512" : isa == Isa::avx2 ? "avx2" : "baseline"; }

/// The best instruction set of this machine; the environment variable D16_ISA (baseline, avx2, avx512) lowers it.
inline Isa best_isa() {
  static Isa const best = [] {
    Isa found = Isa::baseline;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) found = Isa::avx2;
    if (found == Isa::avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
      found = Isa::avx512;
#endif
    if (char const* asked = std::getenv("D16_ISA"))
      for (Isa lower : {Isa::baseline, Isa::avx2})
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
    case Isa::avx512: return detail::loop_avx512(begin, end, body);
    case Isa::avx2: return detail::loop_avx2(begin, end, body);
    case Isa::baseline: return detail::loop_baseline(begin, end, body);
  }
}

}  // namespace d16::kernels::cpu
