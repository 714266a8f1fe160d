// Points to cluster: round groups of several widths, and what tests of laws do to them.
#pragma once
#include <cstdint>
#include <map>
#include <numeric>
#include <set>
#include <utility>
#include <vector>

#include <d16/core/parallel.hpp>
#include <d16/core/random.hpp>
#include <d16/core/tensor.hpp>

namespace points {

using d16::Tensor;

inline Tensor groups(int64_t rows, int64_t columns, int64_t count, uint64_t seed, double noise = 0.1) {
  d16::Random random(seed);
  std::vector<double> centres;
  for (int64_t i = 0; i < count * columns; ++i) centres.push_back(random.uniform(-4, 4));
  std::vector<float> x;
  for (int64_t i = 0; i < rows; ++i) {
    int64_t const g = random.integer(count);
    bool const anywhere = random.uniform() < noise;
    for (int64_t c = 0; c < columns; ++c)
      x.push_back(float(anywhere ? random.uniform(-6, 6)
                                 : centres[size_t(g * columns + c)] + (0.1 + 0.05 * double(g)) * random.normal()));
  }
  return d16::from(x, {rows, columns});
}

inline std::vector<int64_t> shuffled(int64_t rows, uint64_t seed) {
  std::vector<int64_t> order(static_cast<size_t>(rows));
  std::iota(order.begin(), order.end(), 0);
  d16::Random random(seed);
  for (int64_t i = rows - 1; i > 0; --i) std::swap(order[size_t(i)], order[size_t(random.integer(i + 1))]);
  return order;
}
inline Tensor rows_of(Tensor const& x, std::vector<int64_t> const& order) {
  std::vector<float> out;
  for (int64_t row : order)
    for (int64_t c = 0; c < x.dim(1); ++c) out.push_back(x.data<float>()[row * x.dim(1) + c]);
  return d16::from(out, {int64_t(order.size()), x.dim(1)});
}
/// The first two columns turned by 90 degrees: exact, so that every distance keeps its bits but for the order of sums.
inline Tensor quarter_turn(Tensor const& x) {
  Tensor out = x.clone();
  for (int64_t i = 0; i < x.dim(0); ++i) {
    float *p = out.data<float>() + i * x.dim(1), first = p[0];
    p[0] = -p[1], p[1] = first;
  }
  return out;
}

inline std::vector<int64_t> list(Tensor const& labels) {
  return {labels.data<int64_t>(), labels.data<int64_t>() + labels.numel()};
}
/// Whether two labellings are one up to names; noise stays noise.
inline bool same_clusters(std::vector<int64_t> const& a, std::vector<int64_t> const& b) {
  std::map<int64_t, int64_t> there{{-1, -1}}, back{{-1, -1}};
  for (size_t i = 0; i < a.size(); ++i)
    if (there.emplace(a[i], b[i]).first->second != b[i] || back.emplace(b[i], a[i]).first->second != a[i]) return false;
  return a.size() == b.size();
}

/// The same bits with one thread and with three.
template <class F> bool same_for_any_threads(F const& result) {
  d16::set_threads(1);
  auto const one = result();
  d16::set_threads(3);
  auto const three = result();
  d16::set_threads(0);
  return one == three;
}

inline std::vector<float> floats(Tensor const& x) { return {x.data<float>(), x.data<float>() + x.numel()}; }

}  // namespace points
