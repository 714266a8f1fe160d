// Contract of moving images and group features: pixels are gathered from others, elements of the group exchanged.
#pragma once
#include "view.hpp"

namespace d16::kernels {

/// x, y, dx, dy are (N,P,C,G) with P = H W pixels. source and weight are (P,taps); a tap of weight 0 is not read.
/// element is a permutation of G, null for none. readers (P taps) are all taps, p taps + t, by the pixel that they read
/// and then by their number; those of pixel s are number first_reader[s] .. first_reader[s + 1] - 1 of them.
/// All tables are in the memory of x.
/// group_action      reads x: y[n,p,c,g] = sum over t of weight[p,t] x[n,source[p,t],c,element[g]].
/// group_action_dx   reads dy; writes dx, the adjoint. A kernel may take the readers of a pixel or the sources of all.
template <class T> struct GroupAction {
  int64_t N = 1, P = 1, C = 1;
  int G = 1, taps = 1;
  int64_t const *source{}, *readers{}, *first_reader{};
  double const* weight{};
  int64_t const* element{};
  T const *x{}, *dy{};
  T *y{}, *dx{};

  int from(int g) const { return element ? int(element[g]) : g; }
};

}  // namespace d16::kernels
