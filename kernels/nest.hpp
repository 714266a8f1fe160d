// A loop nest over several strided arrays at once, with axes merged wherever all arrays allow it.
#pragma once
#include <cstdint>

namespace d16::kernels {

/// Axes from the outermost to the innermost; an array's stride is 0 along an axis on which it is broadcast.
template <int arrays> struct Nest {
  static constexpr int max_rank = 8;
  int rank = 0;
  int64_t size[max_rank] = {};
  int64_t stride[arrays][max_rank] = {};

  /// Appends an axis inside the others.
  void push(int64_t n, int64_t const (&s)[arrays]) {
    if (n == 1 && rank > 0) return;
    bool merge = rank > 0;
    for (int k = 0; k < arrays; ++k) merge = merge && stride[k][rank - 1] == n * s[k];
    if (rank == 1 && size[0] == 1) merge = true;  // a first axis of one element is no axis
    if (!merge) size[rank++] = 1;
    size[rank - 1] *= n;
    for (int k = 0; k < arrays; ++k) stride[k][rank - 1] = s[k];
  }
  int64_t numel() const {
    int64_t product = 1;
    for (int i = 0; i < rank; ++i) product *= size[i];
    return product;
  }
  /// Length of the innermost axis, and how many such rows there are.
  int64_t inner() const { return rank ? size[rank - 1] : 1; }
  int64_t rows() const { return inner() ? numel() / inner() : 0; }
  int64_t inner_stride(int k) const { return rank ? stride[k][rank - 1] : 0; }
  /// Where row number `row` starts in array k.
  int64_t row_offset(int k, int64_t row) const {
    int64_t offset = 0;
    for (int i = rank - 2; i >= 0; --i) {
      offset += row % size[i] * stride[k][i];
      row /= size[i];
    }
    return offset;
  }
  /// True when array k is row-major over the whole nest, without gaps.
  bool contiguous(int k) const {
    int64_t step = 1;
    for (int i = rank - 1; i >= 0; --i) {
      if (size[i] != 1 && stride[k][i] != step) return false;
      step *= size[i];
    }
    return true;
  }
};

}  // namespace d16::kernels
