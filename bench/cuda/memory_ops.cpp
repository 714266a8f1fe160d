// The ops that memory bounds, through tensors as a network calls them: time, and bytes/s against the card's copy.
#include "../memory_ops.hpp"

#include <stdexcept>

#include "harness.hpp"

namespace d16::bench {

namespace {

int64_t batch() { return machine_is_small() ? 1 : 256; }  // 128 MiB for each tensor of images

struct Clock {
  Device device;
  /// Milliseconds of the device for what f asks of it.
  template <class F> double milliseconds(F const& f) const {
    if (!device.is_host()) cuda_machine.start_clock(device.index);
    double const start = d16::detail::clock_milliseconds();
    f();
    return device.is_host() ? d16::detail::clock_milliseconds() - start : cuda_machine.stop_clock(device.index);
  }
};

std::vector<Tensor> leaves_of(std::vector<Tensor> const& inputs, MemoryOp const& op) {
  std::vector<Tensor> leaves;
  for (Tensor const& x : inputs) {
    leaves.push_back(x.detach());
    if (x.dtype() == DType::f32 && op.op() != "argmax") leaves.back().set_requires_grad();
  }
  return leaves;
}

/// The largest difference from the CPU, as a part of the largest value; both draw the same numbers.
double error_of(MemoryOp const& op, std::vector<Tensor> const& inputs) {
  std::vector<Tensor> here;
  for (Tensor const& x : inputs) here.push_back(x.to("cpu"));
  auto result = [&](std::vector<Tensor> const& of) {
    manual_seed(1);
    return op.run(of).to("cpu").cast(DType::f64).contiguous();
  };
  Tensor const got = result(inputs), expected = result(here);
  double const error = max(abs(got - expected)).item() / max(abs(expected)).item();
  if (!(error <= 1e-4)) throw std::runtime_error("wrong result: its error is " + std::to_string(error));
  return error;
}

void time(benchmark::State& state, MemoryOp const& op, bool backward) {
  Clock const clock{use_machine()};
  std::vector<Tensor> const inputs = op.inputs(clock.device);
  state.counters["error"] = error_of(op, inputs);
  constexpr int times = 10;  // of which the device sees one after the other
  double milliseconds = 0;
  for (auto _ : state) {
    double spent = 0;
    if (backward) {
      for (int i = 0; i < times; ++i) {
        Tensor const y = op.run(leaves_of(inputs, op)), dy = ones(y.shape(), y.like());
        spent += clock.milliseconds([&] { y.backward(dy); });
      }
    } else {
      std::vector<Tensor> const leaves = leaves_of(inputs, op);
      spent = clock.milliseconds([&] {
        for (int i = 0; i < times; ++i) op.run(leaves);
      });
    }
    state.SetIterationTime(1e-3 * spent / times);
    milliseconds += spent / times;
  }
  double const seconds = 1e-3 * milliseconds / double(state.iterations());
  double const rate = 4 * double(inputs[0].numel()) * (backward ? op.backward : op.forward) / seconds;
  state.counters["us"] = 1e6 * seconds;
  state.counters["GB/s"] = 1e-9 * rate;
  state.counters["%bandwidth"] = 100 * rate / copy_rate();
}

}  // namespace

void add_memory_ops() {
  for (MemoryOp const& op : memory_ops(batch()))
    for (bool backward : {false, true}) {
      if (backward && op.backward == 0) continue;
      add_bench("memory/" + op.name + (backward ? ", backward" : "") + "/float32/d16",
                [=](benchmark::State& state) { time(state, op, backward); });
    }
}

}  // namespace d16::bench
