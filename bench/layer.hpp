// A convolution layer as the benches time it: between group features on either path, or dense.
#pragma once
#include <algorithm>
#include <chrono>
#include <cmath>

#include <d16/d16.hpp>

namespace d16::bench {

enum class Pass { forward, data_gradient, weight_gradient, training };

/// A 3x3 layer with padding 1 on random numbers. Order 2n is dihedral(n); order 1 is the ordinary convolution.
class Layer {
 public:
  struct Sizes {
    int in, out, size, order, batch;
  };

  /// `pack`: the forward pass takes weights that were packed before, as a network in evaluation keeps them.
  Layer(Sizes s, kernels::Path path, bool pack = true)
      : group_(s.order > 1 ? dihedral(s.order / 2) : Group{}), path_(path) {
    x_ = features(s.batch, s.size, s.in), dy_ = features(s.batch, s.size, s.out);
    w_ = group_ ? random({s.out, s.in, shared_basis(group_, 3)->V, s.order}) : random({s.out, s.in, 3, 3});
    if (group_ && pack) packed_ = pack_group_weights(group_, Sides::regular, w_, options());
  }

  /// One pass, and the seconds of it. The forward pass before a gradient is not part of its time.
  double run(Pass pass) {
    Tensor x = x_.detach(), w = w_.detach();
    x.set_requires_grad(pass == Pass::data_gradient || pass == Pass::training);
    w.set_requires_grad(pass == Pass::weight_gradient || pass == Pass::training);
    result_ = {};
    auto start = std::chrono::steady_clock::now();
    Tensor y = convolve(x, w, pass == Pass::forward ? packed_ : Tensor());
    auto recorded = std::chrono::steady_clock::now();
    if (pass != Pass::forward) y.backward(dy_);
    std::chrono::duration<double> backward = std::chrono::steady_clock::now() - recorded, forward = recorded - start;
    result_ = pass == Pass::forward ? y : pass == Pass::data_gradient ? x.grad() : w.grad();
    if (pass == Pass::training) return forward.count() + backward.count();
    return pass == Pass::forward ? forward.count() : backward.count();
  }

  /// The error of the last run on its first fields (of the first image, for the weights of all), against the same layer
  /// cut down to what they depend on, in float64 on the expanded path; as a part of the largest value.
  double error(Pass pass) const {
    Layer exact = *this;
    Tensor got = result_;
    if (pass == Pass::forward) {
      exact.cut(0, 1), exact.w_ = few(w_, 0), exact.dy_ = few(exact.dy_, axis::C);
      got = few(got.slice(axis::N, 0, 1), axis::C);
    } else if (pass == Pass::data_gradient) {
      exact.cut(0, 1), exact.w_ = few(w_, 1), exact.x_ = few(exact.x_, axis::C);
      got = few(got.slice(axis::N, 0, 1), axis::C);
    } else {
      exact.w_ = few(few(w_, 0), 1), exact.x_ = few(x_, axis::C), exact.dy_ = few(dy_, axis::C);
      got = few(few(got, 0), 1);
    }
    for (Tensor* t : {&exact.x_, &exact.w_, &exact.dy_}) *t = t->cast(DType::f64).contiguous();
    exact.path_ = kernels::Path::expanded, exact.packed_ = {};
    exact.run(pass);
    return relative_error(got.cast(DType::f64).contiguous(), exact.result_);
  }

  static double relative_error(Tensor const& got, Tensor const& expected) {
    return max(abs(got - expected)).item() / max(abs(expected)).item();
  }

 private:
  static Tensor random(Shape shape, TensorOptions o = {}) { return uniform(shape, o) * 2 - 1; }
  static Tensor few(Tensor const& t, int axis) { return t.slice(axis, 0, std::min<int64_t>(2, t.dim(axis))); }

  Tensor features(int batch, int size, int fields) const {
    Shape shape{batch, size, size, fields};
    if (group_) shape.push_back(group_.order());
    return random(shape, {.group = group_});
  }
  GroupConv2dOptions options() const { return {.padding = 1, .path = path_}; }
  Tensor convolve(Tensor const& x, Tensor const& w, Tensor const& packed) const {
    if (!group_) return conv2d(x, w, {}, {.padding = 1});
    GroupConv2dOptions o = options();
    o.packed = packed;
    return group_conv2d(group_, x, w, {}, o);
  }
  void cut(int64_t begin, int64_t end) { x_ = x_.slice(axis::N, begin, end), dy_ = dy_.slice(axis::N, begin, end); }

  Group group_;
  kernels::Path path_;
  Tensor x_, w_, dy_, packed_, result_;
};

}  // namespace d16::bench
