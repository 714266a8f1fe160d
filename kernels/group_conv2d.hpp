// Contract of the equivariant convolutions between images and group features.
#pragma once
#include <cstdint>

#include <d16/group/steerable_filter.hpp>

#include "precision.hpp"
#include "view.hpp"

namespace d16::kernels {

/// How a group convolution is computed; the result is the same up to rounding.
///   automatic  whichever is faster for the shape
///   expanded   the dense filter, then an ordinary convolution
///   fourier    one small product per irreducible representation
enum class Path { automatic, expanded, fourier };

/// With Gin, Gout the group's order, or 1 on the plain side of a lifting or projecting convolution:
/// x, dx (N,H,W,Ci,Gin)    y, dy (N,P,Q,Co,Gout) with P = out(H), Q = out(W)    w, dw (Co,Ci,V,G) or (Co,Ci,V)
/// bias, scale, db (Co)    basis (G,V,K,K), the values of steerable_basis(group, kernel, rings)
/// norm (3,Ci)             mean m, scale s, shift t: x is read as relu((x - m) s + t), what the norm before the convolution
///                         would have written. On the fourier path, by group_conv2d and group_conv2d_dw. null: as it is
/// max_freqs (rings)       highest frequency of each ring of the basis
/// x_coefficients, y_coefficients: x is read, y written as the Fourier coefficients of each field at each pixel, in
///                         the order of irreps(group). For a side that carries the group, by group_conv2d on the
///                         fourier path; then there are neither norm nor moments.
/// group_conv2d      y = scale convolution(x) + bias, its negative values cut when relu is set. scale may be null (1),
///                   bias too (0). Writes moments (2,Co), mean and variance of y for each field, where they are given and
///                   neither scale nor relu is. Reads packed instead of w where it is given.
/// group_conv2d_pack writes packed: w as the fourier path of the forward pass wants it. Any N, H, W, stride, padding and
///                   dilation can use it. Only tells its size where packed_count is given: 0 on the expanded path.
/// group_conv2d_dx  reads dy, w, basis; writes dx.
/// group_conv2d_dw  reads dy, x, basis; writes dw.
/// group_conv2d_db  reads dy; writes db.
/// With T = bf16 features are bf16 in memory, and what belongs to weights is float32. Products are bfloat16 where group
/// and sizes have matrix units for them, else float32; sums are float32, each result is rounded once.
/// precision: with float32 features, of the products of the fourier path between group features, forward and in the
/// gradient of x. With bfloat16 errors are some 1e-3 of the largest value.
/// A path or a precision that an implementation does not have is answered with `unsupported`.
template <class T> struct GroupConv2d {
  Group group{};
  Sides sides = Sides::regular;
  int N = 1, H = 1, W = 1, Ci = 1, Co = 1, V = 6, kernel = 3, stride = 1, padding = 1, dilation = 1;
  T const* x{};
  Wide<T> const *w{}, *bias{}, *scale{}, *norm{};
  bool relu = false;
  double* moments{};
  double const* basis{};
  int rings = 0;
  int const* max_freqs{};
  Wide<T>* packed{};
  int64_t* packed_count{};
  bool x_coefficients = false, y_coefficients = false;
  T* y{};
  T const* dy{};
  T* dx{};
  Wide<T>*dw{}, *db{};
  void* work{};
  Path path{};
  Precision precision{};

  constexpr FilterRule rule() const { return {group, sides}; }
  constexpr int out(int n) const { return (n + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1; }
};

}  // namespace d16::kernels
