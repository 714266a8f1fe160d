// Contract of the fully connected layer.
#pragma once
#include <cstdint>

#include "view.hpp"

namespace d16::kernels {

/// x and dx are (rows, I); w and dw (O, I); y and dy (rows, O); bias and db (O).
/// linear     reads x, w, bias (may be null); writes y = x w^T + bias.
/// linear_dx  reads dy, w; writes dx = dy w.
/// linear_dw  reads dy, x; writes dw = dy^T x.
/// linear_db  reads dy; writes db = the sum of its rows.
template <class T> struct Linear {
  int rows = 1, I = 1, O = 1;
  T const *x{}, *w{}, *bias{}, *dy{};
  T *y{}, *dx{}, *dw{}, *db{};
  void* work{};
};

}  // namespace d16::kernels
