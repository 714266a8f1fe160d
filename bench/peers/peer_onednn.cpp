// oneDNN in the comparison: the dense convolution of the expanded size, direct and Winograd, on packed weights.
#include <omp.h>

#include <cstring>
#include <dnnl.hpp>
#include <memory>

#include <d16/core/random.hpp>

#include "protocol.hpp"

using d16::bench::Measured, d16::bench::Request;
using dnnl::memory;

namespace {

using Md = memory::desc;
using Tag = memory::format_tag;
constexpr auto f32 = memory::data_type::f32;

dnnl::engine& engine() {
  static dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}
dnnl::stream& stream() {
  static dnnl::stream in_order(engine());
  return in_order;
}

/// Sizes of x (N,C,H,W), w (O,C,3,3) and y (N,O,H,W).
struct Sizes {
  int64_t N, C, O, H;

  explicit Sizes(Request const& r) : N(r.batch), C(int64_t(r.in) * r.order), O(int64_t(r.out) * r.order), H(r.size) {}
  memory::dims x() const { return {N, C, H, H}; }
  memory::dims w() const { return {O, C, 3, 3}; }
  memory::dims y() const { return {N, O, H, H}; }
};

memory copy(memory source, Md const& wanted) {
  if (source.get_desc() == wanted) return source;
  memory out(wanted, engine());
  dnnl::reorder(source, out).execute(stream(), source, out);
  stream().wait();
  return out;
}
float const* values(memory const& m) { return static_cast<float const*>(m.get_data_handle()); }

/// Random numbers in the plain order of the axes.
memory random(memory::dims const& sizes, uint64_t seed) {
  memory out(Md(sizes, f32, sizes[2] == 3 ? Tag::oihw : Tag::nchw), engine());
  float* to = static_cast<float*>(out.get_data_handle());
  int64_t count = int64_t(out.get_desc().get_size() / sizeof(float));
  for (int64_t i = 0; i < count; i += 4) {
    auto words = d16::philox(seed, uint64_t(i / 4));
    for (int64_t k = i; k < std::min(i + 4, count); ++k)
      to[k] = float(2 * d16::unit_interval(words[size_t(k - i)]) - 1);
  }
  return out;
}

/// x, w and dy of a layer, and the exact values of a few results, by the definition of the convolution.
struct Layer {
  Sizes s;
  memory x, w, dy;

  explicit Layer(Request const& r) : s(r), x(random(s.x(), 1)), w(random(s.w(), 2)), dy(random(s.y(), 3)) {}

  static constexpr int64_t few = 8;  ///< channels (of the first image, for the weights of all) that are checked
  int64_t checked(std::string const& op) const { return few * (op == "weight_gradient" ? few * 9 : s.H * s.H); }

  int64_t weight_at(int64_t o, int64_t c, int64_t i, int64_t k) const { return ((o * s.C + c) * 3 + i) * 3 + k; }
  int64_t pixel_at(int64_t n, int64_t channels, int64_t c, int64_t p, int64_t q) const {
    return ((n * channels + c) * s.H + p) * s.H + q;
  }
  bool inside(int64_t p, int64_t q) const { return p >= 0 && p < s.H && q >= 0 && q < s.H; }

  /// Where checked value `index` lies in the plain result.
  int64_t place(std::string const& op, int64_t index) const {
    return op == "weight_gradient" ? weight_at(index / (few * 9), index / 9 % few, index / 3 % 3, index % 3) : index;
  }
  double exact(std::string const& op, int64_t index) const {
    if (op == "weight_gradient") return exact_weight(index / (few * 9), index / 9 % few, index / 3 % 3, index % 3);
    int64_t channel = index / (s.H * s.H), p = index / s.H % s.H, q = index % s.H;
    return op == "forward" ? exact_y(channel, p, q) : exact_dx(channel, p, q);
  }

 private:
  double exact_y(int64_t o, int64_t p, int64_t q) const {
    double sum = 0;
    for (int64_t c = 0; c < s.C; ++c)
      for (int64_t i = 0; i < 3; ++i)
        for (int64_t k = 0; k < 3; ++k)
          if (inside(p + i - 1, q + k - 1))
            sum +=
                double(values(x)[pixel_at(0, s.C, c, p + i - 1, q + k - 1)]) * double(values(w)[weight_at(o, c, i, k)]);
    return sum;
  }
  double exact_dx(int64_t c, int64_t p, int64_t q) const {
    double sum = 0;
    for (int64_t o = 0; o < s.O; ++o)
      for (int64_t i = 0; i < 3; ++i)
        for (int64_t k = 0; k < 3; ++k)
          if (inside(p - i + 1, q - k + 1))
            sum += double(values(dy)[pixel_at(0, s.O, o, p - i + 1, q - k + 1)]) *
                   double(values(w)[weight_at(o, c, i, k)]);
    return sum;
  }
  double exact_weight(int64_t o, int64_t c, int64_t i, int64_t k) const {
    double sum = 0;
    for (int64_t n = 0; n < s.N; ++n)
      for (int64_t p = 0; p < s.H; ++p)
        for (int64_t q = 0; q < s.H; ++q)
          if (inside(p + i - 1, q + k - 1))
            sum += double(values(dy)[pixel_at(n, s.O, o, p, q)]) *
                   double(values(x)[pixel_at(n, s.C, c, p + i - 1, q + k - 1)]);
    return sum;
  }
};

/// How the library may lay things out: features in nhwc for "direct_nhwc", everything as it likes for the others.
struct Choice {
  dnnl::algorithm algorithm;
  Md x, w, y;

  Choice(Sizes const& s, std::string const& variant)
      : algorithm(variant == "winograd" ? dnnl::algorithm::convolution_winograd : dnnl::algorithm::convolution_direct) {
    Tag features = variant == "direct_nhwc" ? Tag::nhwc : Tag::any;
    x = Md(s.x(), f32, features), w = Md(s.w(), f32, Tag::any), y = Md(s.y(), f32, features);
  }
};

memory::dims const one{1, 1};

dnnl::convolution_forward::primitive_desc forward(Choice const& c) {
  return {{dnnl::prop_kind::forward_training, c.algorithm, c.x, c.w, c.y, one, one, one}, engine()};
}

/// A primitive, its arguments in the layout that it asked for, and its result.
struct Prepared {
  dnnl::primitive primitive;
  std::unordered_map<int, memory> arguments;
  memory result;
  std::string implementation;

  double run() {
    return d16::bench::seconds_of([&] {
      primitive.execute(stream(), arguments);
      stream().wait();
    });
  }
};

Prepared prepare(std::string const& op, Choice const& c, Layer const& l) {
  if (op == "forward") {
    dnnl::convolution_forward::primitive_desc p(
        {dnnl::prop_kind::forward_inference, c.algorithm, c.x, c.w, c.y, one, one, one}, engine());
    memory y(p.dst_desc(), engine());
    return {
        dnnl::convolution_forward(p),
        {{DNNL_ARG_SRC, copy(l.x, p.src_desc())}, {DNNL_ARG_WEIGHTS, copy(l.w, p.weights_desc())}, {DNNL_ARG_DST, y}},
        y,
        p.impl_info_str()};
  }
  if (op == "data_gradient") {
    dnnl::convolution_backward_data::primitive_desc p({c.algorithm, c.x, c.w, c.y, one, one, one}, engine(),
                                                      forward(c));
    memory dx(p.diff_src_desc(), engine());
    return {dnnl::convolution_backward_data(p),
            {{DNNL_ARG_DIFF_DST, copy(l.dy, p.diff_dst_desc())},
             {DNNL_ARG_WEIGHTS, copy(l.w, p.weights_desc())},
             {DNNL_ARG_DIFF_SRC, dx}},
            dx,
            p.impl_info_str()};
  }
  d16::require<d16::ValueError>(op == "weight_gradient", "the library has no ", op);
  dnnl::convolution_backward_weights::primitive_desc p({c.algorithm, c.x, c.w, c.y, one, one, one}, engine(),
                                                       forward(c));
  memory dw(p.diff_weights_desc(), engine());
  return {dnnl::convolution_backward_weights(p),
          {{DNNL_ARG_DIFF_DST, copy(l.dy, p.diff_dst_desc())},
           {DNNL_ARG_SRC, copy(l.x, p.src_desc())},
           {DNNL_ARG_DIFF_WEIGHTS, dw}},
          dw,
          p.impl_info_str()};
}

double error(std::string const& op, Layer const& l, memory const& result) {
  memory plain = copy(result, op == "weight_gradient" ? l.w.get_desc()
                              : op == "forward"       ? l.dy.get_desc()
                                                      : l.x.get_desc());
  return d16::bench::relative_error(
      l.checked(op), [&](int64_t i) { return values(plain)[l.place(op, i)]; },
      [&](int64_t i) { return l.exact(op, i); });
}

Measured measure(Request const& r) {
  omp_set_num_threads(r.threads);
  Layer layer(r);
  auto prepared = std::make_shared<Prepared>(prepare(r.op, Choice(layer.s, r.variant), layer));
  prepared->run();
  return {[=] { return prepared->run(); }, error(r.op, layer, prepared->result),
          [=] {
            return d16::io::Json::object({{"implementation", prepared->implementation}});
          }};
}

}  // namespace

int main() {
  dnnl_version_t const* v = dnnl_version();
  d16::bench::serve(
      d16::io::Json::object({{"peer", "onednn"}, {"version", d16::text(v->major, '.', v->minor, '.', v->patch)}}),
      measure);
}
