// Numbers too small for the normal format slow a product down a hundredfold, and mean nothing in a sum of larger ones.
#pragma once

namespace d16::kernels::cpu {

/// While it lives, numbers of this thread below 1.2e-38 (2.2e-308 in double) count as zero. The edge of a soft mask is
/// full of them, and every vector with one in it takes the processor's slow way: measured five times the time of a
/// whole layer for a fifth of a percent of such pixels.
class FlushDenormals {
 public:
#if defined(__x86_64__)
  FlushDenormals() : before_(__builtin_ia32_stmxcsr()) { __builtin_ia32_ldmxcsr(before_ | 0x8040); }
  ~FlushDenormals() { __builtin_ia32_ldmxcsr(before_); }
  FlushDenormals(FlushDenormals const&) = delete;
  FlushDenormals& operator=(FlushDenormals const&) = delete;

 private:
  unsigned before_;
#else
  FlushDenormals() {}
#endif
};

}  // namespace d16::kernels::cpu
