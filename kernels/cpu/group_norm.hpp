// Group normalisation: pieces of samples on different threads, their moments in double, joined in order.
#pragma once
#include <cmath>

#include "../group_norm.hpp"
#include "columns.hpp"

namespace d16::kernels::cpu {

namespace detail {

/// Count, mean and sum of (x - mean)^2 of the channels of one piece, added to those of what came before.
/// Source   Chan, Golub & LeVeque 1983: no cancellation, whatever the mean.
struct GroupMoments {
  double count = 0, mean = 0, squares = 0;

  void join(double other_count, double other_mean, double other_squares) {
    double const total = count + other_count, delta = other_mean - mean;
    squares += other_squares + delta * delta * count * other_count / total;
    mean += delta * other_count / total;
    count = total;
  }
};

template <class T> SamplePieces pieces_of(GroupNorm<T> const& a) { return {a.N, a.pixels, a.C}; }

/// Mean and inv_std of sample n from the sums of its pieces. These are about the first value of each channel in the
/// piece: as that is one of the values summed, its distance from the mean costs no more digits than the count has.
template <class T> void group_statistics(GroupNorm<T> const& a, SamplePieces const& p, double const* sums, int64_t n) {
  for (int k = 0; k < a.groups; ++k) {
    GroupMoments all;
    for (int64_t piece = 0; piece < p.pieces; ++piece) {
      double const* sum = sums + (n * p.pieces + piece) * 2 * a.C;
      T const* pivot = a.x + (n * a.pixels + piece * p.per_piece) * a.C;
      double const count = double(std::min(p.per_piece, a.pixels - piece * p.per_piece));
      for (int c = k * a.per_group(); c < (k + 1) * a.per_group(); ++c) {
        double const shift = sum[c] / count;
        all.join(count, double(pivot[c]) + shift, sum[a.C + c] - shift * sum[c]);
      }
    }
    a.mean[n * a.groups + k] = all.mean;
    a.inv_std[n * a.groups + k] = 1 / std::sqrt(std::max(all.squares, 0.0) / all.count + a.eps);
  }
}

}  // namespace detail

/// Of group_norm and group_norm_dw: two sums for each channel of each piece.
template <class T> size_t group_norm_work_bytes(GroupNorm<T> const& a) {
  return detail::pieces_of(a).sums(2) * sizeof(double);
}

template <class T> int group_norm(GroupNorm<T> const& a) {
  detail::SamplePieces const p = detail::pieces_of(a);
  double* const sums = static_cast<double*>(a.work);
  std::fill_n(sums, p.sums(2), 0.0);
  p.each([&](int64_t n, int64_t piece, int64_t first, int64_t pixels) {
    T const* x = a.x + first;
    detail::column_sums<T, 2>(
        pixels, a.C, [=](int64_t c) { return double(x[c]); },
        [=](int64_t i, double pivot) __attribute__((always_inline)) {
          double const d = double(x[i]) - pivot;
          return detail::Terms<2>{d, d * d};
        },
        sums + (n * p.pieces + piece) * 2 * a.C);
  });
  parallel_tasks(a.N, [&](int64_t n) { detail::group_statistics(a, p, sums, n); });
  p.each([&](int64_t n, int64_t, int64_t first, int64_t pixels) {
    double const *mean = a.mean + n * a.groups, *inv_std = a.inv_std + n * a.groups;
    int64_t const m = a.per_group();
    auto slope = [&](int64_t c) { return (a.weight ? double(a.weight[c]) : 1.0) * inv_std[c / m]; };
    // x - mean first, and the mean's rounding error into the shift: right also where |mean| is far above the spread
    auto shift_of = [&](int64_t c) {
      return (a.bias ? double(a.bias[c]) : 0.0) - slope(c) * (mean[c / m] - T(mean[c / m]));
    };
    T lanes[3][detail::column_lanes], *centre = lanes[0], *scale = lanes[1], *shift = lanes[2];
    T const* x = a.x + first;
    T* y = a.y + first;
    detail::column_map<T>(
        pixels, a.C,
        [&](detail::ColumnTile const& t) {
          detail::fill_lanes(t, a.C, centre, [&](int64_t c) { return mean[c / m]; });
          detail::fill_lanes(t, a.C, scale, slope);
          detail::fill_lanes(t, a.C, shift, shift_of);
        },
        [=](int64_t i, int64_t l) __attribute__((always_inline)) { y[i] = (x[i] - centre[l]) * scale[l] + shift[l]; });
  });
  return ok;
}

template <class T> int group_norm_dw(GroupNorm<T> const& a) {
  detail::SamplePieces const p = detail::pieces_of(a);
  double* const sums = static_cast<double*>(a.work);
  std::fill_n(sums, p.sums(2), 0.0);
  int64_t const m = a.per_group();
  p.each([&](int64_t n, int64_t piece, int64_t first, int64_t pixels) {
    T const *x = a.x + first, *dy = a.dy + first;
    double const* mean = a.mean + n * a.groups;
    detail::column_sums<T, 2>(
        pixels, a.C, [=](int64_t c) { return mean[c / m]; },
        [=](int64_t i, double centre) __attribute__((always_inline)) {
          double const g = double(dy[i]);
          return detail::Terms<2>{g, g * (double(x[i]) - centre)};
        },
        sums + (n * p.pieces + piece) * 2 * a.C);
  });
  for (int64_t n = 0; n < a.N; ++n)
    for (int64_t c = 0; c < a.C; ++c) {
      double g = 0, g_centred = 0;
      for (int64_t piece = 0; piece < p.pieces; ++piece) {
        g += sums[((n * p.pieces + piece) * 2) * a.C + c];
        g_centred += sums[((n * p.pieces + piece) * 2 + 1) * a.C + c];
      }
      a.sums[n * 2 * a.C + c] = g;
      a.sums[(n * 2 + 1) * a.C + c] = g_centred * a.inv_std[n * a.groups + c / m];
    }
  for (int64_t c = 0; c < a.C; ++c) {
    double dw = 0, db = 0;
    for (int64_t n = 0; n < a.N; ++n) db += a.sums[n * 2 * a.C + c], dw += a.sums[(n * 2 + 1) * a.C + c];
    a.dw[c] = T(dw);
    a.db[c] = T(db);
  }
  return ok;
}

/// Of group_norm_dx: two means for each group.
template <class T> size_t group_norm_dx_work_bytes(GroupNorm<T> const& a) {
  return size_t(2 * a.N * a.groups) * sizeof(double);
}

template <class T> int group_norm_dx(GroupNorm<T> const& a) {
  detail::SamplePieces const p = detail::pieces_of(a);
  int64_t const m = a.per_group();
  auto weight = [&](int64_t c) { return a.weight ? double(a.weight[c]) : 1.0; };
  double* const means = static_cast<double*>(a.work);  // over each group of weight dy and of weight dy xhat
  for (int64_t n = 0; n < a.N; ++n)
    for (int64_t k = 0; k < a.groups; ++k)
      for (int64_t i = 0; i < 2; ++i) {
        double total = 0;
        for (int64_t c = k * m; c < (k + 1) * m; ++c) total += weight(c) * a.sums[(n * 2 + i) * a.C + c];
        means[(n * a.groups + k) * 2 + i] = total / (double(a.pixels) * double(m));
      }
  p.each([&](int64_t n, int64_t, int64_t first, int64_t pixels) {
    double const *mean = a.mean + n * a.groups, *inv_std = a.inv_std + n * a.groups;
    // dx = slope dy - along (x - mean) - shift, with the mean's rounding error in the shift
    auto along_of = [&](int64_t k) { return inv_std[k] * inv_std[k] * means[(n * a.groups + k) * 2 + 1]; };
    auto shift_of = [&](int64_t k) {
      return inv_std[k] * means[(n * a.groups + k) * 2] - along_of(k) * (mean[k] - T(mean[k]));
    };
    T lanes[4][detail::column_lanes], *centre = lanes[0], *slope = lanes[1], *along = lanes[2], *shift = lanes[3];
    T const *x = a.x + first, *dy = a.dy + first;
    T* dx = a.dx + first;
    detail::column_map<T>(
        pixels, a.C,
        [&](detail::ColumnTile const& t) {
          detail::fill_lanes(t, a.C, centre, [&](int64_t c) { return mean[c / m]; });
          detail::fill_lanes(t, a.C, slope, [&](int64_t c) { return weight(c) * inv_std[c / m]; });
          detail::fill_lanes(t, a.C, along, [&](int64_t c) { return along_of(c / m); });
          detail::fill_lanes(t, a.C, shift, [&](int64_t c) { return shift_of(c / m); });
        },
        [=](int64_t i, int64_t l)
            __attribute__((always_inline)) { dx[i] = dy[i] * slope[l] - (x[i] - centre[l]) * along[l] - shift[l]; });
  });
  return ok;
}

}  // namespace d16::kernels::cpu
