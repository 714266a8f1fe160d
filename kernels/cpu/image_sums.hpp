// The sums over the pixels of images in one pass over memory: pieces of images on different threads, joined in order.
#pragma once
#include "../image_sums.hpp"
#include "columns.hpp"

namespace d16::kernels::cpu {

namespace detail {

template <class T> SamplePieces pieces_of(ImageSums<T> const& a) { return {a.N, a.pixels, a.C}; }

}  // namespace detail

/// Two sums for each channel of each piece.
template <class T> size_t image_sums_work_bytes(ImageSums<T> const& a) {
  return detail::pieces_of(a).sums(2) * sizeof(double);
}

template <class T> int image_sums(ImageSums<T> const& a) {
  detail::SamplePieces const p = detail::pieces_of(a);
  double* const of_pieces = static_cast<double*>(a.work);
  std::fill_n(of_pieces, p.sums(2), 0.0);
  p.each([&](int64_t n, int64_t piece, int64_t first, int64_t pixels) {
    T const* x = a.x + first;
    detail::column_sums<T, 2>(
        pixels, a.C, [](int64_t) { return 0.0; },
        [=](int64_t i, double) __attribute__((always_inline)) {
          double const value = double(x[i]);
          return detail::Terms<2>{value, value * value};
        },
        of_pieces + (n * p.pieces + piece) * 2 * a.C);
  });
  std::fill_n(a.sums, 2 * a.N * a.C, 0.0);
  for (int64_t n = 0; n < a.N; ++n)
    for (int64_t piece = 0; piece < p.pieces; ++piece)
      for (int64_t i = 0; i < 2 * a.C; ++i)
        a.sums[(n * a.C + i % a.C) * 2 + i / a.C] += of_pieces[(n * p.pieces + piece) * 2 * a.C + i];
  return ok;
}

}  // namespace d16::kernels::cpu
