// The sample of a normal distribution in double precision: the specification.
#pragma once
#include <cmath>

#include "../reparameterise.hpp"

namespace d16::kernels::reference {

template <class T> int reparameterise(Reparameterise<T> const& a) {
  uint64_t const stream = a.stream + (a.offset ? *a.offset : 0);
  for (int64_t i = 0; i < a.n; ++i)
    a.y[i] = T(a.mu[i] + std::exp(0.5 * a.logvar[i]) * T(noise_at(a.seed, stream, i)));
  return ok;
}

template <class T> int reparameterise_dx(Reparameterise<T> const& a) {
  uint64_t const stream = a.stream + (a.offset ? *a.offset : 0);
  for (int64_t i = 0; i < a.n; ++i)
    a.dlogvar[i] = T(0.5 * a.dy[i] * std::exp(0.5 * a.logvar[i]) * T(noise_at(a.seed, stream, i)));
  return ok;
}

}  // namespace d16::kernels::reference
