// t-SNE: a map of the rows of a table in the plane that keeps near rows near, and the places of new rows in it.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "principal_axes.hpp"
#include "tsne_device.hpp"

namespace d16::learn {

struct TsneProgress {
  int64_t iteration, iterations;
  double divergence;  ///< KL(P || Q), without exaggeration
};

struct TsneOptions {
  double perplexity = 30;  ///< neighbours that count, about; 3 x as many are looked at
  int64_t early_iterations = 250, iterations = 500;
  double early_exaggeration = 12, exaggeration = 1;  ///< factors of the attraction
  double learning_rate = 0;                          ///< 0: N / exaggeration
  double momentum = 0.8;
  Tensor start = {};  ///< (N,2); undefined: the principal components, 1e-4 wide
  uint64_t seed = 0;  ///< of the start's 1e-6 of noise, which parts equal rows
  Repulsion repulsion = Repulsion::automatic;
  int64_t report_every = 50;
  std::function<bool(TsneProgress const&)> progress = {};  ///< false stops; called every so many iterations
};

struct TsneMap {
  Tensor y = {};  ///< (N,2) float32, on the device of the rows
  double divergence = 0;
  int64_t iterations = 0;  ///< done
};

namespace detail {

/// Rows of pairs by position from rows of the table.
inline std::vector<float> by_position(float const* rows, std::vector<int32_t> const& order) {
  std::vector<float> y(2 * order.size());
  for (size_t p = 0; p < order.size(); ++p)
    y[2 * p] = rows[2 * size_t(order[p])], y[2 * p + 1] = rows[2 * size_t(order[p]) + 1];
  return y;
}
inline Tensor by_row(std::vector<float> const& y, std::vector<int32_t> const& order) {
  Tensor out = empty({int64_t(order.size()), 2}, {.dtype = DType::f32, .device = Device()});
  float* rows = out.data<float>();
  for (size_t p = 0; p < order.size(); ++p)
    rows[2 * size_t(order[p])] = y[2 * p], rows[2 * size_t(order[p]) + 1] = y[2 * p + 1];
  return out;
}

/// Principal components, the first with a standard deviation of 1e-4.
inline std::vector<float> principal_start(Matrix const& x, uint64_t seed) {
  std::vector<double> const places = principal_places(x);
  double square = 0;
  for (size_t i = 0; i < places.size(); i += 2) square += places[i] * places[i] / double(x.rows);
  double const scale = square > 0 ? 1e-4 / std::sqrt(square) : 0;
  Random random(seed);
  std::vector<float> y;
  for (double place : places) y.push_back(float(scale * place + 1e-6 * random.normal()));
  return y;
}

/// Momentum with gains: a coordinate whose gradient keeps its sign is sped up, one that turns around is slowed down.
/// Source   Jacobs 1988; van der Maaten and Hinton 2008, section 3.4. Steps are at most 5 long.
class MapDescent {
 public:
  explicit MapDescent(int64_t rows) : update_(size_t(2 * rows), 0.0f), gain_(size_t(2 * rows), 1.0f) {}

  /// Moves the i-th place, at y, against the gradient there.
  void step(float* y, float const* gradient, int64_t i, float rate, float momentum) {
    float* update = &update_[size_t(2 * i)];
    for (int64_t k = 0; k < 2; ++k) {
      float& gain = gain_[size_t(2 * i + k)];
      float const g = gradient[k];
      bool const same = (update[k] > 0) == (g > 0) && (update[k] < 0) == (g < 0);  // up the slope
      gain = same ? gain * 0.8f + 0.01f : gain + 0.2f;
      update[k] = momentum * update[k] - rate * gain * g;
    }
    float const length = std::sqrt(update[0] * update[0] + update[1] * update[1]), shrink = length > 5 ? 5 / length : 1;
    for (int64_t k = 0; k < 2; ++k) y[k] += update[k] *= shrink;
  }

 private:
  std::vector<float> update_, gain_;
};

constexpr char const* ran_away = "the map ran away to infinity; lower learning_rate";

/// About the mean, which is returned. Errors   ValueError: a place is not finite.
inline std::pair<float, float> centre(std::vector<float>& y) {
  int64_t const n = int64_t(y.size()) / 2, chunk = 8192;
  std::vector<double> sums(size_t(2 * ((n + chunk - 1) / chunk)), 0.0);
  parallel_chunks(n, chunk, [&](int64_t begin, int64_t end) {
    double x = 0, z = 0;
    for (int64_t i = begin; i < end; ++i) x += double(y[size_t(2 * i)]), z += double(y[size_t(2 * i + 1)]);
    sums[size_t(2 * (begin / chunk))] = x, sums[size_t(2 * (begin / chunk) + 1)] = z;
  });
  double mean[2] = {};
  for (size_t i = 0; i < sums.size(); ++i) mean[i % 2] += sums[i] / double(n);
  require<ValueError>(std::isfinite(mean[0] + mean[1]), "tsne: ", ran_away);
  parallel_for(2 * n, [&](int64_t i) { y[size_t(i)] -= float(mean[i % 2]); });
  return {float(mean[0]), float(mean[1])};
}

/// A map on the host, by position; DeviceMap is the same elsewhere.
class HostMap {
 public:
  HostMap(Affinities const& a, Repulsion repulsion, std::vector<float> y)
      : rows_(a.rows()), gradient_of_(a, repulsion), descent_(rows_), y_(std::move(y)), gradient_(y_.size()) {
    centre(y_);
  }

  void differentiate(double exaggeration, float shift, bool) {
    gradient_of_(y_.data(), float(exaggeration), shift, gradient_.data());
  }
  double divergence() { return gradient_of_.divergence(y_.data()); }
  void step(double rate, double momentum) {
    parallel_for(rows_, [&](int64_t r) {
      descent_.step(&y_[size_t(2 * r)], &gradient_[size_t(2 * r)], r, float(rate), float(momentum));
    });
    centre(y_);
  }
  std::vector<float> places() const { return y_; }
  std::vector<float> gradient() const { return gradient_; }

 private:
  int64_t rows_;
  TsneGradient gradient_of_;
  MapDescent descent_;
  std::vector<float> y_, gradient_;
};

/// Runs both phases on a map.
template <class Map> class TsneDescent {
 public:
  TsneDescent(Map& map, int64_t rows, TsneOptions const& o) : at_(map), rows_(rows), o_(o) {}

  TsneMap run() {
    bool const go_on = phase(o_.early_iterations, o_.early_exaggeration);
    if (go_on) phase(o_.iterations, o_.exaggeration);
    at_.differentiate(1, 0, true);
    map_.divergence = divergence();
    return map_;
  }

 private:
  bool phase(int64_t iterations, double exaggeration) {
    double const rate = o_.learning_rate > 0 ? o_.learning_rate : double(rows_) / exaggeration;
    for (int64_t i = 0; i < iterations; ++i) {
      float const shift = float(std::fmod(0.6180339887 * double(map_.iterations), 1.0));
      bool const told = o_.progress && (map_.iterations + 1) % o_.report_every == 0;
      at_.differentiate(exaggeration, shift, told);
      ++map_.iterations;
      if (told && !o_.progress({map_.iterations, o_.early_iterations + o_.iterations, divergence()})) return false;
      at_.step(rate, o_.momentum);
    }
    return true;
  }
  double divergence() {
    double const value = at_.divergence();
    require<ValueError>(std::isfinite(value), "tsne: ", ran_away);
    return value;
  }

  Map& at_;
  int64_t rows_;
  TsneOptions const& o_;
  TsneMap map_;
};

inline Matrix pairs(char const* op, char const* what, Tensor const& y, int64_t rows) {
  Matrix m = finite_matrix(op, y);
  require<ShapeError>(m.rows == rows && m.columns == 2, op, ": ", what, " is ", y.shape(), "; (", rows,
                      ",2) is needed, a place for each row of x");
  return m;
}

inline void check(char const* op, TsneOptions const& o) {
  require<ValueError>(o.early_iterations >= 0 && o.iterations >= 0, op, ": ", o.early_iterations, " and ", o.iterations,
                      " iterations; numbers from 0 up are needed");
  require<ValueError>(o.early_exaggeration > 0 && o.exaggeration > 0, op, ": exaggerations are ", o.early_exaggeration,
                      " and ", o.exaggeration, "; positive numbers are needed");
  require<ValueError>(o.learning_rate >= 0, op, ": learning_rate is ", o.learning_rate, "; 0 chooses one");
  require<ValueError>(o.momentum >= 0 && o.momentum < 1, op, ": momentum is ", o.momentum, "; 0 up to below 1");
  require<ValueError>(o.report_every > 0, op, ": report_every is ", o.report_every, "; 1 is the least");
}

/// use(map) with the map where its rows are.
template <class Use> auto with_map(char const* op, Affinities const& a, Repulsion repulsion, Device device,
                                   std::vector<float> y, Use const& use) {
  if (device == Device()) {
    HostMap map(a, repulsion, std::move(y));
    return use(map);
  }
  require<ValueError>(repulsion != Repulsion::mesh, op, ": the rows are on ", device,
                      ", where all pairs are counted; a mesh needs them on the cpu, use to(\"cpu\")");
  DeviceMap map(a, device, y);
  return use(map);
}

}  // namespace detail

/// A map by gradient descent on KL(P || Q) with early exaggeration, momentum and gains; the schedule is openTSNE's. Rows
/// on a GPU: neighbours are found on the host, the descent runs on the GPU, over all pairs.
/// Shapes   x (N,F), N > 3 x perplexity.   Cost  nearest_neighbours() for 3 x perplexity of them, then for each
/// iteration about 5 x perplexity N for the attraction and N + n^2 log n for the repulsion on a mesh of n x n; on a GPU
/// N^2 for the repulsion.
/// Deterministic  for a seed, whatever the number of threads.
/// Errors   ShapeError, DTypeError; ValueError for NaN, infinities, too large a perplexity, options out of range, a mesh
///          on a GPU, a map that runs away.
/// Source   van der Maaten and Hinton 2008; Belkina et al. 2019 for the learning rate; Kobak and Berens 2019 for the
///          start; Policar, Strazar and Zupan 2024, openTSNE, for the schedule.
inline TsneMap tsne(Tensor const& x, TsneOptions const& o = {}) {
  char const* op = "tsne";
  detail::Matrix const m = detail::finite_matrix(op, x);
  detail::check(op, o);
  detail::Affinities const a = detail::affinities(op, m, o.perplexity);
  std::vector<float> y;
  if (o.start.defined()) y = detail::by_position(detail::pairs(op, "start", o.start, m.rows).data, a.order);
  else y = detail::by_position(detail::principal_start(m, o.seed).data(), a.order);
  return detail::with_map(op, a, o.repulsion, x.device(), std::move(y), [&](auto& at) {
    TsneMap map = detail::TsneDescent(at, m.rows, o).run();
    map.y = detail::by_row(at.places(), a.order).to(x.device());
    return map;
  });
}

struct TsneDivergence {
  double value;          ///< KL(P || Q)
  Tensor gradient = {};  ///< (N,2) of it, by the places of the rows
};

/// How far a map is from the affinities of its rows; all pairs are counted unless `repulsion` says otherwise.
/// Shapes   x (N,F), y (N,2); the gradient is on the device of x.   Cost  N^2.   Errors  as tsne().
inline TsneDivergence tsne_divergence(Tensor const& x, Tensor const& y, double perplexity = 30,
                                      Repulsion repulsion = Repulsion::exact) {
  char const* op = "tsne_divergence";
  detail::Matrix const m = detail::finite_matrix(op, x), places = detail::pairs(op, "y", y, m.rows);
  detail::Affinities const a = detail::affinities(op, m, perplexity);
  return detail::with_map(op, a, repulsion, x.device(), detail::by_position(places.data, a.order), [&](auto& at) {
    at.differentiate(1, 0, true);
    std::vector<float> gradient = at.gradient();
    for (float& g : gradient) g *= 4;
    return TsneDivergence{at.divergence(), detail::by_row(gradient, a.order).to(x.device())};
  });
}

struct PlaceOptions {
  double perplexity = 5;
  int64_t iterations = 250;
  double learning_rate = 0.1, momentum = 0.8;
};

/// Places for new rows in a map that stays as it is: each starts at the mean of its neighbours' places, weighted by its
/// affinities, and descends on its own KL(p || q) against all rows of the map, so that its place does not depend on what
/// other rows are asked for.
/// Shapes   x (N,F), y (N,2) its map, rows (M,F), result (M,2) float32.   Cost  nearest_neighbours(), one mesh of the
/// map, and 3 x perplexity M per iteration.   Deterministic.   Errors  as tsne().
/// Source   Policar, Strazar and Zupan 2021, "Embedding to reference t-SNE space addresses batch effects".
inline Tensor tsne_place(Tensor const& x, Tensor const& y, Tensor const& rows, PlaceOptions const& o = {}) {
  char const* op = "tsne_place";
  detail::Matrix const m = detail::finite_matrix(op, x), asked = detail::finite_matrix(op, rows, m.columns);
  detail::Matrix const map = detail::pairs(op, "y", y, m.rows);
  require<ValueError>(o.iterations >= 0 && o.learning_rate > 0 && o.momentum >= 0 && o.momentum < 1, op,
                      ": iterations ", o.iterations, ", learning_rate ", o.learning_rate, ", momentum ", o.momentum,
                      "; from 0, above 0, from 0 and below 1 are needed");
  int64_t const k = detail::perplexity_neighbours(op, o.perplexity, m.rows), n = asked.rows;
  detail::Conditionals found{k, {}, {}};
  std::vector<float> squares;
  for (uint64_t key : detail::neighbour_keys(m, asked, false, k))
    found.to.push_back(int32_t(uint32_t(key))), squares.push_back(detail::square_of(key));
  found = detail::conditionals(std::move(found), squares, o.perplexity);

  std::vector<float> there(map.data, map.data + 2 * m.rows);
  std::pair<float, float> const middle = detail::centre(there);
  detail::RepulsionMesh mesh;
  mesh.set(there.data(), m.rows, 0);
  Tensor out = zeros({n, 2}, {.dtype = DType::f32, .device = Device()});
  float* places = out.data<float>();
  detail::MapDescent descent(n);
  parallel_for(n, [&](int64_t i) {
    int32_t const* to = &found.to[size_t(i * k)];
    float const* p = &found.p[size_t(i * k)];
    float* place = places + 2 * i;
    for (int64_t j = 0; j < 2 * k; ++j) place[j % 2] += p[j / 2] * there[size_t(2 * to[j / 2] + j % 2)];
    for (int64_t iteration = 0; iteration < o.iterations; ++iteration) {
      auto const force = mesh.at(place[0], place[1]);
      float gradient[2] = {force.x / (2 * force.phi), force.y / (2 * force.phi)};
      for (int64_t j = 0; j < k; ++j) {
        float const *other = &there[size_t(2 * to[j])], dx = place[0] - other[0], dy = place[1] - other[1];
        float const weight = p[j] / (1 + dx * dx + dy * dy);
        gradient[0] += weight * dx, gradient[1] += weight * dy;
      }
      descent.step(place, gradient, i, float(o.learning_rate), float(o.momentum));
      mesh.clamp(place[0], place[1]);
    }
    place[0] += middle.first, place[1] += middle.second;
  });
  return out;
}

}  // namespace d16::learn
