// Squeeze and excitation: x is read twice, or once where its sums are known, and y written once; backward x and dy are
// read and dx is written, with a norm in front x twice. All between is a handful of numbers for each channel, in double.
// Pieces of samples on different threads, joined in order.
#pragma once
#include <cmath>

#include "../squeeze_excitation.hpp"
#include "columns.hpp"
#include "sum.hpp"

namespace d16::kernels::cpu {

namespace detail {

template <class T> SamplePieces pieces_of(SqueezeExcitation<T> const& a) { return {a.N, a.pixels, a.C}; }

/// Sum `k` of `terms` of channel c of sample n over its pieces.
inline double over_pieces(SamplePieces const& p, double const* sums, int64_t n, int64_t c, int k = 0, int terms = 1) {
  double total = 0;
  for (int64_t piece = 0; piece < p.pieces; ++piece) total += sums[((n * p.pieces + piece) * terms + k) * p.C + c];
  return total;
}

/// From the sums of the pieces, or those that are known, to the gates of sample n.
template <class T> void excite(SqueezeExcitation<T> const& a, SamplePieces const& p, double const* sums, int64_t n) {
  double *mean = a.mean + n * a.C, *hidden = a.hidden + n * a.R, *gate = a.gate + n * a.C;
  for (int64_t c = 0; c < a.C; ++c) {
    ChannelLine const norm = a.line(c);
    double const sum = a.sums ? a.sums[2 * (n * a.C + c)] : over_pieces(p, sums, n, c);
    mean[c] = (sum / double(a.pixels) - norm.mean) * norm.slope + norm.bias;
  }
  for (int64_t r = 0; r < a.R; ++r) {
    double sum = a.b1 ? double(a.b1[r]) : 0;
    for (int64_t c = 0; c < a.C; ++c) sum += double(a.w1[r * a.C + c]) * mean[c];
    hidden[r] = std::max(sum, 0.0);
  }
  for (int64_t c = 0; c < a.C; ++c) {
    double sum = a.b2 ? double(a.b2[c]) : 0;
    for (int64_t r = 0; r < a.R; ++r) sum += double(a.w2[c * a.R + r]) * hidden[r];
    gate[c] = 1 / (1 + std::exp(-sum));
  }
}

/// The gradients of sample n before the sigmoid (d2) and before the relu (d1), and its mean's, per pixel. From two sums
/// for each channel: of the gradient behind the gates times x - mean of the norm, and of the gradient.
struct Excited {
  double *d1, *d2, *dmean;
};
template <class T>
void excite_back(SqueezeExcitation<T> const& a, SamplePieces const& p, double const* sums, int64_t n, Excited d) {
  double const *hidden = a.hidden + n * a.R, *gate = a.gate + n * a.C;
  double *d1 = d.d1 + n * a.R, *d2 = d.d2 + n * a.C, *dmean = d.dmean + n * a.C;
  for (int64_t c = 0; c < a.C; ++c) {
    ChannelLine const norm = a.line(c);
    double const dgate = over_pieces(p, sums, n, c, 0, 2) * norm.slope + over_pieces(p, sums, n, c, 1, 2) * norm.bias;
    d2[c] = dgate * gate[c] * (1 - gate[c]);
  }
  std::fill_n(d1, a.R, 0.0);
  std::fill_n(dmean, a.C, 0.0);
  for (int64_t c = 0; c < a.C; ++c)
    for (int64_t r = 0; r < a.R; ++r)
      if (hidden[r] > 0) d1[r] += d2[c] * double(a.w2[c * a.R + r]);
  for (int64_t r = 0; r < a.R; ++r)
    for (int64_t c = 0; c < a.C; ++c) dmean[c] += d1[r] * double(a.w1[r * a.C + c]) / double(a.pixels);
}

/// The gradients of the norm: of z that is gate dy + dmean, whose sums follow from those of excite_back and of x.
template <class T>
void gated_norm_dw(SqueezeExcitation<T> const& a, SamplePieces const& p, double const* sums, double const* dmean) {
  for (int64_t c = 0; c < a.C; ++c) {
    double dw = 0, db = 0, pixels = double(a.pixels);
    for (int64_t n = 0, i = c; n < a.N; ++n, i += a.C) {
      dw += a.gate[i] * over_pieces(p, sums, n, c, 0, 2) + dmean[i] * (a.sums[2 * i] - pixels * a.norm_mean[c]);
      db += a.gate[i] * over_pieces(p, sums, n, c, 1, 2) + dmean[i] * pixels;
    }
    a.dnorm_weight[c] = Wide<T>(dw * a.norm_inv_std[c]), a.dnorm_bias[c] = Wide<T>(db);
  }
}

/// dw[o,i] = sum over n of d[n,o] in[n,i] and db[o] = sum over n of d[n,o].
template <class T>
void small_linear_dw(int64_t N, int64_t O, int64_t I, double const* d, double const* in, T* dw, T* db) {
  parallel_chunks(O, grain_of(N * I), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      double bias = 0;
      for (int64_t n = 0; n < N; ++n) bias += d[n * O + o];
      db[o] = T(bias);
      for (int64_t i = 0; i < I; ++i) {
        double sum = 0;
        for (int64_t n = 0; n < N; ++n) sum += d[n * O + o] * in[n * I + i];
        dw[o * I + i] = T(sum);
      }
    }
  });
}

/// ending(v, i) = what becomes of v = z gate at element i; a loop of its own for each kind, so that it has no branches.
template <class T, class Run> void with_ending(SqueezeExcitation<T> const& a, Run const& run) {
  T const* residual = a.residual;
  if (residual && a.relu)
    run([=](T v, int64_t i) __attribute__((always_inline)) {
      T sum = v + residual[i];
      return sum < 0 ? T(0) : sum;
    });
  else if (residual) run([=](T v, int64_t i) __attribute__((always_inline)) { return v + residual[i]; });
  else if (a.relu) run([](T v, int64_t) __attribute__((always_inline)) { return v < 0 ? T(0) : v; });
  else run([](T v, int64_t) __attribute__((always_inline)) { return v; });
}

}  // namespace detail

/// One sum for each channel of each piece.
template <class T> size_t squeeze_excitation_work_bytes(SqueezeExcitation<T> const& a) {
  return detail::pieces_of(a).sums(1) * sizeof(double);
}

template <class T> int squeeze_excitation(SqueezeExcitation<T> const& a) {
  detail::SamplePieces const p = detail::pieces_of(a);
  double* const sums = static_cast<double*>(a.work);
  if (!a.sums)
    p.each([&](int64_t n, int64_t piece, int64_t first, int64_t pixels) {
      detail::sum_piece(a.x + first, pixels, a.C, a.C, sums + (n * p.pieces + piece) * a.C);
    });
  parallel_chunks(a.N, grain_of(2 * int64_t(a.C) * a.R), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) detail::excite(a, p, sums, n);
  });
  detail::with_ending(a, [&](auto ending) {
    p.each([&](int64_t n, int64_t, int64_t first, int64_t pixels) {
      T lanes[3][detail::column_lanes], *mean = lanes[0], *factor = lanes[1], *shift = lanes[2];
      T const* x = a.x + first;
      T* y = a.y + first;
      double const* gate = a.gate + n * a.C;
      // x - mean first, and what rounding the mean leaves into the shift: right also far from zero
      auto beside = [&](int64_t c) { return a.line(c).bias - a.line(c).slope * (a.line(c).mean - T(a.line(c).mean)); };
      detail::column_map<T>(
          pixels, a.C,
          [&](detail::ColumnTile const& t) {
            detail::fill_lanes(t, a.C, mean, [&](int64_t c) { return a.line(c).mean; });
            detail::fill_lanes(t, a.C, factor, [&](int64_t c) { return a.line(c).slope * gate[c]; });
            detail::fill_lanes(t, a.C, shift, [&](int64_t c) { return beside(c) * gate[c]; });
          },
          [=](int64_t i, int64_t l)
              __attribute__((always_inline)) { y[i] = ending((x[i] - mean[l]) * factor[l] + shift[l], first + i); });
    });
  });
  return ok;
}

/// Two sums for each channel of each piece, and the gradients inside.
template <class T> size_t squeeze_excitation_dx_work_bytes(SqueezeExcitation<T> const& a) {
  return (detail::pieces_of(a).sums(2) + size_t(a.N) * (2 * size_t(a.C) + size_t(a.R))) * sizeof(double);
}

template <class T> int squeeze_excitation_dx(SqueezeExcitation<T> const& a) {
  detail::SamplePieces const p = detail::pieces_of(a);
  double* const sums = static_cast<double*>(a.work);
  double* const d2 = sums + p.sums(2);
  detail::Excited const d{.d1 = d2 + 2 * a.N * a.C, .d2 = d2, .dmean = d2 + a.N * a.C};
  std::fill_n(sums, p.sums(2), 0.0);
  p.each([&](int64_t n, int64_t piece, int64_t first, int64_t pixels) {
    T const *x = a.x + first, *dy = a.dy + first;
    if (a.relu) {  // the piece is then in the cache
      T const* y = a.y + first;
      T* upstream = a.upstream() + first;
      for (int64_t i = 0; i < pixels * a.C; ++i) upstream[i] = y[i] <= 0 ? T(0) : dy[i];
      dy = upstream;
    }
    detail::column_sums<T, 2>(
        pixels, a.C, [&](int64_t c) { return a.line(c).mean; },
        [=](int64_t i, double mean) __attribute__((always_inline)) {
          double const gradient = double(dy[i]);
          return detail::Terms<2>{gradient * (double(x[i]) - mean), gradient};
        },
        sums + (n * p.pieces + piece) * 2 * a.C);
  });
  parallel_chunks(a.N, grain_of(2 * int64_t(a.C) * a.R), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) detail::excite_back(a, p, sums, n, d);
  });
  detail::small_linear_dw(a.N, a.R, a.C, d.d1, a.mean, a.dw1, a.db1);
  detail::small_linear_dw(a.N, a.C, a.R, d.d2, a.hidden, a.dw2, a.db2);
  if (a.norm_mean) detail::gated_norm_dw(a, p, sums, d.dmean);
  // through the statistics: dx loses its mean, and along x - mean as much as that has to do with it
  double const share = a.norm_training ? 1 / (double(a.N) * double(a.pixels)) : 0;
  auto along_x = [&](int64_t c) {
    return share == 0 ? 0 : share * a.line(c).slope * a.norm_inv_std[c] * double(a.dnorm_weight[c]);
  };
  auto constant = [&](int64_t n, int64_t c) {
    double const lost = share == 0 ? 0 : share * double(a.dnorm_bias[c]), mean = a.line(c).mean;
    return a.line(c).slope * (d.dmean[n * a.C + c] - lost) + along_x(c) * (mean - T(mean));
  };
  p.each([&](int64_t n, int64_t, int64_t first, int64_t pixels) {
    T lanes[4][detail::column_lanes], *factor = lanes[0], *shift = lanes[1], *mean = lanes[2], *tilt = lanes[3];
    T const *dy = (a.relu ? a.upstream() : a.dy) + first, *x = a.x + first;
    T* dx = a.dx + first;
    auto fill = [&](detail::ColumnTile const& t) {
      detail::fill_lanes(t, a.C, factor, [&](int64_t c) { return a.line(c).slope * a.gate[n * a.C + c]; });
      detail::fill_lanes(t, a.C, shift, [&](int64_t c) { return constant(n, c); });
      detail::fill_lanes(t, a.C, mean, [&](int64_t c) { return a.line(c).mean; });
      detail::fill_lanes(t, a.C, tilt, along_x);
    };
    if (a.norm_training)
      detail::column_map<T>(
          pixels, a.C, fill, [=](int64_t i, int64_t l) __attribute__((always_inline)) {
            dx[i] = dy[i] * factor[l] + shift[l] - (x[i] - mean[l]) * tilt[l];
          });
    else
      detail::column_map<T>(
          pixels, a.C,
          fill, [=](int64_t i, int64_t l) __attribute__((always_inline)) { dx[i] = dy[i] * factor[l] + shift[l]; });
  });
  return ok;
}

}  // namespace d16::kernels::cpu
