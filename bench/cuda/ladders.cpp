// The ladders of kernels/ladder, step by step, and the library's kernel as a mark beside the last.
#include <string>

#include "conv_operands.hpp"
#include "group_operands.hpp"

namespace d16::bench {

namespace {

void add_dense_ladder() {
  ConvShape shape{64, 64, 64, 64, 3, 1};
  if (machine_is_small()) shape = small(shape);
  std::string const stem = "ladder/dense, " + text(shape) + "/";
  for (auto const& step : dense_ladder())
    add_bench(stem + name(step.number) + "/" + step.name, [=](benchmark::State& state) {
      ConvOperands<float, float> const o(shape, Pass::forward, step.number, FilterOrder::channels_first);
      time_launcher(state, o, step.launcher);
    });
  add_bench(stem + "bf16/cuDNN, tensors in bf16 too", [=](benchmark::State& state) {
    Comparator const cudnn = cudnn_convolution(shape, Pass::forward, Number::bf16);
    ConvOperands<bf16, bf16> const o(shape, Pass::forward, Number::bf16, FilterOrder::channels_last);
    time_comparator(state, o, cudnn);
  });
}

/// Eight images: the first steps need a second for more.
void add_group_ladder() {
  GroupShape shape{24, 48, 32, 16, 8};
  if (machine_is_small()) shape = small(shape);
  std::string const stem = "ladder/D16, " + text(shape) + "/";
  for (auto const& step : group_ladder())
    add_bench(stem + name(step.number) + "/" + step.name, [=](benchmark::State& state) {
      GroupOperands<float> const o(shape, Pass::forward, step.number);
      time_launcher(state, o, step.launcher);
    });
}

}  // namespace

void add_ladders() {
  add_dense_ladder();
  add_group_ladder();
}

}  // namespace d16::bench
