// The D16 convolution and its gradients against cuDNN's dense convolution of the expanded filter.
#include <string>

#include "conv_operands.hpp"
#include "group_operands.hpp"

namespace d16::bench {

namespace {

template <class E> Launcher<kernels::GroupConv2d<E>> launcher(Pass pass) {
  using namespace gpu_kernels;
  if (pass == Pass::forward) return {group_conv2d<E>, group_conv2d_work_bytes<E>};
  if (pass == Pass::data_gradient) return {group_conv2d_dx<E>, group_conv2d_dx_work_bytes<E>};
  return {group_conv2d_dw<E>, group_conv2d_dw_work_bytes<E>};
}
template <class E> void ours(benchmark::State& state, GroupShape const& shape, Pass pass, Number number) {
  GroupOperands<E> const o(shape, pass, number);
  time_launcher(state, o, launcher<E>(pass));
}

/// The filter has random numbers in all its taps: cuDNN's time does not depend on their being equivariant.
template <class T> void dense(benchmark::State& state, GroupShape const& shape, Pass pass, Number number) {
  Comparator const cudnn = cudnn_convolution(shape.dense(), pass, number);
  ConvOperands<T, T> const o(shape.dense(), pass, number, FilterOrder::channels_last);
  state.SetLabel(cudnn.about);
  time_comparator(state, o, cudnn);
}

void add(GroupShape shape, Pass pass) {
  if (machine_is_small()) shape = small(shape);
  std::string const stem = "D16 convolution/" + text(shape) + ", " + name(pass) + "/";
  for (Number number : {Number::float32, Number::tf32, Number::bf16}) {
    if (number != Number::float32 && pass == Pass::weight_gradient) continue;  // exact, of float32 features
    add_bench(stem + name(number) + (number == Number::bf16 ? "/d16, tensors in float32" : "/d16"),
              [=](benchmark::State& state) { ours<float>(state, shape, pass, number); });
  }
  add_bench(stem + name(Number::bf16) + "/d16",
            [=](benchmark::State& state) { ours<bf16>(state, shape, pass, Number::bf16); });
  for (Number number : {Number::float32, Number::tf32, Number::bf16})
    add_bench(stem + name(number) + "/cuDNN, dense", [=](benchmark::State& state) {
      number == Number::bf16 ? dense<bf16>(state, shape, pass, number) : dense<float>(state, shape, pass, number);
    });
}

}  // namespace

void add_group_convolutions() {
  constexpr int batch = 64;
  for (int order : {16, 32})
    for (GroupShape const& s : {GroupShape{12, 24, 64, order, batch}, GroupShape{24, 48, 32, order, batch},
                                GroupShape{48, 48, 32, order, batch}, GroupShape{48, 96, 16, order, batch},
                                GroupShape{96, 96, 16, order, batch}})
      for (Pass pass : {Pass::forward, Pass::data_gradient, Pass::weight_gradient}) add(s, pass);
}

}  // namespace d16::bench
