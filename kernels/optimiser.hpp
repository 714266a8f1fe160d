// What the steps of all optimisers share: where the parameters lie, and the numbers that change from step to step.
#pragma once
#include <cstdint>

#include "view.hpp"

namespace d16::kernels {

/// What a step depends on besides gradients and averages. It lies in memory of the optimiser's device, so that a step
/// that was recorded once finds new numbers there in each replay. All double: the host sees it as a tensor.
struct StepState {
  double lr = 0;
  double step = 0;                                    ///< number of the step, from 1
  double mean_correction = 1, square_correction = 1;  ///< 1 / (1 - beta1^step), 1 / sqrt(1 - beta2^step)
  double scale =
      1;  ///< of the gradients: below 1 where they are too long; NaN: they have no length, the step does nothing
  double length = 0;  ///< of all gradients as one vector, where it was measured
  double idle = 0;    ///< how many steps did nothing
};

/// One parameter of n values, its gradient, and what the optimiser keeps about it: averages, or a momentum alone.
template <class T> struct Parameter {
  T const* grad{};
  T *value{}, *first{}, *second{};
  int64_t n = 0;
};

/// begin_step   counts the step and writes the corrections. With longest > 0 it measures all gradients and sets scale, to
///              longest / length where they are longer and to NaN where the length is not finite, else scale is 1.
template <class T> struct BeginStep {
  double beta1 = 0, beta2 = 0, longest = 0;
  Parameter<T> const* parameters{};  ///< in memory of the host, as the list of all steps below
  int count = 0;
  StepState* state{};
  void* work{};
};

}  // namespace d16::kernels
