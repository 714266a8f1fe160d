// Contract of moving images and group features: pixels are gathered from others, elements of the group exchanged.
#pragma once
#include "view.hpp"

namespace d16::kernels {

/// x, y, dx, dy are (N,P,C,G) with P = H W pixels. source and weight are (P,taps); a tap of weight 0 is not read.
/// element is a permutation of G, null for none.
/// group_action      reads x: y[n,p,c,g] = sum over t of weight[p,t] x[n,source[p,t],c,element[g]].
/// group_action_dx   reads dy; writes dx, the adjoint.
template <class T> struct GroupAction {
  int64_t N = 1, P = 1, C = 1;
  int G = 1, taps = 1;
  int64_t const* source{};
  double const* weight{};
  int const* element{};
  T const *x{}, *dy{};
  T *y{}, *dx{};

  int from(int g) const { return element ? element[g] : g; }
};

}  // namespace d16::kernels
