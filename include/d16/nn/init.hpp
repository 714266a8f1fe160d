// First values of weights, scaled so that signals keep their size from layer to layer.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>

#include "../core/tensor.hpp"
#include "../group/steerable_filter.hpp"

namespace d16::nn {

/// A half of the signal is lost in a ReLU, so the weights before it are drawn with twice the variance.
constexpr double relu_gain = 2;

namespace detail {
inline int64_t& weights_left() {
  static thread_local int64_t left = std::numeric_limits<int64_t>::max();
  return left;
}
}  // namespace detail

/// While it lives, the layers made on this thread may have so many weights together: a damaged description of a network
/// must not fill the memory before its weights turn out to be missing.
class WeightLimit {
 public:
  explicit WeightLimit(int64_t count) : before_(detail::weights_left()) { detail::weights_left() = count; }
  ~WeightLimit() { detail::weights_left() = before_; }
  WeightLimit(WeightLimit const&) = delete;
  WeightLimit& operator=(WeightLimit const&) = delete;

  static void claim(Shape const& shape) {
    int64_t count = shape.numel();
    require<ValueError>(count <= detail::weights_left(), "network: a layer has ", count,
                        " weights, more than there are");
    detail::weights_left() -= count;
  }
  /// The shape (channels) of each of some tensors, when all have been claimed.
  static Shape of_each(int tensors, int channels) {
    claim({tensors, channels});
    return {channels};
  }

 private:
  int64_t before_;
};

/// Normal with variance gain / fan_in: the sum of fan_in products then has variance gain * E[x^2].
/// Deterministic  takes one draw of the default generator.
/// Source   He et al. 2015, arXiv:1502.01852, equation 10.
inline Tensor he_normal(Shape shape, int64_t fan_in, double gain = relu_gain) {
  WeightLimit::claim(shape);
  Tensor w = normal(shape);
  float deviation = float(std::sqrt(gain / double(fan_in)));
  for (float& value : w.host<float>()) value *= deviation;
  return w;
}

/// He's condition for weights w[o,c,v,u] on a steerable basis. With independent inputs of second moment E[x^2],
///   Var y[o,g] = E[x^2] * sum over c, h, v of Var w[v] * |B_v|^2,   |B_v|^2 = sum over pixels of B_v(h^-1 x)^2,
/// where |B_v|^2 is averaged over h. Each of the Ci * Gin * V terms gets the same share of gain:
///   Var w[v] = gain / (Ci * Gin * V * |B_v|^2).
/// Shapes   (Co,Ci,V,G) between features, (Co,Ci,V) when one side is an image.
/// Deterministic  takes one draw of the default generator.
/// Source   the equal share is that of Weiler & Cesa 2019, arXiv:1911.08251, whose basis functions have norm 1.
inline Tensor steerable_he_normal(Group group, Sides sides, int kernel, int Co, int Ci, Rings rings = {},
                                  double gain = relu_gain) {
  if (rings.empty()) rings = default_rings(kernel);
  d16::detail::check_basis(group, kernel, rings);
  FilterRule rule{group, sides};
  int V = rings.functions(), order = group.order(), slots = rule.slots();
  Shape shape{Co, Ci, V};
  if (sides == Sides::regular) shape.push_back(order);
  WeightLimit::claim(shape);
  auto basis = shared_basis(group, kernel, std::move(rings));
  Tensor w = normal(shape);
  auto values = w.host<float>();
  for (int v = 0; v < V; ++v) {
    double norm = 0;
    for (int h = 0; h < order; ++h)
      for (int i = 0; i < kernel; ++i)
        for (int j = 0; j < kernel; ++j) norm += (*basis)(h, v, i, j) * (*basis)(h, v, i, j) / order;
    float deviation = float(std::sqrt(gain / (double(Ci) * rule.in_order() * V * norm)));
    for (int64_t pair = 0; pair < int64_t(Co) * Ci; ++pair)
      for (int u = 0; u < slots; ++u) values[size_t((pair * V + v) * slots + u)] *= deviation;
  }
  return w;
}

}  // namespace d16::nn
