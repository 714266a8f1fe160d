// The beginning of a step: the specification.
#pragma once
#include <cmath>
#include <limits>

#include "../optimiser.hpp"

namespace d16::kernels::reference {

/// Everything but the length of the gradients, which the caller has measured: their squares added up.
inline void begin_step(StepState& s, double beta1, double beta2, double longest, double squares) {
  s.step += 1;
  s.mean_correction = 1 / (1 - std::pow(beta1, s.step));
  s.square_correction = 1 / std::sqrt(1 - std::pow(beta2, s.step));
  s.scale = 1;
  if (longest <= 0) return;
  s.length = std::sqrt(squares);
  if (!std::isfinite(s.length)) s.scale = std::numeric_limits<double>::quiet_NaN(), s.idle += 1;
  else if (s.length > longest) s.scale = longest / s.length;
}

template <class T> int begin_step(BeginStep<T> const& a) {
  double squares = 0;
  for (int p = 0; p < a.count && a.longest > 0; ++p)
    for (int64_t i = 0; i < a.parameters[p].n; ++i)
      squares += double(a.parameters[p].grad[i]) * double(a.parameters[p].grad[i]);
  begin_step(*a.state, a.beta1, a.beta2, a.longest, squares);
  return ok;
}

}  // namespace d16::kernels::reference
