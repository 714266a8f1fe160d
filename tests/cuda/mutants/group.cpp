// The equivariant convolution by every path, for tests/cuda/mutations.sh.
#include <d16/group/fourier.hpp>
#include <d16/group/steerable_basis.hpp>
#include <d16/kernels/cuda/group_conv2d.cuh>
#include <d16/kernels/reference/group_conv2d.hpp>

#include "suite.hpp"

using namespace d16;
using namespace d16::mutants;
using kernels::GroupConv2d;
using kernels::Path;
using kernels::Precision;
namespace fourier = kernels::fourier;
namespace reference = kernels::reference;

namespace {

/// Results have up to 300 additions behind them (taps, the transform and its inverse, fields, functions, pixels), each
/// with an error of 6e-8 of a partial sum, and no partial sum is much larger than the largest result.
void compare_sums(char const* name, std::vector<float> const& got, std::vector<float> const& expected) {
  double largest = 0;
  for (float value : expected) largest = std::max(largest, double(std::abs(value)));
  compare(name, got, expected, 300 * 6e-8 * largest);
}

/// A layer with numbers behind it, and what the reference makes of them.
struct Layer {
  GroupConv2d<float> a;
  std::shared_ptr<SteerableBasis const> basis;
  std::vector<float> x, w, bias, dy, scale, norm, y, dx, dw, db;

  explicit Layer(GroupConv2d<float> const& sizes) : a(sizes), basis(shared_basis(a.group, a.kernel)) {
    a.V = basis->V, a.basis = basis->values.data();
    a.rings = int(basis->rings.max_freqs.size()), a.max_freqs = basis->rings.max_freqs.data();
    int64_t const outputs = int64_t(a.N) * a.out(a.H) * a.out(a.W) * a.Co * a.rule().out_order();
    x = whole_numbers(int64_t(a.N) * a.H * a.W * a.Ci * a.rule().in_order(), 1), dy = whole_numbers(outputs, 2);
    w = whole_numbers(int64_t(a.Co) * a.Ci * a.V * a.rule().slots(), 3), bias = whole_numbers(a.Co, 4);
    scale = whole_numbers(a.Co, 6), norm = whole_numbers(3 * a.Ci, 5);
    a.x = x.data(), a.dy = dy.data(), a.w = w.data(), a.bias = bias.data();
  }
  /// Forgets the results of before, and lets the next ones be written.
  void renew() {
    y = unwritten(dy.size()), dx = unwritten(x.size()), dw = unwritten(w.size()), db = unwritten(bias.size());
    a.y = y.data(), a.dx = dx.data(), a.dw = dw.data(), a.db = db.data();
  }
  Layer expected() const {
    Layer r = *this;
    r.renew();
    auto const status = std::max({reference::fourier_conv2d(r.a), reference::fourier_conv2d_dx(r.a),
                                  reference::fourier_conv2d_dw(r.a), reference::group_conv2d_db(r.a)});
    require<ValueError>(status == kernels::ok, "unsupported by the reference");
    return r;
  }
  float normalised(float value, size_t c) const {
    size_t const fields = size_t(a.Ci);
    return std::max(0.0f, (value - norm[c]) * norm[fields + c] + norm[2 * fields + c]);
  }
  void forward() { with_work(kernels::group_conv2d<float>, kernels::group_conv2d_work_bytes<float>, a); }
  void data_gradient() { with_work(kernels::group_conv2d_dx<float>, kernels::group_conv2d_dx_work_bytes<float>, a); }
  void weight_gradient() { with_work(kernels::group_conv2d_dw<float>, kernels::group_conv2d_dw_work_bytes<float>, a); }
  void bias_gradient() { with_work(kernels::group_conv2d_db<float>, kernels::group_conv2d_db_work_bytes<float>, a); }
};

void forward_and_back(GroupConv2d<float> const& sizes, Path path) {
  Layer layer(sizes);
  Layer const expected = layer.expected();
  layer.a.path = path;
  layer.renew();
  layer.forward(), layer.data_gradient();
  compare_sums("group_conv2d", layer.y, expected.y), compare_sums("group_conv2d_dx", layer.dx, expected.dx);
}
void all_gradients(GroupConv2d<float> const& sizes, Path path) {
  Layer layer(sizes);
  Layer const expected = layer.expected();
  layer.a.path = path;
  layer.renew();
  layer.forward(), layer.data_gradient(), layer.weight_gradient(), layer.bias_gradient();
  compare_sums("group_conv2d", layer.y, expected.y), compare_sums("group_conv2d_dx", layer.dx, expected.dx);
  compare_sums("group_conv2d_dw", layer.dw, expected.dw), compare_sums("group_conv2d_db", layer.db, expected.db);
}

/// The butterflies against the matrix of the transform.
template <int n, bool mirrored> void transform() {
  using Transform = fourier::GroupTransform<n, mirrored>;
  constexpr int order = Transform::order;
  auto const phi = fourier_matrix(mirrored ? dihedral(n) : cyclic(n));
  auto const numbers = whole_numbers(order, n);
  float x[order], f[order], back[order];
  std::copy(numbers.begin(), numbers.end(), x);
  Transform::forward(x, f);
  Transform::transpose(x, back);
  std::vector<float> sums(2 * order, 0), got(f, f + order);
  got.insert(got.end(), back, back + order);
  for (int q = 0; q < order; ++q)
    for (int h = 0; h < order; ++h) {
      sums[size_t(q)] += float(phi[size_t(q * order + h)] * x[h]);
      sums[size_t(order + h)] += float(phi[size_t(q * order + h)] * x[q]);
    }
  compare_sums("transform", got, sums);
}
void transforms() {
  transform<4, false>(), transform<8, false>(), transform<16, false>();
  transform<4, true>(), transform<8, true>(), transform<16, true>();
}

/// Fused: two tiles and two chunks of fields; two blocks of fields and two passes; one function, so that a plane only
/// fills a step up; taps with gaps.
void fused() {
  forward_and_back({.group = D16, .N = 1, .H = 5, .W = 9, .Ci = 5, .Co = 3}, Path::fourier);
  forward_and_back({.group = cyclic(4), .H = 6, .W = 9, .Ci = 2, .Co = 26, .kernel = 5, .stride = 2, .padding = 2},
                   Path::fourier);
  forward_and_back({.group = D16, .N = 2, .H = 2, .W = 3, .Ci = 3, .Co = 1, .kernel = 1, .padding = 0}, Path::fourier);
  forward_and_back({.group = D16, .H = 4, .W = 3, .Ci = 1, .Co = 2, .padding = 2, .dilation = 2}, Path::fourier);
}

/// Of each product `roundings` factors are rounded, each by at most `unit` of its size and in the mean square by a third
/// of that squared: errors add up as the products do, in squares.
template <class Products> void rounded(GroupConv2d<float> const& sizes, double roundings, double unit) {
  Layer layer(sizes);
  Layer const expected = layer.expected();
  layer.renew();
  auto run = [&](bool adjoint, float const* from, float const* bias, float* to) {
    fourier::Fused<Products> const engine(layer.a, adjoint);
    Work work(engine.work_bytes(layer.a, adjoint));
    GroupConv2d<float> a = layer.a;
    a.work = work.data();
    float const* const no_norm = nullptr;
    require<ValueError>(engine.convolve(a, adjoint, from, no_norm, {nullptr, bias, false}, to) == kernels::ok,
                        "unsupported");
  };
  run(false, layer.a.x, layer.a.bias, layer.a.y), run(true, layer.a.dy, nullptr, layer.a.dx);
  compare_rounded("group_conv2d", layer.y, expected.y, std::sqrt(roundings / 3) * unit);
  compare_rounded("group_conv2d_dx", layer.dx, expected.dx, std::sqrt(roundings / 3) * unit);
}
void fused_bf16() {
  rounded<fourier::Bf16Products>({.group = D16, .H = 5, .W = 9, .Ci = 9, .Co = 3}, 3, 0x1p-8);
  rounded<fourier::Bf16Products>({.group = cyclic(4), .H = 3, .W = 4, .Ci = 3, .Co = 2, .kernel = 5, .padding = 2}, 3,
                                 0x1p-8);
}
void fused_tf32() {
  rounded<fourier::Tf32Products>({.group = D16, .H = 3, .W = 9, .Ci = 5, .Co = 3}, 2, 0x1p-11);
  rounded<fourier::Tf32Products>({.group = cyclic(4), .H = 3, .W = 4, .Ci = 1, .Co = 2}, 2, 0x1p-11);
}

/// What stands before and after the sums: the norm of x; scale, bias and ReLU. By the fused kernel, then by four.
void endings() {
  for (Group group : {D16, cyclic(3)}) {
    Layer layer({.group = group, .H = 3, .W = 4, .Ci = 2, .Co = 3});
    layer.a.scale = layer.scale.data(), layer.a.relu = true, layer.a.path = Path::fourier;
    auto const x = layer.x;
    for (size_t i = 0; i < x.size(); ++i) layer.x[i] = layer.normalised(x[i], i / size_t(group.order()) % 2);
    Layer const expected = layer.expected();
    layer.x = x, layer.a.x = layer.x.data(), layer.a.norm = layer.norm.data();
    layer.renew();
    layer.forward(), layer.weight_gradient();
    compare_sums("group_conv2d", layer.y, expected.y), compare_sums("group_conv2d_dw", layer.dw, expected.dw);
  }
}

/// Four kernels, two images at a time, then every side.
void steps() {
  int64_t const before = fourier::most_scratch();
  GroupConv2d<float> const strided{.group = cyclic(3), .N = 3, .H = 5, .W = 6, .Ci = 2, .Co = 3, .stride = 2};
  fourier::most_scratch() = 2 * 4 * (30 * 2 * 3 + 9 * 12 * 3 + 9 * 3 * 3);  // the numbers of two images
  all_gradients(strided, Path::fourier);
  fourier::most_scratch() = before;
  all_gradients({.group = cyclic(3), .H = 3, .W = 4, .Ci = 2, .Co = 4}, Path::fourier);  // four columns at once
  for (Sides sides : {Sides::lifting, Sides::projecting})
    for (Group group : {dihedral(3), cyclic(4)})
      all_gradients({.group = group, .sides = sides, .H = 3, .W = 4, .Ci = 2, .Co = 3}, Path::fourier);
}
/// The weight gradient of one kernel: several tiles, which do not divide the image.
void gradient() { all_gradients({.group = dihedral(4), .H = 5, .W = 17, .Ci = 5, .Co = 3}, Path::fourier); }
void long_sums() { all_gradients({.group = cyclic(3), .H = 17, .W = 17, .Ci = 1, .Co = 2}, Path::fourier); }

void expanded() {
  for (Sides sides : {Sides::regular, Sides::lifting, Sides::projecting})
    all_gradients({.group = dihedral(3), .sides = sides, .H = 3, .W = 4, .Ci = 2, .Co = 3}, Path::expanded);
}

}  // namespace

int main(int count, char** words) {
  return run(count, words,
             {{"transforms", transforms},
              {"fused", fused},
              {"fused_bf16", fused_bf16},
              {"fused_tf32", fused_tf32},
              {"endings", endings},
              {"gradient", gradient},
              {"steps", steps},
              {"long_sums", long_sums},
              {"expanded", expanded}});
}
