// Pooling over the group at memory speed: sixteen rows at a time, so that the lanes of SIMD are rows.
#pragma once
#include <d16/core/parallel.hpp>

#include "../group_pool.hpp"
#include "isa.hpp"

namespace d16::kernels::cpu {

namespace detail {

/// body(row, order) for all rows; common orders are compile-time constants, so that their loops unroll.
template <class F> void for_group_rows(int64_t rows, int G, F const& body) {
  auto pass = [&]<int order>() {
    parallel_chunks(rows, 4096, [&](int64_t begin, int64_t end) {
      simd_for(
          begin, end, [=](int64_t r) __attribute__((always_inline)) { body(r, order ? order : G); });
    });
  };
  switch (G) {
    case 4: return pass.template operator()<4>();
    case 8: return pass.template operator()<8>();
    case 16: return pass.template operator()<16>();
    case 32: return pass.template operator()<32>();
    default: return pass.template operator()<0>();
  }
}

}  // namespace detail

template <class T> int group_max_pool(GroupPool<T> const& a) {
  T const* x = a.x;
  T* y = a.y;
  detail::for_group_rows(
      a.rows, a.G, [=](int64_t r, int G) __attribute__((always_inline)) {
        T best = x[r * G];
        for (int g = 1; g < G; ++g) {
          T const value = x[r * G + g];
          best = value > best || value != value ? value : best;
        }
        y[r] = best;
      });
  return ok;
}

template <class T> int group_max_pool_dx(GroupPool<T> const& a) {
  T const *x = a.x, *dy = a.dy;
  T* dx = a.dx;
  detail::for_group_rows(
      a.rows, a.G, [=](int64_t r, int G) __attribute__((always_inline)) {
        int first = 0;
        T best = x[r * G];
        for (int g = 1; g < G; ++g) {
          T const value = x[r * G + g];
          bool const better = value > best || (value != value && best == best);
          best = better ? value : best;
          first = better ? g : first;
        }
        for (int g = 0; g < G; ++g) dx[r * G + g] = g == first ? dy[r] : T(0);
      });
  return ok;
}

template <class T> int group_mean_pool(GroupPool<T> const& a) {
  T const* x = a.x;
  T* y = a.y;
  detail::for_group_rows(
      a.rows, a.G, [=](int64_t r, int G) __attribute__((always_inline)) {
        T sum = 0;
        for (int g = 0; g < G; ++g) sum += x[r * G + g];
        y[r] = sum / T(G);
      });
  return ok;
}

template <class T> int group_mean_pool_dx(GroupPool<T> const& a) {
  T const* dy = a.dy;
  T* dx = a.dx;
  detail::for_group_rows(
      a.rows, a.G, [=](int64_t r, int G) __attribute__((always_inline)) {
        T const share = dy[r] / T(G);
        for (int g = 0; g < G; ++g) dx[r * G + g] = share;
      });
  return ok;
}

}  // namespace d16::kernels::cpu
