// The repulsion of all points of a map by all others: sums of 1 / (1 + d^2) and their gradients, on a mesh.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "../core/parallel.hpp"
#include "fourier_columns.hpp"

namespace d16::learn::detail {

/// phi(y) = sum_j K(y - y_j), K(d) = 1 / (1 + |d|^2), with K replaced by the cubic spline through its values on a mesh
/// in both arguments: charges are spread over 4 x 4 nodes, convolved with K by Fourier transforms on a mesh twice as
/// large, so that nothing comes around, and the potential is interpolated from 4 x 4 nodes. The gradient of the spline
/// is the force. The transform of K is divided by that of the splines' values on the nodes, once for each argument.
/// Cost     N + 7.5 n^2 log2 n for a mesh of n x n; n grows with the extent of the map.   Deterministic  for any number
///          of threads.
/// Source   Linderman et al. 2019, "Fast interpolation-based t-SNE" (Lagrange polynomials, four transforms each way);
///          Essmann et al. 1995, "A smooth particle mesh Ewald method" for the splines.
class RepulsionMesh {
 public:
  static constexpr float spacing = 0.35f;   ///< between nodes; K is 1 wide
  static constexpr int64_t largest = 6144;  ///< nodes along a side with padding; beyond, they are farther apart
  static constexpr float margin = 1.25f;    ///< cells before the first point: one for its spline, the rest for rounding

  struct Force {
    float phi, x, y;  ///< the potential and its gradient
  };

  /// Potential of unit charges at (x, y) pairs. `shift` in [0, 1) moves the nodes by a part of the spacing: the errors
  /// of the interpolation then differ from call to call and average out. Points are finite and about 0, from where their
  /// digits count.      Errors   ValueError: the points have no finite extent.
  void set(float const* points, int64_t count, float shift) {
    place(points, count, shift);
    spread(points, count);
    convolve();
  }
  /// sum_i phi(y_i), the points themselves included.
  double sum_of_potentials() const {
    double sum = 0;
    for (double part : row_sums_) sum += part;
    return sum;
  }
  /// At a point within the box around the charges; from outside the nearest one in the box is taken.
  D16_INLINE Force at(float x, float y) const {
    Spline const sx(cell(x, left_)), sy(cell(y, low_));
    float const* node = &nodes_[size_t(sy.first * half_ + sx.first)];
    Four phi = {}, slope = {};
    for (int r = 0; r < 4; ++r) {
      Four row;
      load<4>(node + r * half_, row);
      phi += sy.weight[r] * row, slope += sy.slope[r] * row;
    }
    Four wx, dx;
    load<4>(sx.weight, wx), load<4>(sx.slope, dx);
    Four const a = phi * wx, b = phi * dx, c = slope * wx;
    return {a[0] + a[1] + a[2] + a[3], (b[0] + b[1] + b[2] + b[3]) * inverse_, (c[0] + c[1] + c[2] + c[3]) * inverse_};
  }
  /// The nearest point for which at() is defined.
  void clamp(float& x, float& y) const {
    float const least = margin / inverse_, most = (float(half_ - 3) - margin) / inverse_;
    x = std::clamp(x, left_ + least, left_ + most), y = std::clamp(y, low_ + least, low_ + most);
  }

 private:
  using Four = Vector<float, 4>;

  /// The four cubic B-splines about a place in units of the spacing, and their derivatives.
  struct Spline {
    int64_t first;
    float weight[4], slope[4];
    D16_INLINE explicit Spline(float place) {
      int64_t const cell = int64_t(place);
      float const t = place - float(cell), s = 1 - t;
      first = cell - 1;
      weight[0] = s * s * s / 6, weight[3] = t * t * t / 6;
      weight[1] = (3 * t - 6) * t * t / 6 + 2.0f / 3, weight[2] = 1 - weight[0] - weight[1] - weight[3];
      slope[0] = -s * s / 2, slope[1] = (1.5f * t - 2) * t, slope[3] = t * t / 2;
      slope[2] = -slope[0] - slope[1] - slope[3];
    }
  };
  /// A coordinate in units of the spacing. Whatever it is, its four splines are on the mesh.
  D16_INLINE float cell(float coordinate, float from) const {
    return std::min(float(half_ - 3), std::max(1.0f, (coordinate - from) * inverse_));
  }
  struct Plan {
    FourierColumns columns;
    std::vector<float> kernel;  ///< by blocks of 16 frequencies v: (u, 16)
  };

  void place(float const* points, int64_t count, float shift) {
    float lowest[2] = {points[0], points[1]}, highest[2] = {points[0], points[1]};
    for (int64_t i = 0; i < 2 * count; ++i) {
      lowest[i % 2] = std::min(lowest[i % 2], points[i]), highest[i % 2] = std::max(highest[i % 2], points[i]);
    }
    double const extent = std::max(double(highest[0]) - double(lowest[0]), double(highest[1]) - double(lowest[1]));
    require<ValueError>(std::isfinite(extent), "RepulsionMesh: a place of the map is not finite");
    double step = spacing;
    while (step > spacing / 4 && nodes_for(extent, step / 2) <= 128) step /= 2;  // finer still is lost to rounding
    while (extent / step > double(largest / 2 - 7)) step *= 2;
    int64_t const n = nodes_for(extent, step);
    if (plan_ == nullptr || n != plan_->columns.length() || step != step_) {
      plan_ = &plans_.try_emplace({n, step}, Plan{FourierColumns(n), {}}).first->second;
      if (plan_->kernel.empty()) plan_->kernel = kernel_spectrum(plan_->columns, step);
    }
    step_ = step, half_ = n / 2, inverse_ = float(1 / step);
    left_ = lowest[0] - float(step) * (margin + shift), low_ = lowest[1] - float(step) * (margin + shift);
  }
  /// With padding: at least twice the cells that the points need, and seven more for margins, shift and splines.
  static int64_t nodes_for(double extent, double step) {
    int64_t const least = 2 * (int64_t(extent / step) + 7);
    int64_t power = 64;
    while (power < least) power *= 2;
    return power > 128 && power / 4 * 3 >= least ? power / 4 * 3 : power;  // multiples of 64
  }

  /// Bands of rows, so that two bands that are not neighbours can be filled at once, each in the order of the points.
  void spread(float const* points, int64_t count) {
    constexpr int64_t band = 8;
    int64_t const bands = half_ / band + 1;
    nodes_.assign(size_t(half_ * half_ + columns), 0.0f);
    starts_.assign(size_t(bands + 1), 0), of_.resize(size_t(count));
    auto band_of = [&](int64_t i) { return int64_t(cell(points[2 * i + 1], low_)) / band; };
    for (int64_t i = 0; i < count; ++i) ++starts_[size_t(band_of(i))];
    for (int64_t b = 0, sum = 0; b <= bands; ++b) sum += std::exchange(starts_[size_t(b)], sum);
    for (int64_t i = 0; i < count; ++i) of_[size_t(starts_[size_t(band_of(i))]++)] = int32_t(i);
    for (int64_t parity : {0, 1})
      parallel_tasks((bands + 1 - parity) / 2, [&](int64_t task) {
        int64_t const b = 2 * task + parity;
        for (int64_t at = b == 0 ? 0 : starts_[size_t(b - 1)]; at < starts_[size_t(b)]; ++at) {
          float const* p = points + 2 * of_[size_t(at)];
          Spline const sx(cell(p[0], left_)), sy(cell(p[1], low_));
          Four wx;
          load<4>(sx.weight, wx);
          float* node = &nodes_[size_t(sy.first * half_ + sx.first)];
          for (int r = 0; r < 4; ++r, node += half_) {
            Four row;
            load<4>(node, row);
            store<4>(row + sy.weight[r] * wx, node);
          }
        }
      });
  }

  static constexpr int64_t columns = FourierColumns::columns, element = FourierColumns::element;

  /// In the places of the real image at (x, y): first along y, where a column of the left half and one of the right are
  /// the real and imaginary part of one; then along x, there and back, where only half the frequencies v matter.
  void convolve() {
    int64_t const n = 2 * half_, blocks = half_ / columns + 1;  // of frequencies v
    along_x_.resize(size_t(blocks * half_ * element));
    charges_ = nodes_;
    parallel_tasks((half_ / 2) / columns, [&](int64_t c) { forward_y(c * columns, n); });
    parallel_tasks(blocks, [&](int64_t b) { convolve_x(b, n); });
    parallel_tasks((half_ / 2) / columns, [&](int64_t c) { backward_y(c * columns, n); });
    row_sums_.assign(size_t(half_), 0.0);
    parallel_chunks(half_, 16, [&](int64_t begin, int64_t end) {
      for (int64_t y = begin; y < end; ++y)
        for (int64_t x = y * half_; x < (y + 1) * half_; ++x)
          row_sums_[size_t(y)] += double(charges_[size_t(x)]) * double(nodes_[size_t(x)]);
    });
  }
  /// The place of frequency v of column x, in blocks of 16 frequencies.
  size_t place_of(int64_t x, int64_t v) const { return size_t(((v / columns) * half_ + x) * element + v % columns); }
  void forward_y(int64_t x, int64_t n) {
    std::vector<float> work(size_t(2 * n * element));
    float* z = work.data();
    for (int64_t y = 0; y < half_; ++y)
      for (int64_t part : {0, 1})
        std::copy_n(&nodes_[size_t(y * half_ + x + part * half_ / 2)], columns, z + y * element + part * columns);
    transform(z, z + n * element, 0);
    for (int64_t v = 0; v <= half_; ++v) {
      float const *a = z + v * element, *b = z + (n - v) % n * element;
      for (int64_t c = 0; c < columns; ++c) {
        float* left = &along_x_[place_of(x + c, v)];
        float* right = &along_x_[place_of(x + c + half_ / 2, v)];
        left[0] = (a[c] + b[c]) / 2, left[columns] = (a[c + columns] - b[c + columns]) / 2;
        right[0] = (a[c + columns] + b[c + columns]) / 2, right[columns] = (b[c] - a[c]) / 2;
      }
    }
  }
  void convolve_x(int64_t block, int64_t n) {
    std::vector<float> work(size_t(2 * n * element));
    float *z = work.data(), *kept = &along_x_[size_t(block * half_ * element)];
    std::copy_n(kept, half_ * element, z);
    float const* kernel = &plan_->kernel[size_t(block * n * columns)];
    transform(z, z + n * element, 0);
    for (int64_t u = 0; u < n; ++u)
      for (int64_t c = 0; c < columns; ++c)
        z[u * element + c] *= kernel[u * columns + c], z[u * element + columns + c] *= kernel[u * columns + c];
    transform(z, z + n * element, columns);
    std::copy_n(z, half_ * element, kept);
  }
  void backward_y(int64_t x, int64_t n) {
    std::vector<float> work(size_t(2 * n * element));
    float* z = work.data();
    for (int64_t v = 0; v <= half_; ++v) {
      float *a = z + v * element, *b = z + (n - v) % n * element;
      for (int64_t c = 0; c < columns; ++c) {
        float const* left = &along_x_[place_of(x + c, v)];
        float const* right = &along_x_[place_of(x + c + half_ / 2, v)];
        b[c] = left[0] + right[columns], b[c + columns] = right[0] - left[columns];
        a[c] = left[0] - right[columns], a[c + columns] = left[columns] + right[0];
      }
    }
    transform(z, z + n * element, columns);
    for (int64_t y = 0; y < half_; ++y)
      for (int64_t part : {0, 1})
        std::copy_n(z + y * element + part * columns, columns, &nodes_[size_t(y * half_ + x + part * half_ / 2)]);
  }
  void transform(float* z, float* scratch, int64_t real) const { transform(plan_->columns, z, scratch, real); }
  static void transform(FourierColumns const& f, float* z, float* scratch, int64_t real) {
    with_lanes([&]<int lanes>() __attribute__((always_inline)) { f.run<lanes>(z, scratch, real); });
  }

  /// Of K on an n x n mesh that is closed to a ring, over the splines' transforms and n^2. Real, since K is even.
  static std::vector<float> kernel_spectrum(FourierColumns const& f, double step) {
    int64_t const n = f.length(), blocks = n / 2 / columns + 1;
    std::vector<float> half(size_t(blocks * n * columns), 0.0f), spectrum(half.size(), 0.0f);
    parallel_tasks(n / columns, [&](int64_t block) {  // along y, for 16 x at a time
      std::vector<float> work(size_t(2 * n * element));
      auto distance = [&](int64_t i) { return step * double(std::min(i, n - i)); };
      for (int64_t y = 0; y < n; ++y)
        for (int64_t c = 0; c < columns; ++c) {
          double const dx = distance(block * columns + c), dy = distance(y);
          work[size_t(y * element + c)] = float(1 / (1 + dx * dx + dy * dy));
        }
      transform(f, work.data(), work.data() + n * element, 0);
      for (int64_t v = 0; v <= n / 2; ++v)
        for (int64_t c = 0; c < columns; ++c)
          half[size_t(((v / columns) * n + block * columns + c) * columns + v % columns)] =
              work[size_t(v * element + c)];
    });
    auto values = [&](int64_t k) { return (4 + 2 * std::cos(6.283185307179586 * double(k) / double(n))) / 6; };
    parallel_tasks(blocks, [&](int64_t b) {
      std::vector<float> work(size_t(2 * n * element));
      for (int64_t x = 0; x < n; ++x)
        std::copy_n(&half[size_t((b * n + x) * columns)], columns, &work[size_t(x * element)]);
      transform(f, work.data(), work.data() + n * element, 0);
      for (int64_t u = 0; u < n; ++u)
        for (int64_t c = 0; c < columns; ++c) {
          double const splines = values(u) * values(b * columns + c);
          spectrum[size_t((b * n + u) * columns + c)] =
              float(double(work[size_t(u * element + c)]) / (splines * splines * double(n) * double(n)));
        }
    });
    return spectrum;
  }

  std::map<std::pair<int64_t, double>, Plan> plans_;
  Plan* plan_ = nullptr;
  double step_ = spacing;
  int64_t half_ = 0;  ///< nodes along a side, without padding
  float left_ = 0, low_ = 0, inverse_ = 1;
  std::vector<float> nodes_, charges_, along_x_;
  std::vector<double> row_sums_;
  std::vector<int64_t> starts_;
  std::vector<int32_t> of_;
};

}  // namespace d16::learn::detail
