// The sixteen ways to look at a picture under the dihedral group of order 16.
#pragma once
#include <numbers>
#include <vector>

#include "../ops/group_action.hpp"
#include "filter.hpp"

namespace d16::vision {

/// The eight quarter turns and mirror images of a picture, the picture itself first, then those of the picture turned by
/// 45 degrees. Quarter turns and mirrors are exact; the turn by 45 degrees is interpolated once, edges reflected.
/// Shapes   x (H,H), (H,H,C) or (N,H,H,C) float32, each view as x.      Units  those of x.
/// Cost     16 copies and one rotate().     Deterministic  yes.
/// Errors   ShapeError unless H = W; DTypeError for other types.
inline std::vector<Tensor> dihedral_views(Tensor const& x) {
  Extent e = extent_of("dihedral_views", x.shape());
  constexpr Group quarters = dihedral(4);
  std::vector<Tensor> views;
  for (Tensor const& start : {x, rotate(x, std::numbers::pi / 4)})
    for (int element = 0; element < quarters.order(); ++element)
      views.push_back(act(quarters, element, start.reshape({e.N, e.H, e.W, e.C})).reshape(x.shape()));
  return views;
}

}  // namespace d16::vision
