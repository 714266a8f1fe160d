// The steps of both ladders, for the GPU benches.
#include <d16/kernels/ladder/dense.hpp>
#include <d16/kernels/ladder/group.hpp>

#include "kernels.hpp"

namespace d16::bench {

std::vector<Step<kernels::Conv2d<float>>> dense_ladder() {
  using kernels::Precision;
  std::vector<Step<kernels::Conv2d<float>>> steps;
  for (auto const& s : gpu_kernels::ladder::dense_steps) {
    Number const number = s.precision == Precision::float32 ? Number::float32
                          : s.precision == Precision::tf32  ? Number::tf32
                                                            : Number::bf16;
    steps.push_back({s.name, {s.run, s.work_bytes}, number});
  }
  return steps;
}

std::vector<Step<kernels::GroupConv2d<float>>> group_ladder() {
  constexpr double rounding_of_tf32 = 0x1p-11;
  std::vector<Step<kernels::GroupConv2d<float>>> steps;
  for (auto const& s : gpu_kernels::ladder::group_steps) {
    Number const number = s.roundings == 0 ? Number::float32 : s.unit == rounding_of_tf32 ? Number::tf32 : Number::bf16;
    steps.push_back({s.name, {s.run, s.work_bytes}, number});
  }
  return steps;
}

}  // namespace d16::bench
