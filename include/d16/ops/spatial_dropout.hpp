// Dropout of whole channels: neighbouring pixels say nearly the same, so that dropping them one by one hides nothing.
#pragma once
#include "dropout.hpp"

namespace d16 {

/// Each channel of each sample is set to 0 with probability p, in all pixels (and all elements of a group); the others
/// are divided by 1 - p. The identity unless training. The mask is dropout's of ones (N,C), one broadcast product: at
/// most N C numbers are drawn and kept.
/// Shapes   y as x, (N,H,W,C) or (N,H,W,C,G).   Cost  one pass.
/// Deterministic  by the seed of manual_seed(), for any number of threads and on any device.
/// Gradient the same mask and factor.
/// Errors   ValueError unless 0 <= p < 1; ShapeError for another rank.
/// Source   Tompson et al. 2015, arXiv:1411.4280.
inline Tensor spatial_dropout(Tensor x, double p = 0.5, bool training = true) {
  require<ValueError>(p >= 0 && p < 1, "spatial_dropout: p is ", p, "; it needs 0 <= p < 1");
  require<ShapeError>(x.rank() == 4 || x.rank() == 5, "spatial_dropout: x is ", x.shape(),
                      "; it needs (N,H,W,C) or (N,H,W,C,G)");
  if (!training || p == 0) return x;
  Shape channels{x.dim(axis::N), 1, 1, x.dim(axis::C)};
  if (x.rank() == 5) channels.push_back(1);
  return x * detail::dropout(ones(channels, {x.dtype(), x.device()}), p, default_generator().next());
}

}  // namespace d16
