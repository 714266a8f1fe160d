// What a CUDA graph is on the emulator: launches and clears with their arguments, kept to be done again in their order.
#pragma once
#include <functional>
#include <tuple>
#include <utility>
#include <vector>

#include "emulator.hpp"

namespace d16::kernels {
namespace emulated {
namespace emulator {

/// As in CUDA nothing is done while it is recorded, and a replay finds arguments and addresses as they were then.
using Recorded = std::vector<std::function<void()>>;

/// Where the launches of this thread are recorded; null: they are done.
inline Recorded*& recorded() {
  static thread_local Recorded* list = nullptr;
  return list;
}

/// launch(), now or in each replay.
template <class... P, class... A>
void launch_or_record(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes, A&&... args) {
  if (!recorded()) return launch(kernel, grid, block, shared_bytes, std::forward<A>(args)...);
  recorded()->push_back([=, all = std::tuple<P...>(static_cast<P>(args)...)] {
    std::apply([&](auto const&... each) { launch(kernel, grid, block, shared_bytes, each...); }, all);
  });
}
inline void do_or_record(std::function<void()> action) {
  if (recorded()) recorded()->push_back(std::move(action));
  else action();
}

}  // namespace emulator
}  // namespace emulated
}  // namespace d16::kernels
