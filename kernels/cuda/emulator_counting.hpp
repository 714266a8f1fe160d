// Hooks for a build of the emulator that counts what kernels do to memory (tests/cuda/traffic). Elsewhere they are empty.
#pragma once

namespace d16::kernels {
namespace emulated {
namespace emulator {

#ifdef D16_EMULATOR_COUNTING
inline constexpr bool counting = true;
void launch_begins(void const* kernel);
void launch_ends();
void block_ends();
/// These lanes have met: what they access from here on belongs to other requests than what they did before.
void lanes_meet(unsigned warp, unsigned lanes);
/// What the current thread asks of memory by functions of the emulator: cp.async, and a row of ldmatrix.
void count_copy(void const* to, void const* from, unsigned bytes, unsigned valid);
void count_matrix_row(void const* row);
/// While it lives, accesses are the emulator's own.
struct Uncounted {
  Uncounted();
  ~Uncounted();
};
#else
inline constexpr bool counting = false;
inline void launch_begins(void const*) {}
inline void launch_ends() {}
inline void block_ends() {}
inline void lanes_meet(unsigned, unsigned) {}
inline void count_copy(void const*, void const*, unsigned, unsigned) {}
inline void count_matrix_row(void const*) {}
struct Uncounted {
  Uncounted() {}
};
#endif

}  // namespace emulator
}  // namespace emulated
}  // namespace d16::kernels
