// For the tests of equivariance: the action of ops/group_action.hpp once more, as plain loops with any rule for the elements,
// and the largest difference of two tensors.
#pragma once
#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include <d16/core/tensor.hpp>
#include <d16/group/group.hpp>
#include <d16/ops/group_action.hpp>

namespace d16::testing {

/// The elements that map the pixel grid to itself: multiples of 90 degrees and their products with the mirror.
inline std::vector<int> grid_symmetries(Group group) {
  std::vector<int> elements;
  for (int s = 0; s < group.order(); ++s)
    if (4 * group.rotation(s) % group.n == 0) elements.push_back(s);
  return elements;
}

/// (s f)(p) = f(s^-1 p) for an image (N,H,W,C) with H = W, and (s f)(p)[g] = f(s^-1 p)[s^-1 g] for features
/// (N,H,W,C,G): moved[s p, s g] = x[p, g]. `move` replaces the action on elements, for counter-tests; empty: the product.
inline Tensor act(Group group, int s, Tensor const& x, std::function<int(int, int)> move) {
  if (!move) move = [=](int a, int b) { return group.product(a, b); };
  int64_t N = x.dim(0), size = x.dim(1), C = x.dim(3), G = x.rank() == 5 ? x.dim(4) : 1;
  require<ShapeError>(x.dim(2) == size, "act: x is ", x.shape(), "; needs a square image");
  Tensor moved = empty_like(x);
  Group::Matrix m = group.matrix(s);
  for_float(x.dtype(), [&]<class T>(T) {
    T const* from = x.data<T>();
    T* to = moved.data<T>();
    for (int64_t n = 0; n < N; ++n)
      for (int64_t i = 0; i < size; ++i)
        for (int64_t j = 0; j < size; ++j) {
          // twice the position from the middle: whole numbers at even sizes too
          int px = int(2 * j - (size - 1)), py = int((size - 1) - 2 * i);
          int sx = int(m.m[0] * px + m.m[1] * py), sy = int(m.m[2] * px + m.m[3] * py);
          int64_t sj = (sx + size - 1) / 2, si = (size - 1 - sy) / 2;
          for (int64_t c = 0; c < C; ++c)
            for (int64_t g = 0; g < G; ++g) {
              int64_t sg = G > 1 ? move(s, int(g)) : 0;
              to[(((n * size + si) * size + sj) * C + c) * G + sg] =
                  from[(((n * size + i) * size + j) * C + c) * G + g];
            }
        }
  });
  return moved;
}

/// The largest |a - b|.
inline double difference(Tensor const& a, Tensor const& b) {
  require<ShapeError>(a.shape() == b.shape(), "difference of ", a.shape(), " and ", b.shape());
  double most = 0;
  for_float(a.dtype(), [&]<class T>(T) {
    for (int64_t i = 0; i < a.numel(); ++i) {
      double d = double(a.data<T>()[i]) - double(b.data<T>()[i]);
      most = d != d ? INFINITY : std::max(most, d < 0 ? -d : d);
    }
  });
  return most;
}
inline double largest(Tensor const& a) { return difference(a, zeros_like(a)); }

}  // namespace d16::testing
