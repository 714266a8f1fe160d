// For kernel tests that run on a GPU: the emulator's settings, which mean nothing there. A test that asks for an order of the
// threads just runs once more, in the order that the GPU takes.
#pragma once
#include <cstdint>

namespace d16::kernels::emulator {

struct Settings {
  enum class Order { forward, reverse, random } order{};
  uint64_t seed = 0;
  bool late = true, strict = true;
};
inline Settings& settings() {
  static Settings settings;
  return settings;
}

}  // namespace d16::kernels::emulator
