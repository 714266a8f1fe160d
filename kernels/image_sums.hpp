// Contract of the sums over the pixels of images: all that a batch norm and a squeeze need to know of its results.
#pragma once
#include "view.hpp"

namespace d16::kernels {

/// x is (N, pixels, C).
/// image_sums  writes sums (N,C,2): of x and of its squares over the pixels of each image.
template <class T> struct ImageSums {
  int64_t N = 1, pixels = 1;
  int C = 1;
  T const* x{};
  double* sums{};
  void* work{};
};

}  // namespace d16::kernels
