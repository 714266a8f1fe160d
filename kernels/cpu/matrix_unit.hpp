// The matrix unit of a CPU: eight tile registers of 16 rows of 64 bytes, and one instruction that multiplies them.
#pragma once
#include <cstdint>

#include "isa.hpp"

namespace d16::kernels::cpu::detail {

/// The configuration of the tile registers while it lives: registers 0 to `last_row_tile` have `rows` rows, the others
/// 16. Without it a thread has no tile registers, and the operating system none to save.
class MatrixUnit {
 public:
  MatrixUnit(int rows, int last_row_tile) {
    struct alignas(64) {
      uint8_t palette = 1, start = 0, reserved[14] = {};
      uint16_t bytes_of_row[16] = {};
      uint8_t rows[16] = {};
    } layout;
    for (int i = 0; i < 8; ++i) {
      layout.bytes_of_row[i] = 64;
      layout.rows[i] = uint8_t(i <= last_row_tile ? rows : 16);
    }
#if defined(__x86_64__)
    asm volatile("ldtilecfg %0" ::"m"(layout));
#endif
  }
  ~MatrixUnit() {
#if defined(__x86_64__)
    asm volatile("tilerelease");
#endif
  }
  MatrixUnit(MatrixUnit const&) = delete;
  MatrixUnit& operator=(MatrixUnit const&) = delete;
};

/// Register t from or to memory, rows `step` bytes apart.
template <int t> D16_INLINE void tile_load([[maybe_unused]] void const* from, [[maybe_unused]] int64_t step) {
#if defined(__x86_64__)
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(step), "i"(t) : "memory");
#endif
}
template <int t> D16_INLINE void tile_store([[maybe_unused]] void* to, [[maybe_unused]] int64_t step) {
#if defined(__x86_64__)
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(step), "i"(t) : "memory");
#endif
}
template <int t> D16_INLINE void tile_zero() {
#if defined(__x86_64__)
  asm volatile("tilezero %%tmm%c0" ::"i"(t));
#endif
}
/// c[row][column] += sum over k < 32 of a[row][k] b[k / 2][2 column + k % 2]: a and b bfloat16, c float32.
template <int c, int a, int b> D16_INLINE void tile_multiply() {
#if defined(__x86_64__)
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(c), "i"(a), "i"(b));
#endif
}

}  // namespace d16::kernels::cpu::detail
