// A meter on a GPU: one thread.
#pragma once
#include <cfloat>
#include <cmath>

#include "../meter.hpp"
#include "gpu.hpp"

namespace d16::kernels {
namespace D16_GPU {

template <class T> __global__ void meter_kernel(T const* at, MeterState* state) {
  double const value = double(at[0]);
  if (std::abs(value) <= DBL_MAX) {
    state->sum += value, state->count += 1;
    return;
  }
  state->bad += 1;
  if (state->bad == 1) state->first_bad = state->count + 1, state->first_value = value;
}

template <class T> int meter(Meter<T> const& a) {
  return gpu::launch(meter_kernel<T>, dim3(1), dim3(1), 0, gpu::current_stream(), a.value, a.state);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
