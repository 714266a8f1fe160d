// The sample of a normal distribution: noise for a piece that stays in cache, then exponentials and products in SIMD.
#pragma once
#include <algorithm>

#include "../reparameterise.hpp"
#include "math.hpp"
#include "philox.hpp"
#include "pointwise.hpp"

namespace d16::kernels::cpu {

namespace detail {

constexpr int64_t noise_block = 1024;  // of elements; divides the grain, so that a piece starts at a whole Philox block

/// body(first element, how many, noise of these) for all elements, on all threads.
template <class T, class F> void each_noise(Reparameterise<T> const& a, F const& body) {
  uint64_t const stream = a.stream + (a.offset ? *a.offset : 0);
  parallel_chunks(a.n, pointwise_grain, [&](int64_t begin, int64_t end) {
    uint32_t words[noise_block];
    T eps[noise_block];
    for (int64_t at = begin; at < end; at += noise_block) {
      int64_t const n = std::min(noise_block, end - at);
      philox_words(a.seed, uint64_t(at / 4), stream, (n + 3) / 4, words);
      for (int64_t i = 0; i < n; i += 2) {
        auto const two = normal_pair(words[i], words[i + 1]);
        eps[i] = T(two[0]), eps[i + 1] = T(two[1]);
      }
      body(at, n, eps);
    }
  });
}

}  // namespace detail

template <class T> int reparameterise(Reparameterise<T> const& a) {
  detail::each_noise(a, [&](int64_t at, int64_t n, T const* eps) {
    T const *mu = a.mu + at, *logvar = a.logvar + at;
    T* y = a.y + at;
    each<T>(
        0, n, [=](int64_t i) __attribute__((always_inline)) { y[i] = mu[i] + math::exp(logvar[i] * T(0.5)) * eps[i]; });
  });
  return ok;
}

template <class T> int reparameterise_dx(Reparameterise<T> const& a) {
  detail::each_noise(a, [&](int64_t at, int64_t n, T const* eps) {
    T const *dy = a.dy + at, *logvar = a.logvar + at;
    T* dlogvar = a.dlogvar + at;
    each<T>(
        0, n, [=](int64_t i) __attribute__((always_inline)) {
          dlogvar[i] = dy[i] * math::exp(logvar[i] * T(0.5)) * eps[i] * T(0.5);
        });
  });
  return ok;
}

}  // namespace d16::kernels::cpu
