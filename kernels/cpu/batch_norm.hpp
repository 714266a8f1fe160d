// Batch normalisation at memory speed: columns in SIMD lanes, blocks that stay in cache, partial sums joined in double.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include <d16/core/parallel.hpp>

#include "../batch_norm.hpp"
#include "isa.hpp"

namespace d16::kernels::cpu {

namespace detail {

/// Mean and sum of (x - mean)^2 of a set of numbers.
struct Moments {
  double count, mean, squares;

  /// The moments of both sets together (Chan, Golub & LeVeque 1983): no cancellation, whatever the mean.
  void join(Moments const& other) {
    double total = count + other.count, delta = other.mean - mean;
    if (total == 0) return;
    squares += other.squares + delta * delta * count * other.count / total;
    mean += delta * other.count / total;
    count = total;
  }
};

/// How x is cut, and the scratch memory that goes with it. A line is a few rows, so that a loop over its columns is
/// long enough for SIMD; the last line may be shorter. A block is a few lines that stay in cache; a task is a run of
/// blocks with its own columns and sums. All of it depends on the shape only.
template <class T> struct NormPlan {
  BatchNorm<T> const& a;
  int64_t row, width, lines, last_width, block_lines, blocks, tasks;

  explicit NormPlan(BatchNorm<T> const& args) : a(args) {
    row = int64_t(a.C) * a.G;
    int64_t fold = std::max<int64_t>(1, std::min(512 / row, a.rows));
    width = row * fold;
    lines = (a.rows + fold - 1) / fold;
    last_width = (a.rows - (lines - 1) * fold) * row;
    block_lines = std::max<int64_t>(4, (1 << 17) / (width * int64_t(sizeof(T))));
    blocks = (lines + block_lines - 1) / block_lines;
    tasks = std::min<int64_t>(blocks, 64);
  }

  size_t bytes() const {
    size_t sums_bytes = size_t(tasks) * a.C * (sizeof(Moments) + 2 * sizeof(double));
    return sums_bytes + size_t(3 * tasks + 5) * width * sizeof(T);
  }
  Moments* moments(int64_t task) const { return static_cast<Moments*>(a.work) + task * a.C; }
  double* sums(int64_t task) const { return reinterpret_cast<double*>(moments(tasks)) + task * 2 * a.C; }
  T* columns(int64_t task, int i) const { return reinterpret_cast<T*>(sums(tasks)) + (task * 3 + i) * width; }
  T* shared_columns(int i) const { return columns(tasks, i); }

  int64_t width_of(int64_t line) const { return line == lines - 1 ? last_width : width; }
  int64_t first_line(int64_t block) const { return block * block_lines; }
  int64_t last_line(int64_t block) const { return std::min(first_line(block + 1), lines); }
  double block_count(int64_t block) const {
    int64_t last = last_line(block) - 1;
    return double((last - first_line(block)) * width + width_of(last)) / a.C;
  }

  /// body(task, block) for all blocks, in order within a task, tasks spread over the threads.
  template <class F> void for_blocks(F const& body) const {
    parallel_tasks(tasks, [&](int64_t task) {
      for (int64_t b = task * blocks / tasks; b < (task + 1) * blocks / tasks; ++b) body(task, b);
    });
  }

  /// channel[c] += its columns.
  void add_columns(T const* column, double* channel) const {
    for (int64_t l = 0; l < width; l += row)
      for (int c = 0; c < a.C; ++c) {
        double sum = 0;
        for (int g = 0; g < a.G; ++g) sum += double(column[l + c * a.G + g]);
        channel[c] += sum;
      }
  }
  /// Every column of channel c becomes value(c).
  template <class F> void fill_columns(T* column, F const& value) const {
    for (int c = 0; c < a.C; ++c) std::fill_n(column + int64_t(c) * a.G, a.G, T(value(c)));
    for (int64_t l = row; l < width; l += row) std::copy_n(column, row, column + l);
  }
};

/// Joins the moments of one block: its sums give a pivot near the mean, about which the squares are taken.
template <class T> void join_block(NormPlan<T> const& p, int64_t task, int64_t block) {
  T *sum = p.columns(task, 0), *square = p.columns(task, 1), *pivot = p.columns(task, 2);
  double* total = p.sums(task);
  int C = p.a.C;
  double count = p.block_count(block);
  std::fill_n(sum, p.width, T(0));
  std::fill_n(total, C, 0.0);
  for (int64_t line = p.first_line(block); line < p.last_line(block); ++line) {
    T const* x = p.a.x + line * p.width;
    simd_for(
        0, p.width_of(line), [=](int64_t l) __attribute__((always_inline)) { sum[l] += x[l]; });
  }
  p.add_columns(sum, total);
  p.fill_columns(pivot, [=](int c) { return total[c] / count; });
  std::fill_n(sum, p.width, T(0));
  std::fill_n(square, p.width, T(0));
  std::fill_n(total, 2 * C, 0.0);
  for (int64_t line = p.first_line(block); line < p.last_line(block); ++line) {
    T const* x = p.a.x + line * p.width;
    simd_for(
        0, p.width_of(line), [=](int64_t l) __attribute__((always_inline)) {
          T const d = x[l] - pivot[l];
          sum[l] += d;
          square[l] += d * d;
        });
  }
  p.add_columns(sum, total);
  p.add_columns(square, total + C);
  for (int c = 0; c < C; ++c) {
    double shift = total[c] / count;
    p.moments(task)[c].join({count, double(pivot[int64_t(c) * p.a.G]) + shift, total[C + c] - shift * total[c]});
  }
}

/// The last step of the norm, column by column: x - mean first, and the mean's rounding error into the shift, so that it
/// is right also where |mean| is far above the spread.
template <class T> struct NormLine {
  T const *mean, *scale, *shift;

  explicit NormLine(NormPlan<T> const& p)
      : mean(p.shared_columns(0)), scale(p.shared_columns(1)), shift(p.shared_columns(2)) {
    BatchNorm<T> const& a = p.a;
    auto slope = [&a](int c) { return (a.weight ? double(a.weight[c]) : 1.0) * a.inv_std[c]; };
    p.fill_columns(p.shared_columns(0), [&](int c) { return a.mean[c]; });
    p.fill_columns(p.shared_columns(1), slope);
    p.fill_columns(p.shared_columns(2),
                   [&](int c) { return (a.bias ? double(a.bias[c]) : 0.0) - slope(c) * (a.mean[c] - T(a.mean[c])); });
  }
  D16_INLINE T operator()(T x, int64_t l) const { return (x - mean[l]) * scale[l] + shift[l]; }
};

/// body(l, dy[l]), or body(l, 0) where the ReLU has cut the result off: there it passes no gradient.
template <class T, class F>
void with_mask(int64_t count, T const* dy, T const* x, NormLine<T> const& norm, bool relu, F const& body) {
  if (relu)
    simd_for(
        0, count, [=](int64_t l) __attribute__((always_inline)) {
          T const g = dy[l];  // read in any case, so that the loop has no branch
          body(l, norm(x[l], l) > T(0) ? g : T(0));
        });
  else
    simd_for(
        0, count, [=](int64_t l) __attribute__((always_inline)) { body(l, dy[l]); });
}

/// Of channel c, from the sums over each image.
template <class T> Moments from_sums(BatchNorm<T> const& a, int c) {
  double const count = double(a.rows);
  double sum = 0, squares = 0;
  for (int64_t n = 0; n < a.images; ++n) sum += a.sums[(n * a.C + c) * 2], squares += a.sums[(n * a.C + c) * 2 + 1];
  double const about_mean = squares - sum * sum / count;
  return {count, sum / count, about_mean < 0 ? 0 : about_mean};  // a NaN stays one
}

/// Mean and inv_std from x; the running statistics follow.
template <class T> void norm_statistics(NormPlan<T> const& p) {
  BatchNorm<T> const& a = p.a;
  double const count = double(a.rows) * a.G;
  if (!a.moments && !a.sums) {
    std::fill_n(p.moments(0), p.tasks * a.C, Moments{0, 0, 0});
    p.for_blocks([&](int64_t task, int64_t block) { join_block(p, task, block); });
  }
  for (int c = 0; c < a.C; ++c) {
    Moments all{0, 0, 0};
    if (a.moments) all = {count, a.moments[c], a.moments[a.C + c] * count};
    else if (a.sums) all = from_sums(a, c);
    else
      for (int64_t task = 0; task < p.tasks; ++task) all.join(p.moments(task)[c]);
    a.mean[c] = all.mean;
    a.inv_std[c] = 1 / std::sqrt(all.squares / all.count + a.eps);
    if (a.running_mean) a.running_mean[c] += T(a.momentum * (all.mean - a.running_mean[c]));
    if (a.running_var) a.running_var[c] += T(a.momentum * (all.squares / (all.count - 1) - a.running_var[c]));
  }
}

}  // namespace detail

template <class T> size_t batch_norm_work_bytes(BatchNorm<T> const& a) { return detail::NormPlan<T>(a).bytes(); }

template <class T> int batch_norm_apply(BatchNorm<T> const& a) {
  detail::NormPlan<T> p(a);
  detail::NormLine<T> const norm(p);
  T const least = a.relu ? T(0) : -std::numeric_limits<T>::infinity();
  p.for_blocks([&](int64_t, int64_t block) {
    for (int64_t line = p.first_line(block); line < p.last_line(block); ++line) {
      T const* x = a.x + line * p.width;
      T* y = a.y + line * p.width;
      simd_for(
          0, p.width_of(line), [=](int64_t l) __attribute__((always_inline)) {
            T const value = norm(x[l], l);
            y[l] = value < least ? T(0) : value;
          });
    }
  });
  return ok;
}

template <class T> int batch_norm(BatchNorm<T> const& a) {
  if (a.rows == 0) return ok;
  if (a.training) {
    detail::norm_statistics(detail::NormPlan<T>(a));
  } else {
    for (int c = 0; c < a.C; ++c) {
      a.mean[c] = a.running_mean[c];
      a.inv_std[c] = 1 / std::sqrt(a.running_var[c] + a.eps);
    }
  }
  return a.y ? batch_norm_apply(a) : int(ok);
}

template <class T> int batch_norm_dw(BatchNorm<T> const& a) {
  detail::NormPlan<T> p(a);
  detail::NormLine<T> const norm(p);
  T const* mean = norm.mean;
  std::fill_n(p.sums(0), p.tasks * 2 * a.C, 0.0);
  p.for_blocks([&](int64_t task, int64_t block) {
    T *sum = p.columns(task, 0), *product = p.columns(task, 1);
    std::fill_n(sum, p.width, T(0));
    std::fill_n(product, p.width, T(0));
    for (int64_t line = p.first_line(block); line < p.last_line(block); ++line) {
      T const *x = a.x + line * p.width, *dy = a.dy + line * p.width;
      detail::with_mask(
          p.width_of(line), dy, x, norm, a.relu, [=](int64_t l, T g) __attribute__((always_inline)) {
            sum[l] += g;
            product[l] += g * (x[l] - mean[l]);
          });
    }
    p.add_columns(sum, p.sums(task));
    p.add_columns(product, p.sums(task) + a.C);
  });
  for (int c = 0; c < a.C; ++c) {
    double sum = 0, product = 0;
    for (int64_t task = 0; task < p.tasks; ++task) {
      sum += p.sums(task)[c];
      product += p.sums(task)[a.C + c];
    }
    a.db[c] = T(sum);
    a.dw[c] = T((product - (a.mean[c] - T(a.mean[c])) * sum) * a.inv_std[c]);
  }
  return ok;
}

template <class T> int batch_norm_dx(BatchNorm<T> const& a) {
  if (a.rows == 0) return ok;
  detail::NormPlan<T> p(a);
  double count = double(a.rows) * a.G;
  detail::NormLine<T> const norm(p);
  T const *mean = norm.mean, *scale = norm.scale;
  T *tilt = p.shared_columns(3), *shift = p.shared_columns(4);
  auto slope = [&](int c) { return (a.weight ? double(a.weight[c]) : 1.0) * a.inv_std[c]; };
  auto along_x = [&](int c) { return a.training ? slope(c) * a.inv_std[c] * a.dw[c] / count : 0; };
  auto constant = [&](int c) {
    return a.training ? along_x(c) * (a.mean[c] - T(a.mean[c])) - slope(c) * a.db[c] / count : 0;
  };
  p.fill_columns(tilt, along_x);
  p.fill_columns(shift, constant);
  p.for_blocks([&](int64_t, int64_t block) {
    for (int64_t line = p.first_line(block); line < p.last_line(block); ++line) {
      T const *x = a.x + line * p.width, *dy = a.dy + line * p.width;
      T* dx = a.dx + line * p.width;
      detail::with_mask(
          p.width_of(line), dy, x, norm, a.relu, [=](int64_t l, T g) __attribute__((always_inline)) {
            dx[l] = scale[l] * g - tilt[l] * (x[l] - mean[l]) + shift[l];
          });
    }
  });
  return ok;
}

}  // namespace d16::kernels::cpu
