// The operands of one pass of a planar convolution, and samples of its result in float64.
#pragma once
#include <algorithm>
#include <string>

#include "comparators.hpp"
#include "harness.hpp"

namespace d16::bench {

enum class FilterOrder { channels_first, channels_last };  ///< (Co,Ci,k,k) as ours, (Co,k,k,Ci) as cuDNN's

/// What the emulator computes in a second or so.
inline ConvShape small(ConvShape s) {
  return {1, std::min(s.size, 10), std::min(s.Ci, 24), std::min(s.Co, 40), s.k, s.stride};
}
inline std::string text(ConvShape const& s) {
  return std::to_string(s.Ci) + "→" + std::to_string(s.Co) + " " + std::to_string(s.k) + "x" + std::to_string(s.k) +
         (s.stride > 1 ? " stride " + std::to_string(s.stride) : "") + ", " + std::to_string(s.N) + " x " +
         std::to_string(s.size) + "²";
}

/// Images of T and weights of W, the same for cuDNN; d16 takes float32 weights with bf16 images.
template <class T, class W> class ConvOperands {
 public:
  ConvOperands(ConvShape const& shape, Pass pass, Number number, FilterOrder order)
      : shape_(shape),
        pass_(pass),
        order_(order),
        copies_(copies_for(bytes())),
        x_(shape.x(), copies_),
        w_(shape.w(), copies_),
        y_(shape.y(), copies_),
        cost_{shape.flops(), shape.flops(), bytes(), number} {
    x_.fill(x_seed), w_.fill(w_seed), y_.fill(y_seed);
    poison_result();
  }

  int copies() const { return copies_; }
  Cost const& cost() const { return cost_; }

  /// The contract of d16's kernels.
  kernels::Conv2d<T> call(int copy) const {
    ConvShape const& s = shape_;
    kernels::Conv2d<T> a{.N = s.N, .H = s.size, .W = s.size, .Ci = s.Ci, .Co = s.Co, .kh = s.k, .kw = s.k};
    a.stride_h = a.stride_w = s.stride, a.pad_h = a.pad_w = s.k / 2;
    if (sizeof(T) == 4 && cost_.number == Number::tf32) a.precision = kernels::Precision::tf32;
    if (sizeof(T) == 4 && cost_.number == Number::bf16) a.precision = kernels::Precision::bfloat16;
    a.x = x_.at(copy), a.w = w_.at(copy), a.dy = y_.at(copy);
    a.y = y_.at(copy), a.dx = x_.at(copy), a.dw = w_.at(copy);
    return a;
  }
  void run(Comparator const& c, int copy) const {
    if (pass_ == Pass::forward) c.call(x_.at(copy), w_.at(copy), y_.at(copy));
    else if (pass_ == Pass::data_gradient) c.call(y_.at(copy), w_.at(copy), x_.at(copy));
    else c.call(x_.at(copy), y_.at(copy), w_.at(copy));
  }

  double error() const {
    if (pass_ == Pass::forward) return sampled_error(y_, 64, [this](int64_t i) { return y(i); });
    if (pass_ == Pass::data_gradient) return sampled_error(x_, 64, [this](int64_t i) { return dx(i); });
    return sampled_error(w_, 16, [this](int64_t i) { return dw(i); });
  }

 private:
  static constexpr uint64_t x_seed = 1, w_seed = 2, y_seed = 3;

  double bytes() const {
    return double(shape_.x() + shape_.y()) * double(sizeof(T)) + double(shape_.w()) * double(sizeof(W));
  }
  void poison_result() {
    if (pass_ == Pass::weight_gradient) w_.poison();
    else (pass_ == Pass::forward ? y_ : x_).poison();
  }

  // Elements of the operands; zero outside of the images.
  double x_at(int64_t n, int h, int w, int c) const {
    ConvShape const& s = shape_;
    if (h < 0 || h >= s.size || w < 0 || w >= s.size) return 0;
    return number_at(x_seed, ((n * s.size + h) * s.size + w) * s.Ci + c, T());
  }
  double w_at(int o, int c, int i, int j) const {
    ConvShape const& s = shape_;
    int64_t const first = ((int64_t(o) * s.Ci + c) * s.k + i) * s.k + j,
                  last = ((int64_t(o) * s.k + i) * s.k + j) * s.Ci + c;
    return number_at(w_seed, order_ == FilterOrder::channels_first ? first : last, W());
  }
  double dy_at(int64_t n, int p, int q, int o) const {
    int const out = shape_.out();
    return number_at(y_seed, ((n * out + p) * out + q) * shape_.Co + o, T());
  }

  double y(int64_t at) const {
    ConvShape const& s = shape_;
    int const o = int(at % s.Co), q = int(at / s.Co % s.out()), p = int(at / s.Co / s.out() % s.out());
    int64_t const n = at / s.Co / s.out() / s.out();
    double sum = 0;
    for (int i = 0; i < s.k; ++i)
      for (int j = 0; j < s.k; ++j)
        for (int c = 0; c < s.Ci; ++c)
          sum += x_at(n, p * s.stride + i - s.k / 2, q * s.stride + j - s.k / 2, c) * w_at(o, c, i, j);
    return sum;
  }
  double dx(int64_t at) const {
    ConvShape const& s = shape_;
    int const c = int(at % s.Ci), w = int(at / s.Ci % s.size), h = int(at / s.Ci / s.size % s.size);
    int64_t const n = at / s.Ci / s.size / s.size;
    double sum = 0;
    for (int i = 0; i < s.k; ++i)
      for (int j = 0; j < s.k; ++j) {
        int const p = h + s.k / 2 - i, q = w + s.k / 2 - j;
        if (p < 0 || q < 0 || p % s.stride || q % s.stride || p / s.stride >= s.out() || q / s.stride >= s.out())
          continue;
        for (int o = 0; o < s.Co; ++o) sum += dy_at(n, p / s.stride, q / s.stride, o) * w_at(o, c, i, j);
      }
    return sum;
  }
  double dw(int64_t at) const {
    ConvShape const& s = shape_;
    bool const first = order_ == FilterOrder::channels_first;
    int const pixels = s.k * s.k, o = int(at / s.Ci / pixels);
    int const c = first ? int(at / pixels % s.Ci) : int(at % s.Ci),
              tap = first ? int(at % pixels) : int(at / s.Ci % pixels);
    int const i = tap / s.k, j = tap % s.k;
    double sum = 0;
    for (int64_t n = 0; n < s.N; ++n)
      for (int p = 0; p < s.out(); ++p)
        for (int q = 0; q < s.out(); ++q)
          sum += x_at(n, p * s.stride + i - s.k / 2, q * s.stride + j - s.k / 2, c) * dy_at(n, p, q, o);
    return sum;
  }

  ConvShape shape_;
  Pass pass_;
  FilterOrder order_;
  int copies_;
  Array<T> x_;
  Array<W> w_;
  Array<T> y_;
  Cost cost_;
};

template <class T> void time_launcher(benchmark::State& state, ConvOperands<T, kernels::Wide<T>> const& o,
                                      Launcher<kernels::Conv2d<T>> const& launcher) {
  Array<char> const work(int64_t(launcher.work_bytes(o.call(0))), 1);
  auto run = [&](int copy) {
    kernels::Conv2d<T> a = o.call(copy);
    a.work = work.at(0);
    require_ok(launcher.run(a));
  };
  measure(state, o.cost(), o.copies(), run, [&] { return o.error(); });
}
template <class T>
void time_comparator(benchmark::State& state, ConvOperands<T, T> const& o, Comparator const& comparator) {
  measure(
      state, o.cost(), o.copies(), [&](int copy) { o.run(comparator, copy); }, [&] { return o.error(); });
}

}  // namespace d16::bench
