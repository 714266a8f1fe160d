// The sums over the pixels of images as loops.
#pragma once
#include "../image_sums.hpp"

namespace d16::kernels::reference {

template <class T> int image_sums(ImageSums<T> const& a) {
  auto x = View(a.x, a.N, a.pixels, a.C);
  auto sums = View(a.sums, a.N, a.C, 2);
  for (int n : upto(a.N)) for (int c : upto(a.C)) {
    sums(n, c, 0) = sums(n, c, 1) = 0;
    for (int p : upto(a.pixels)) {
      double const value = double(x(n, p, c));
      sums(n, c, 0) += value, sums(n, c, 1) += value * value;
    }
  }
  return ok;
}

}  // namespace d16::kernels::reference
