// LossMeter: the mean of losses, added up on their device; the host waits for them when it asks and not before.
#pragma once
#include <cstring>

#include "../core/dispatch.hpp"
#include "../core/tensor.hpp"
#include "../kernels/reference/meter.hpp"

namespace d16::optim {

template <class T> constinit Slot<kernels::Meter<T>> meter_slot{
    "meter", {kernels::reference::meter<T>}, {kernels::reference::meter<T>}, {}, {}};

/// LossMeter meter(device);  for (...) meter.add(loss);  meter.read().mean()
class LossMeter {
 public:
  explicit LossMeter(Device device) : state_(zeros({size}, {.dtype = DType::f64, .device = device})) {}

  /// Errors   ShapeError unless the loss is one number; DeviceError unless it is on the meter's device.
  void add(Tensor const& loss) {
    require<ShapeError>(loss.numel() == 1, "LossMeter: the loss is ", loss.shape(), "; it is one number");
    require<DeviceError>(loss.device() == state_.device(), "LossMeter: the loss is on ", loss.device(),
                         ", the meter on ", state_.device());
    for_float(loss.dtype(), [&]<class T>(T) {
      auto* const state = reinterpret_cast<kernels::MeterState*>(state_.data<double>());
      run(meter_slot<T>, loss.device(), kernels::Meter<T>{loss.data<T>(), state});
    });
  }
  struct Reading : kernels::MeterState {
    double mean() const { return sum / count; }  ///< of the finite ones; NaN when there were none
  };
  /// Of a GPU the host waits for all that was added.
  Reading read() const {
    not_in_a_captured_step("LossMeter::read()", "read it after the step has returned");
    Reading out;
    kernels::MeterState& all = out;
    copy_bytes(Device(), &all, state_.device(), state_.data<double>(), sizeof all);
    return out;
  }

 private:
  static constexpr int64_t size = sizeof(kernels::MeterState) / sizeof(double);
  static_assert(size * sizeof(double) == sizeof(kernels::MeterState));
  Tensor state_;
};

}  // namespace d16::optim
