// The libraries that our kernels are compared with, where they are installed: cuDNN and cuBLAS. d16 needs neither.
#pragma once
#include <functional>
#include <string>

#include "kernels.hpp"

namespace d16::bench {

enum class Pass { forward, data_gradient, weight_gradient };
inline char const* name(Pass p) {
  return p == Pass::forward ? "forward" : p == Pass::data_gradient ? "data gradient" : "weight gradient";
}

/// A convolution of square images (N,size,size,Ci) with padding k / 2; filters (Co,Ci,k,k), for cuDNN (Co,k,k,Ci).
struct ConvShape {
  int N, size, Ci, Co, k, stride;
  constexpr int out() const { return (size + 2 * (k / 2) - k) / stride + 1; }
  constexpr int64_t x() const { return int64_t(N) * size * size * Ci; }
  constexpr int64_t w() const { return int64_t(Co) * k * k * Ci; }
  constexpr int64_t y() const { return int64_t(N) * out() * out() * Co; }
  double flops() const { return 2.0 * double(y()) * Ci * k * k; }
};

/// first and second: x and w, or dy and w, or x and dy, and where the result goes.
using Call = std::function<void(void const* first, void const* second, void* result)>;
/// `about` has the algorithm that was chosen.
struct Comparator {
  Call call;
  std::string about;
};

/// The fastest algorithm for this pass that cuDNN finds, in N,H,W,C.
/// Errors   std::runtime_error: why there is none.
Comparator cudnn_convolution(ConvShape const& shape, Pass pass, Number number);
/// c (M,N) = a (M,K) b (K,N), row-major; b is stored (N,K) with trans_b.
Comparator cublas_product(int M, int N, int K, bool trans_b, Number number);

/// Versions for the results; what is missing says so.
std::string cudnn_version();
std::string cublas_version();

}  // namespace d16::bench
