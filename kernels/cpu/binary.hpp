// The functions of two variables with broadcasting, at memory speed. The output is computed in blocks that stay in the
// first-level cache; an operand that is not contiguous over the block is first gathered into one, so that a single
// SIMD loop per function serves every kind of broadcasting. A gathered block that repeats (a bias) is gathered once.
#pragma once
#include <algorithm>

#include "../binary.hpp"
#include "copy.hpp"
#include "pointwise.hpp"

namespace d16::kernels::cpu {

namespace detail {

template <class T> void binary_block(BinaryOp op, T const* a, T const* b, T* y, int64_t n) {
#define D16_MAP(value)                                      \
  each<T>(                                                  \
      0, n, [=](int64_t i) __attribute__((always_inline)) { \
        T const s = a[i], t = b[i];                         \
        y[i] = (value);                                     \
      })
  switch (op) {
    case BinaryOp::add: return D16_MAP(s + t);
    case BinaryOp::sub: return D16_MAP(s - t);
    case BinaryOp::mul: return D16_MAP(s * t);
    case BinaryOp::div: return D16_MAP(s / t);
    case BinaryOp::max: return D16_MAP(((s > t) | (s != s)) ? s : t);
    case BinaryOp::min: return D16_MAP(((s < t) | (s != s)) ? s : t);
    case BinaryOp::step: return D16_MAP(T(s > t) + T(0.5) * T(s == t));
  }
#undef D16_MAP
}

/// One operand as the blocks see it.
template <class T> struct Operand {
  static constexpr int64_t block = 1024;
  Nest<2> const& nest;
  int const k;
  T const* const data;
  bool const contiguous;
  T buffer[block];
  int64_t held_offset = -1;  ///< of the row that the buffer holds again and again

  Operand(Nest<2> const& n, int which, T const* p) : nest(n), k(which), data(p), contiguous(n.contiguous(which)) {}

  /// Rows row .. row+rows-1, `columns` elements of each from column `first`, one after the other.
  T const* get(int64_t row, int64_t rows, int64_t first, int64_t columns) {
    if (contiguous) return data + row * nest.inner() + first;
    int64_t const step = nest.inner_stride(k), offset = nest.row_offset(k, row) + first * step;
    if (rows == 1 && step == 1) return data + offset;
    bool const repeats = same_rows(row, rows);
    if (repeats && offset == held_offset) return buffer;  // a later block is no larger than an earlier one
    gather(row, rows, data + first * step, columns);
    held_offset = repeats ? offset : -1;
    return buffer;
  }

 private:
  /// Enough for it that the axis around the rows is broadcast and that they lie within it.
  bool same_rows(int64_t row, int64_t rows) const {
    if (nest.rank < 2 || rows == 1) return true;
    int64_t const n = nest.size[nest.rank - 2];
    return nest.stride[k][nest.rank - 2] == 0 && row / n == (row + rows - 1) / n;
  }
  void gather(int64_t row, int64_t rows, T const* from, int64_t columns) {
    int64_t const n = nest.rank < 2 ? 1 : nest.size[nest.rank - 2],
                  step = nest.rank < 2 ? 0 : nest.stride[k][nest.rank - 2];
    int64_t offset = nest.row_offset(k, row), index = row % n;
    for (int64_t r = 0; r < rows; ++r) {
      copy_row(buffer + r * columns, int64_t(1), from + offset, nest.inner_stride(k), columns);
      offset += step;
      if (++index == n && r + 1 < rows) index = 0, offset = nest.row_offset(k, row + r + 1);
    }
  }
};

}  // namespace detail

template <class T> int binary(Binary<T> const& p) {
  constexpr int64_t block = detail::Operand<T>::block;
  Nest<2> nest = p.nest;
  T const a_scalar = T(p.a_scalar), b_scalar = T(p.b_scalar);
  T const *a = p.a ? p.a : &a_scalar, *b = p.b ? p.b : &b_scalar;
  int64_t const inner = nest.inner();
  if (inner == 0) return ok;
  if (inner >= block) {  // pieces of rows
    int64_t const pieces = (inner + pointwise_grain - 1) / pointwise_grain;
    parallel_tasks(nest.rows() * pieces, [&](int64_t task) {
      int64_t const row = task / pieces, begin = task % pieces * pointwise_grain;
      detail::Operand<T> left(nest, 0, a), right(nest, 1, b);
      for (int64_t i = begin; i < std::min(inner, begin + pointwise_grain); i += block) {
        int64_t const n = std::min({block, inner - i, begin + pointwise_grain - i});
        detail::binary_block(p.op, left.get(row, 1, i, n), right.get(row, 1, i, n), p.y + row * inner + i, n);
      }
    });
    return ok;
  }
  int64_t const rows_per_block = block / inner, rows_per_task = rows_per_block * (pointwise_grain / block);
  parallel_chunks(nest.rows(), rows_per_task, [&](int64_t begin, int64_t end) {
    detail::Operand<T> left(nest, 0, a), right(nest, 1, b);
    for (int64_t row = begin; row < end; row += rows_per_block) {
      int64_t const rows = std::min(rows_per_block, end - row);
      detail::binary_block(p.op, left.get(row, rows, 0, inner), right.get(row, rows, 0, inner), p.y + row * inner,
                           rows * inner);
    }
  });
  return ok;
}

}  // namespace d16::kernels::cpu
