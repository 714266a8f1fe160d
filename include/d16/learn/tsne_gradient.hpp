// The divergence that t-SNE lowers, and its gradient: attraction along the affinities, repulsion of all pairs.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "affinities.hpp"
#include "repulsion_mesh.hpp"

namespace d16::learn {

enum class Repulsion {
  automatic,  ///< exact up to 2,000 rows, and on a GPU
  exact,      ///< all pairs
  mesh        ///< by Fourier transforms, on the host only
};

namespace detail {

D16_INLINE double pair_at(float const* y, int32_t position) {
  double bits;
  std::memcpy(&bits, y + 2 * position, sizeof bits);
  return bits;
}

/// x[l], y[l] = the pair number to[l] of xy, for all lanes.
template <int lanes> struct Gather;
template <> struct Gather<4> {
  D16_INLINE static void run(float const* xy, int32_t const* to, Vector<float, 4>& x, Vector<float, 4>& y) {
    typedef double Pairs __attribute__((vector_size(16)));
    Pairs const low = {pair_at(xy, to[0]), pair_at(xy, to[1])}, high = {pair_at(xy, to[2]), pair_at(xy, to[3])};
    Vector<float, 4> const a = (Vector<float, 4>)low, b = (Vector<float, 4>)high;
    x = __builtin_shufflevector(a, b, 0, 2, 4, 6);
    y = __builtin_shufflevector(a, b, 1, 3, 5, 7);
  }
};
template <> struct Gather<8> {
  D16_INLINE static void run(float const* xy, int32_t const* to, Vector<float, 8>& x, Vector<float, 8>& y) {
    typedef double Pairs __attribute__((vector_size(32)));
    Pairs const low = {pair_at(xy, to[0]), pair_at(xy, to[1]), pair_at(xy, to[2]), pair_at(xy, to[3])};
    Pairs const high = {pair_at(xy, to[4]), pair_at(xy, to[5]), pair_at(xy, to[6]), pair_at(xy, to[7])};
    Vector<float, 8> const a = (Vector<float, 8>)low, b = (Vector<float, 8>)high;
    x = __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
    y = __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
  }
};
template <> struct Gather<16> {
  D16_INLINE static void run(float const* xy, int32_t const* to, Vector<float, 16>& x, Vector<float, 16>& y) {
    typedef double Pairs __attribute__((vector_size(64)));
    Pairs const low = {pair_at(xy, to[0]), pair_at(xy, to[1]), pair_at(xy, to[2]), pair_at(xy, to[3]),
                       pair_at(xy, to[4]), pair_at(xy, to[5]), pair_at(xy, to[6]), pair_at(xy, to[7])};
    Pairs const high = {pair_at(xy, to[8]),  pair_at(xy, to[9]),  pair_at(xy, to[10]), pair_at(xy, to[11]),
                        pair_at(xy, to[12]), pair_at(xy, to[13]), pair_at(xy, to[14]), pair_at(xy, to[15])};
    Vector<float, 16> const a = (Vector<float, 16>)low, b = (Vector<float, 16>)high;
    x = __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    y = __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
  }
};

/// sum_j p_ij w_ij (y_i - y_j), w_ij = 1 / (1 + |y_i - y_j|^2), over one row of `count` elements in whole vectors.
template <int lanes> D16_INLINE std::pair<float, float> attraction(float const* y, float const* at, int32_t const* to,
                                                                   float const* p, int64_t count) {
  Vector<float, lanes> sum_x = {}, sum_y = {};
  for (int64_t j = 0; j < count; j += lanes) {
    Vector<float, lanes> x, z, weight;
    Gather<lanes>::run(y, to + j, x, z);
    load<lanes>(p + j, weight);
    x = at[0] - x, z = at[1] - z;
    weight /= 1 + x * x + z * z;
    sum_x += weight * x, sum_y += weight * z;
  }
  return {lane_sum<lanes>(sum_x), lane_sum<lanes>(sum_y)};
}

/// What the divergence has of P alone.
struct Entropy {
  double negative = 0, all_p = 0;

  explicit Entropy(Affinities const& a) {
    for (float p : a.p)
      if (p > 0) negative += double(p) * std::log(double(p)), all_p += double(p);
  }
  /// KL(P || Q) from the sum of p_ij log(1 + |y_i - y_j|^2) and Z.
  double divergence(double logs, double z) const { return negative + logs + all_p * std::log(z); }
};

/// KL(P || Q) = sum p_ij log(p_ij / q_ij), q_ij = w_ij / Z, Z = sum over all pairs of w. Maps are (x, y) pairs by
/// position. Its gradient is 4 sum_j (p_ij - q_ij) w_ij (y_i - y_j): attraction by p, repulsion by q.
/// Source   van der Maaten and Hinton 2008, eq. 5; van der Maaten 2014 for the two parts.
class TsneGradient {
 public:
  TsneGradient(Affinities const& a, Repulsion repulsion)
      : a_(a),
        exact_(repulsion == Repulsion::exact || (repulsion == Repulsion::automatic && a.rows() <= 2000)),
        entropy_(a),
        parts_(size_t((a.rows() + chunk - 1) / chunk)) {}

  /// A quarter of the gradient, with P times `exaggeration`. `shift` as in RepulsionMesh.
  void operator()(float const* y, float exaggeration, float shift, float* gradient) {
    repel(y, shift, gradient);
    float const share = float(1 / z_);
    parallel_chunks(a_.rows(), chunk, [&](int64_t begin, int64_t end) {
      with_lanes([&]<int lanes>() __attribute__((always_inline)) {
        for (int64_t i = begin; i < end; ++i) {
          int64_t const row = a_.start[size_t(i)];
          auto const [x, z] =
              attraction<lanes>(y, y + 2 * i, &a_.to[size_t(row)], &a_.p[size_t(row)], a_.start[size_t(i) + 1] - row);
          gradient[2 * i] = exaggeration * x - share * gradient[2 * i];
          gradient[2 * i + 1] = exaggeration * z - share * gradient[2 * i + 1];
        }
      });
    });
  }
  /// KL(P || Q) of the map that the last call was made for.
  double divergence(float const* y) {
    parallel_chunks(a_.rows(), chunk, [&](int64_t begin, int64_t end) {
      double sum = 0;
      for (int64_t i = begin; i < end; ++i) sum += row_divergence(y, i);
      parts_[size_t(begin / chunk)] = sum;
    });
    return entropy_.divergence(total(), z_);
  }

 private:
  static constexpr int64_t chunk = 512;

  double total() const {
    double sum = 0;
    for (double part : parts_) sum += part;
    return sum;
  }
  double row_divergence(float const* y, int64_t i) const {
    double sum = 0;
    for (int64_t row = a_.start[size_t(i)]; row < a_.start[size_t(i) + 1]; row += Affinities::block) {
      float logs[Affinities::block];
      for (int64_t l = 0; l < Affinities::block; ++l) {
        float const *b = y + 2 * a_.to[size_t(row + l)], dx = y[2 * i] - b[0], dy = y[2 * i + 1] - b[1];
        logs[l] = 1 + dx * dx + dy * dy;
      }
      for (float& l : logs) l = kernels::cpu::math::log(l);
      for (int64_t l = 0; l < Affinities::block; ++l) sum += double(a_.p[size_t(row + l)]) * double(logs[l]);
    }
    return sum;
  }

  /// gradient_i = sum_j w_ij^2 (y_i - y_j), and Z.
  void repel(float const* y, float shift, float* gradient) {
    if (exact_) return repel_exactly(y, gradient);
    mesh_.set(y, a_.rows(), shift);
    z_ = mesh_.sum_of_potentials() - double(a_.rows());  // without w_ii = 1
    parallel_for(a_.rows(), [&](int64_t i) {
      auto const force = mesh_.at(y[2 * i], y[2 * i + 1]);
      gradient[2 * i] = -force.x / 2, gradient[2 * i + 1] = -force.y / 2;
    });
  }
  void repel_exactly(float const* y, float* gradient) {
    int64_t const n = a_.rows(), whole = (n + 15) / 16 * 16;
    xs_.assign(size_t(whole), 1e15f), ys_ = xs_;  // so far away that it counts as nothing
    for (int64_t i = 0; i < n; ++i) xs_[size_t(i)] = y[2 * i], ys_[size_t(i)] = y[2 * i + 1];
    parallel_chunks(n, chunk, [&](int64_t begin, int64_t end) {
      double sum = 0;
      with_lanes([&]<int lanes>() __attribute__((always_inline)) {
        for (int64_t i = begin; i < end; ++i) {
          Vector<float, lanes> x, z, sum_x = {}, sum_y = {}, sum_w = {};
          for (int64_t j = 0; j < whole; j += lanes) {
            load<lanes>(&xs_[size_t(j)], x), load<lanes>(&ys_[size_t(j)], z);
            x = y[2 * i] - x, z = y[2 * i + 1] - z;
            Vector<float, lanes> const w = 1 / (1 + x * x + z * z), square = w * w;
            sum_w += w, sum_x += square * x, sum_y += square * z;
          }
          sum += double(lane_sum<lanes>(sum_w)) - 1;
          gradient[2 * i] = lane_sum<lanes>(sum_x), gradient[2 * i + 1] = lane_sum<lanes>(sum_y);
        }
      });
      parts_[size_t(begin / chunk)] = sum;
    });
    z_ = total();
  }

  Affinities const& a_;
  bool exact_;
  Entropy entropy_;
  double z_ = 1;
  std::vector<double> parts_;
  RepulsionMesh mesh_;
  std::vector<float> xs_, ys_;
};

}  // namespace detail
}  // namespace d16::learn
