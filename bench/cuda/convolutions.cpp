// The planar convolution and its gradients against cuDNN.
#include <string>

#include "conv_operands.hpp"

namespace d16::bench {

namespace {

template <class T> Launcher<kernels::Conv2d<T>> launcher(Pass pass) {
  using namespace gpu_kernels;
  if (pass == Pass::forward) return {conv2d<T>, conv2d_work_bytes<T>};
  if (pass == Pass::data_gradient) return {conv2d_dx<T>, conv2d_dx_work_bytes<T>};
  return {conv2d_dw<T>, conv2d_dw_work_bytes<T>};
}

template <class T> void ours(benchmark::State& state, ConvShape const& shape, Pass pass, Number number) {
  ConvOperands<T, kernels::Wide<T>> const o(shape, pass, number, FilterOrder::channels_first);
  time_launcher(state, o, launcher<T>(pass));
}

template <class T> void theirs(benchmark::State& state, ConvShape const& shape, Pass pass, Number number) {
  Comparator const cudnn = cudnn_convolution(shape, pass, number);
  ConvOperands<T, T> const o(shape, pass, number, FilterOrder::channels_last);
  state.SetLabel(cudnn.about);
  time_comparator(state, o, cudnn);
}

template <class T> void add(ConvShape shape, Pass pass, Number number) {
  if (machine_is_small()) shape = small(shape);
  std::string const stem = "convolutions/" + text(shape) + ", " + name(pass) + "/" + name(number) + "/";
  add_bench(stem + "d16", [=](benchmark::State& state) { ours<T>(state, shape, pass, number); });
  add_bench(stem + "cuDNN", [=](benchmark::State& state) { theirs<T>(state, shape, pass, number); });
}

}  // namespace

void add_convolutions() {
  for (ConvShape const& s :
       {ConvShape{64, 64, 32, 32, 3, 1}, ConvShape{64, 64, 64, 64, 3, 1}, ConvShape{64, 32, 128, 128, 3, 1},
        ConvShape{64, 16, 256, 256, 3, 1}, ConvShape{64, 64, 24, 64, 5, 1}, ConvShape{64, 32, 64, 128, 3, 2},
        ConvShape{64, 32, 64, 256, 1, 1}})
    for (Pass pass : {Pass::forward, Pass::data_gradient, Pass::weight_gradient}) {
      add<float>(s, pass, Number::float32);
      add<float>(s, pass, Number::tf32);
      add<bf16>(s, pass, Number::bf16);
    }
}

}  // namespace d16::bench
