// The operands of one pass of a D16 convolution, 3 x 3 with padding 1, and samples of its result in float64.
#pragma once
#include <memory>
#include <string>

#include <d16/group/steerable_filter.hpp>

#include "comparators.hpp"
#include "harness.hpp"

namespace d16::bench {

/// Fields in and out, side of the image, order of the dihedral group, images.
struct GroupShape {
  int in, out, size, order, batch;
  int64_t pixels() const { return int64_t(batch) * size * size; }
  /// The convolution of the expanded filter, as other libraries run it.
  ConvShape dense() const { return {batch, size, in * order, out * order, 3, 1}; }
  /// The sum of d^3 over the irreps: four of dimension 1, the others of dimension 2.
  int products() const { return 4 + 8 * (order - 4) / 4; }
};
inline std::string text(GroupShape const& s) {
  return "order " + std::to_string(s.order) + ", " + std::to_string(s.in) + "→" + std::to_string(s.out) + ", " +
         std::to_string(s.batch) + " x " + std::to_string(s.size) + "²";
}
/// What the emulator computes in a second or so.
inline GroupShape small(GroupShape const& s) { return {std::min(s.in, 10), std::min(s.out, 26), 9, s.order, 1}; }

/// Features are E in memory, weights float32.
template <class E> class GroupOperands {
 public:
  GroupOperands(GroupShape const& shape, Pass pass, Number number)
      : shape_(shape),
        pass_(pass),
        basis_(shared_basis(dihedral(shape.order / 2), 3)),
        rule_{basis_->group, Sides::regular},
        copies_(copies_for(bytes())),
        x_(shape.pixels() * shape.in * shape.order, copies_),
        w_(weights(), copies_),
        y_(shape.pixels() * shape.out * shape.order, copies_),
        cost_{2.0 * double(shape.pixels()) * shape.in * shape.out * basis_->V * shape.products(), shape.dense().flops(),
              bytes(), number} {
    x_.fill(x_seed), w_.fill(w_seed), y_.fill(y_seed);
    if (pass == Pass::weight_gradient) w_.poison();
    else (pass == Pass::forward ? y_ : x_).poison();
  }

  int copies() const { return copies_; }
  Cost const& cost() const { return cost_; }

  kernels::GroupConv2d<E> call(int copy) const {
    GroupShape const& s = shape_;
    kernels::GroupConv2d<E> a{.group = basis_->group, .N = s.batch, .H = s.size, .W = s.size, .Ci = s.in, .Co = s.out};
    a.V = basis_->V, a.basis = basis_->values.data();
    a.rings = int(basis_->rings.max_freqs.size()), a.max_freqs = basis_->rings.max_freqs.data();
    a.path = kernels::Path::fourier;
    if (cost_.number == Number::bf16) a.precision = kernels::Precision::bfloat16;
    if (cost_.number == Number::tf32) a.precision = kernels::Precision::tf32;
    a.x = x_.at(copy), a.w = w_.at(copy), a.dy = y_.at(copy);
    a.y = y_.at(copy), a.dx = x_.at(copy), a.dw = w_.at(copy);
    return a;
  }

  double error() const {
    if (pass_ == Pass::forward) return sampled_error(y_, 32, [this](int64_t i) { return y(i); });
    if (pass_ == Pass::data_gradient) return sampled_error(x_, 32, [this](int64_t i) { return dx(i); });
    return sampled_error(w_, 4, [this](int64_t i) { return dw(i); });
  }

 private:
  static constexpr uint64_t x_seed = 1, w_seed = 2, y_seed = 3;

  int64_t weights() const { return int64_t(shape_.out) * shape_.in * basis_->V * shape_.order; }
  double bytes() const {
    double const values = double(shape_.pixels()) * (shape_.in + shape_.out) * shape_.order;
    return values * double(sizeof(E)) + double(weights()) * double(sizeof(float));
  }

  double at(uint64_t seed, int64_t n, int p, int q, int fields, int field, int element) const {
    GroupShape const& s = shape_;
    if (p < 0 || p >= s.size || q < 0 || q >= s.size) return 0;
    return number_at(seed, (((n * s.size + p) * s.size + q) * fields + field) * s.order + element, E());
  }
  /// kappa[g,h] at tap i,j of the filter from field c to field o.
  double tap(int o, int c, int g, int h, int i, int j) const {
    double sum = 0;
    for (int v = 0; v < basis_->V; ++v)
      sum +=
          number_at(w_seed, ((int64_t(o) * shape_.in + c) * basis_->V + v) * shape_.order + rule_.slot(g, h), float()) *
          (*basis_)(rule_.frame(g, h), v, i, j);
    return sum;
  }
  struct Place {
    int64_t n;
    int p, q, field, element;
  };
  Place place(int64_t i, int fields) const {
    GroupShape const& s = shape_;
    int64_t const pixel = i / s.order / fields;
    return {pixel / s.size / s.size, int(pixel / s.size % s.size), int(pixel % s.size), int(i / s.order % fields),
            int(i % s.order)};
  }

  double y(int64_t i) const {
    Place const at_y = place(i, shape_.out);
    double sum = 0;
    for (int c = 0; c < shape_.in; ++c)
      for (int h = 0; h < shape_.order; ++h)
        for (int t = 0; t < 9; ++t)
          sum += tap(at_y.field, c, at_y.element, h, t / 3, t % 3) *
                 at(x_seed, at_y.n, at_y.p + t / 3 - 1, at_y.q + t % 3 - 1, shape_.in, c, h);
    return sum;
  }
  double dx(int64_t i) const {
    Place const at_x = place(i, shape_.in);
    double sum = 0;
    for (int o = 0; o < shape_.out; ++o)
      for (int g = 0; g < shape_.order; ++g)
        for (int t = 0; t < 9; ++t)
          sum += tap(o, at_x.field, g, at_x.element, t / 3, t % 3) *
                 at(y_seed, at_x.n, at_x.p - t / 3 + 1, at_x.q - t % 3 + 1, shape_.out, o, g);
    return sum;
  }
  double dw(int64_t i) const {
    GroupShape const& s = shape_;
    int const u = int(i % s.order), v = int(i / s.order % basis_->V);
    int const c = int(i / s.order / basis_->V % s.in), o = int(i / s.order / basis_->V / s.in);
    double sum = 0;
    for (int64_t pixel = 0; pixel < s.pixels(); ++pixel) {
      int64_t const n = pixel / s.size / s.size;
      int const p = int(pixel / s.size % s.size), q = int(pixel % s.size);
      for (int h = 0; h < s.order; ++h) {
        int const g = basis_->group.product(h, basis_->group.inverse(u));
        double projected = 0;
        for (int t = 0; t < 9; ++t)
          projected +=
              (*basis_)(rule_.frame(g, h), v, t / 3, t % 3) * at(x_seed, n, p + t / 3 - 1, q + t % 3 - 1, s.in, c, h);
        sum += projected * at(y_seed, n, p, q, s.out, o, g);
      }
    }
    return sum;
  }

  GroupShape shape_;
  Pass pass_;
  std::shared_ptr<SteerableBasis const> basis_;
  FilterRule rule_;
  int copies_;
  Array<E> x_;
  Array<float> w_;
  Array<E> y_;
  Cost cost_;
};

template <class E> void time_launcher(benchmark::State& state, GroupOperands<E> const& o,
                                      Launcher<kernels::GroupConv2d<E>> const& launcher) {
  Array<char> const work(int64_t(launcher.work_bytes(o.call(0))), 1);
  auto run = [&](int copy) {
    kernels::GroupConv2d<E> a = o.call(copy);
    a.work = work.at(0);
    require_ok(launcher.run(a));
  };
  measure(state, o.cost(), o.copies(), run, [&] { return o.error(); });
}

}  // namespace d16::bench
