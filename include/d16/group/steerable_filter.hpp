// From free weights to the dense filter of an equivariant convolution, its adjoint, and the way back by least squares.
#pragma once
#include <cmath>
#include <cstdint>
#include <vector>

#include "steerable_basis.hpp"

namespace d16 {

/// Which sides of a convolution carry group features; the other side is a plain image.
///   regular     features -> features    weights (Co,Ci,V,G)
///   lifting     image -> features       weights (Co,Ci,V)
///   projecting  features -> image       weights (Co,Ci,V)
enum class Sides { regular, lifting, projecting };

/// How one filter is tied to its weights, for output element g and input element h (0 on a plain side):
///   kappa[g,h](x) = sum over v of w[v, slot(g,h)] B_v(frame(g,h)^-1 x)
struct FilterRule {
  Group group;
  Sides sides = Sides::regular;

  constexpr int in_order() const { return sides == Sides::lifting ? 1 : group.order(); }
  constexpr int out_order() const { return sides == Sides::projecting ? 1 : group.order(); }
  constexpr int slots() const { return sides == Sides::regular ? group.order() : 1; }
  constexpr int slot(int g, int h) const { return sides == Sides::regular ? group.product(group.inverse(g), h) : 0; }
  constexpr int frame(int g, int h) const { return sides == Sides::lifting ? g : h; }
};

/// The convolution filters of Co x Ci field pairs over one basis, in double: the definition that the fast kernels are
/// checked against, and the exchange of weights with libraries that keep dense filters.
/// Shapes   weights (Co,Ci,V,G) or (Co,Ci,V); filter (Co*Gout, Ci*Gin, K, K), channel = field * order + element.
class SteerableFilter {
 public:
  SteerableFilter(std::shared_ptr<SteerableBasis const> basis, Sides sides, int Co, int Ci)
      : basis_(std::move(basis)), rule_{basis_->group, sides}, Co_(Co), Ci_(Ci) {}

  int64_t weight_count() const { return int64_t(Co_) * Ci_ * basis_->V * rule_.slots(); }
  int64_t filter_count() const {
    return int64_t(Co_) * rule_.out_order() * Ci_ * rule_.in_order() * basis_->kernel * basis_->kernel;
  }

  /// A w: the dense filter.
  std::vector<double> expand(std::vector<double> const& weights) const {
    check("expand: weights", weights.size(), weight_count());
    std::vector<double> filter(size_t(filter_count()), 0.0);
    for_taps([&](int64_t w, int64_t f, double b) { filter[size_t(f)] += weights[size_t(w)] * b; });
    return filter;
  }

  /// A^T f: the gradient of the weights when f is the gradient of the filter.
  std::vector<double> collapse(std::vector<double> const& filter) const {
    check("collapse: filter", filter.size(), filter_count());
    std::vector<double> weights(size_t(weight_count()), 0.0);
    for_taps([&](int64_t w, int64_t f, double b) { weights[size_t(w)] += filter[size_t(f)] * b; });
    return weights;
  }

  /// (A^T A)^+ w, with which expand(solve_gram(collapse(f))) is the orthogonal projection of f on the equivariant
  /// filters, and expand(solve_gram(dw)) that of a filter gradient known only through the weight gradient dw.
  /// A^T A is the same V x V matrix for every field pair and slot. Directions that the pixels cannot tell apart
  /// (singular values of A below 1e-6 of the largest) get no weight.
  std::vector<double> solve_gram(std::vector<double> const& weights) const {
    check("solve_gram: weights", weights.size(), weight_count());
    std::vector<double> inverse = gram_inverse(), out(weights.size(), 0.0);
    int V = basis_->V, G = rule_.slots();
    for (int64_t pair = 0; pair < int64_t(Co_) * Ci_; ++pair)
      for (int v = 0; v < V; ++v)
        for (int u = 0; u < V; ++u)
          for (int g = 0; g < G; ++g)
            out[size_t((pair * V + v) * G + g)] += inverse[size_t(v) * V + u] * weights[size_t((pair * V + u) * G + g)];
    return out;
  }

  /// The weights whose filter is nearest to the given one, and how far that is: |f - A w| and |f|, Frobenius norms.
  struct Fit {
    std::vector<double> weights;
    double residual = 0, norm = 0;
  };
  Fit fit(std::vector<double> const& filter) const {
    Fit out{solve_gram(collapse(filter))};
    std::vector<double> nearest = expand(out.weights);
    for (size_t i = 0; i < filter.size(); ++i) {
      out.residual += (filter[i] - nearest[i]) * (filter[i] - nearest[i]);
      out.norm += filter[i] * filter[i];
    }
    out.residual = std::sqrt(out.residual);
    out.norm = std::sqrt(out.norm);
    return out;
  }

 private:
  void check(char const* what, size_t got, int64_t needed) const {
    require<ShapeError>(int64_t(got) == needed, "steerable filter: ", what, " has ", got, " values, ", Co_, " x ", Ci_,
                        " fields of ", rule_.group, " with ", basis_->V, " functions of ", basis_->kernel, " x ",
                        basis_->kernel, " pixels need ", needed);
  }

  /// visit(weight index, filter index, B): every product in the sum behind every tap.
  template <class F> void for_taps(F const& visit) const {
    int Gout = rule_.out_order(), Gin = rule_.in_order(), slots = rule_.slots(), V = basis_->V;
    int64_t pixels = int64_t(basis_->kernel) * basis_->kernel;
    for (int64_t o = 0; o < Co_; ++o)
      for (int g = 0; g < Gout; ++g)
        for (int64_t c = 0; c < Ci_; ++c)
          for (int h = 0; h < Gin; ++h)
            for (int v = 0; v < V; ++v) {
              int64_t w = ((o * Ci_ + c) * V + v) * slots + rule_.slot(g, h);
              int64_t f = (((o * Gout + g) * Ci_ + c) * Gin + h) * pixels;
              double const* b = &basis_->values[size_t((int64_t(rule_.frame(g, h)) * V + v) * pixels)];
              for (int64_t p = 0; p < pixels; ++p) visit(w, f + p, b[p]);
            }
  }

  /// The pseudo-inverse of A^T A = sum over h of B_h B_h^T, by Jacobi rotations until the matrix is diagonal.
  std::vector<double> gram_inverse() const {
    int V = basis_->V;
    int64_t pixels = int64_t(basis_->kernel) * basis_->kernel;
    std::vector<double> gram(size_t(V) * V, 0.0), vectors(size_t(V) * V, 0.0), inverse(size_t(V) * V, 0.0);
    auto at = [V](std::vector<double>& m, int i, int j) -> double& { return m[size_t(i) * V + j]; };
    for (int h = 0; h < rule_.group.order(); ++h)
      for (int v = 0; v < V; ++v)
        for (int u = 0; u < V; ++u)
          for (int64_t p = 0; p < pixels; ++p)
            at(gram, v, u) += basis_->values[size_t((int64_t(h) * V + v) * pixels + p)] *
                              basis_->values[size_t((int64_t(h) * V + u) * pixels + p)];
    for (int v = 0; v < V; ++v) at(vectors, v, v) = 1;
    for (int sweep = 0; sweep < 30; ++sweep)  // converges quadratically: about eight are needed
      for (int p = 0; p < V; ++p)
        for (int q = p + 1; q < V; ++q) rotate(gram, vectors, V, p, q);
    double largest = 0;
    for (int k = 0; k < V; ++k) largest = std::max(largest, at(gram, k, k));
    for (int k = 0; k < V; ++k)
      if (at(gram, k, k) > 1e-12 * largest)
        for (int i = 0; i < V; ++i)
          for (int j = 0; j < V; ++j) at(inverse, i, j) += at(vectors, i, k) * at(vectors, j, k) / at(gram, k, k);
    return inverse;
  }

  /// One Jacobi rotation: makes a[p,q] zero and turns the eigenvectors along.
  static void rotate(std::vector<double>& a, std::vector<double>& vectors, int n, int p, int q) {
    auto at = [n](std::vector<double>& m, int i, int j) -> double& { return m[size_t(i) * n + j]; };
    if (at(a, p, q) == 0) return;
    double theta = (at(a, q, q) - at(a, p, p)) / (2 * at(a, p, q));
    double t = (theta < 0 ? -1 : 1) / (std::abs(theta) + std::hypot(theta, 1.0)), c = 1 / std::hypot(t, 1.0), s = t * c;
    auto turn = [c, s](double& x, double& y) {
      double old = x;
      x = c * old - s * y;
      y = s * old + c * y;
    };
    for (int k = 0; k < n; ++k) turn(at(a, k, p), at(a, k, q));
    for (int k = 0; k < n; ++k) turn(at(a, p, k), at(a, q, k));
    for (int k = 0; k < n; ++k) turn(at(vectors, k, p), at(vectors, k, q));
  }

  std::shared_ptr<SteerableBasis const> basis_;
  FilterRule rule_;
  int Co_, Ci_;
};

}  // namespace d16
