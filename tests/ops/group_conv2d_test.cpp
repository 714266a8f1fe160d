// The laws of equivariant convolutions, and what they refuse.
#include <doctest/doctest.h>

#include <cmath>

#include <d16/ops/antialiased_avg_pool.hpp>
#include <d16/ops/arithmetic.hpp>
#include <d16/ops/concat.hpp>
#include <d16/ops/group_action.hpp>
#include <d16/ops/group_conv2d.hpp>
#include <d16/ops/group_pool.hpp>
#include <d16/ops/inner_batch_norm.hpp>
#include <d16/ops/reduce.hpp>
#include <d16/ops/unary.hpp>

#include "group_action.hpp"

using namespace d16;
using namespace d16::testing;

namespace {

Tensor random_tensor(Shape shape, DType dtype = DType::f64, Group group = {}) {
  return normal(shape, {.dtype = dtype, .group = group});
}

/// One of the three convolutions with random weights, Ci = 2 fields in and Co = 3 out.
struct Layer {
  Group group;
  Sides sides;
  GroupConv2dOptions o;
  Tensor w, b;

  Layer(Group g, Sides s, GroupConv2dOptions options, DType dtype = DType::f64) : group(g), sides(s), o(options) {
    Shape shape{3, 2, shared_basis(g, o.kernel)->V};
    if (s == Sides::regular) shape.push_back(g.order());
    w = random_tensor(shape, dtype);
    b = random_tensor({3}, dtype);
  }
  Tensor input(int size, DType dtype = DType::f64) const {
    if (sides == Sides::lifting) return random_tensor({2, size, size, 2}, dtype);
    return random_tensor({2, size, size, 2, group.order()}, dtype, group);
  }
  Tensor operator()(Tensor x) const {
    return sides == Sides::regular   ? group_conv2d(group, x, w, b, o)
           : sides == Sides::lifting ? lift_conv2d(group, x, w, b, o)
                                     : project_conv2d(group, x, w, b, o);
  }
  /// Sums of this many products lie behind an output, one of them a tap of V terms.
  double terms() const { return 1 + w.dim(2) + 2.0 * group.order() * o.kernel * o.kernel; }
};

/// The largest |layer(s x) - s layer(x)| over the symmetries s of the pixel grid, relative to the largest output.
double worst(Layer const& layer, Tensor x, std::function<int(int, int)> move = {}) {
  Tensor y = layer(x);
  double most = 0;
  for (int s : grid_symmetries(layer.group))
    most = std::max(most, difference(layer(act(layer.group, s, x, move)), act(layer.group, s, y, move)));
  return most / largest(y);
}

constexpr Sides every_side[] = {Sides::regular, Sides::lifting, Sides::projecting};

}  // namespace

TEST_CASE("group_conv2d: commutes with every symmetry of the pixel grid") {
  manual_seed(1);
  for (Group g : {D16, dihedral(4), cyclic(4), dihedral(2), dihedral(1), cyclic(2), dihedral(3), cyclic(12)})
    for (Sides sides : every_side)
      for (GroupConv2dOptions o :
           {GroupConv2dOptions{.padding = 1}, GroupConv2dOptions{.kernel = 5, .stride = 2, .padding = 2},
            GroupConv2dOptions{.kernel = 1}, GroupConv2dOptions{.padding = 2, .dilation = 2}}) {
        INFO(g.text(), " sides ", int(sides), " k ", o.kernel);
        Layer exact(g, sides, o);
        // each product carries the rounding of the basis (100 epsilon, steerable_basis_test.cpp) beside its own
        CHECK_LE(worst(exact, exact.input(9)), (exact.terms() + 100) * 2.3e-16);
        Layer fast(g, sides, o, DType::f32);
        CHECK_LE(worst(fast, fast.input(9, DType::f32)), fast.terms() * 1.2e-7);
      }
}

TEST_CASE("group_conv2d: of order 32 too") {
  manual_seed(2);
  Layer layer(dihedral(16), Sides::regular, {.padding = 1});
  CHECK_LE(worst(layer, layer.input(5)), (layer.terms() + 100) * 2.3e-16);
}

TEST_CASE("group_conv2d: does not commute when elements are swapped") {
  manual_seed(3);
  for (Sides sides : every_side) {
    Layer layer(D16, sides, {.padding = 1});
    Tensor x = layer.input(7);
    CHECK(worst(layer, x, [](int s, int g) { return D16.product(g, s); }) > 0.05);
    CHECK(worst(layer, x, [](int s, int g) {  // two elements exchanged, nothing else
            int moved = D16.product(s, g);
            return moved == 3 ? 5 : moved == 5 ? 3 : moved;
          }) > 0.05);
  }
}

TEST_CASE("group_conv2d: does not commute at even sizes with stride 2, where the pixels kept are not symmetric") {
  manual_seed(4);
  Layer layer(dihedral(4), Sides::regular, {.stride = 2, .padding = 1});
  CHECK(worst(layer, layer.input(8)) > 0.05);
  CHECK_LE(worst(Layer(dihedral(4), Sides::regular, {.padding = 1}), layer.input(8)), layer.terms() * 1e-14);
}

TEST_CASE("group_conv2d: turns by 45 degrees are as good as the pixel grid samples the basis, and not better") {
  manual_seed(5);
  // a smooth picture that turns about the middle pixel, sampled anew for each element
  int const size = 21;
  auto picture = [=](Group::Matrix back) {
    Tensor x = zeros({1, size, size, 1}, {.dtype = DType::f64});
    for (int i = 0; i < size; ++i)
      for (int j = 0; j < size; ++j) {
        double px = j - size / 2, py = size / 2 - i;
        double u = back.m[0] * px + back.m[1] * py - 1, v = back.m[2] * px + back.m[3] * py - 2;
        x.data<double>()[i * size + j] = std::exp(-(u * u / 18 + v * v / 5 + u * v / 20)) * (1 + 0.3 * u);
      }
    return x;
  };
  Tensor w = random_tensor({4, 1, 11});
  auto middle = [&](Tensor x) {  // (Co, G)
    return lift_conv2d(D16, x, w, {}, {.kernel = 5, .padding = 2})
        .slice(1, size / 2, size / 2 + 1)
        .slice(2, size / 2, size / 2 + 1)
        .contiguous();
  };
  Tensor y = middle(picture(D16.matrix(0)));
  double right = 0, wrong = 0;
  for (int s = 1; s < D16.order(); ++s) {
    if (4 * D16.rotation(s) % D16.n == 0) continue;
    Tensor turned = middle(picture(D16.matrix(D16.inverse(s))));
    for (int o = 0; o < 4; ++o)
      for (int g = 0; g < 16; ++g) {
        double value = y.data<double>()[o * 16 + g];
        right = std::max(right, std::abs(turned.data<double>()[o * 16 + D16.product(s, g)] - value));
        wrong = std::max(wrong, std::abs(turned.data<double>()[o * 16 + D16.product(g, s)] - value));
      }
  }
  MESSAGE("45 degrees: ", right / largest(y), " of the largest output; with swapped elements ", wrong / largest(y));
  CHECK(right > 1e-6 * largest(y));
  CHECK(right < 0.05 * largest(y));
  CHECK(wrong > 4 * right);
}

TEST_CASE("group_conv2d: a whole network gives the same answer for every symmetry of the pixel grid") {
  manual_seed(6);
  for (Group g : {D16, cyclic(4)}) {
    DType f64 = DType::f64;
    int order = g.order();
    Tensor w1 = random_tensor({4, 3, 11}), w2 = random_tensor({5, 4, 6, order}), one4 = ones({4}, {.dtype = f64});
    Tensor zero4 = zeros({4}, {.dtype = f64}), one5 = ones({5}, {.dtype = f64}), zero5 = zeros({5}, {.dtype = f64});
    auto net = [&](Tensor x) {
      x = relu(inner_batch_norm(lift_conv2d(g, x, w1, {}, {.kernel = 5, .padding = 2}), one4, zero4, {}, {},
                                {.training = true}));
      x = antialiased_avg_pool(x);
      x = relu(inner_batch_norm(group_conv2d(g, x, w2, {}, {.padding = 1}), one5, zero5, {}, {}, {.training = true}));
      return mean(group_max_pool(x), {axis::H, axis::W}).contiguous();
    };
    Tensor x = random_tensor({2, 17, 17, 3}), y = net(x);
    CHECK(largest(y) > 0.1);
    for (int s : grid_symmetries(g)) CHECK_LE(difference(net(act(g, s, x)), y), 1e4 * 2.3e-16 * largest(y));
  }
}

TEST_CASE("group_conv2d: the result carries the group, a projected one does not") {
  manual_seed(7);
  Layer regular(D16, Sides::regular, {}), lifting(D16, Sides::lifting, {}), projecting(D16, Sides::projecting, {});
  CHECK(regular(regular.input(3)).group() == D16);
  CHECK(lifting(lifting.input(3)).group() == D16);
  CHECK(!projecting(projecting.input(3)).group());
  CHECK(lifting(lifting.input(5)).shape() == Shape{2, 3, 3, 3, 16});
  CHECK(projecting(projecting.input(5)).shape() == Shape{2, 3, 3, 3});
}

TEST_CASE("group_conv2d: errors say what is and what is needed") {
  Tensor w = zeros({4, 2, 6, 16}), x = zeros({1, 5, 5, 2, 16}, {.group = D16});
  CHECK_THROWS_WITH_AS(group_conv2d(D16, zeros({1, 5, 5, 2, 8}, {.group = cyclic(8)}), w),
                       "group_conv2d: x is (N=1,H=5,W=5,C=2,G=8), dihedral(8) needs G=16", ShapeError);
  CHECK_THROWS_WITH_AS(group_conv2d(D16, x.with_group(cyclic(16)), w),
                       "group_conv2d: x holds cyclic(16) features, this layer is dihedral(8): same size, other meaning",
                       GroupError);
  CHECK_THROWS_WITH_AS(group_conv2d(D16, x.with_group({}), w),
                       "group_conv2d: x has no group; say which with x.with_group(dihedral(8))", GroupError);
  CHECK_THROWS_WITH_AS(
      group_conv2d(D16, x, zeros({4, 2, 5, 16})),
      "group_conv2d: w is (4,2,5,16), x is (N=1,H=5,W=5,C=2,G=16); needs (Co,2,6,16): fields out, fields in, "
      "6 functions of the 3 x 3 basis, elements",
      ShapeError);
  CHECK_THROWS_WITH_AS(lift_conv2d(D16, zeros({1, 5, 5, 2}), zeros({4, 2, 5})),
                       "lift_conv2d: w is (4,2,5), x is (N=1,H=5,W=5,C=2); needs (Co,2,6): fields out, fields in, "
                       "6 functions of the 3 x 3 basis",
                       ShapeError);
  CHECK_THROWS_WITH_AS(group_conv2d(D16, x, w, zeros({3})),
                       "group_conv2d: bias is (3); needs (4), one value for each field", ShapeError);
  CHECK_THROWS_WITH_AS(
      lift_conv2d(cyclic(65), zeros({1, 5, 5, 1}), zeros({1, 1, 6}), {}, {.path = kernels::Path::fourier}),
      "lift_conv2d: path is fourier, for groups up to order 64, kernels up to 15 and bases of up to 64 "
      "rings and frequencies; cyclic(65), kernel 3 with 4 needs path expanded",
      ValueError);
  auto const half = kernels::Precision::bfloat16;
  CHECK_THROWS_AS(lift_conv2d(D16, zeros({1, 5, 5, 2}), zeros({4, 2, 6}), {}, {.precision = half}), ValueError);
  CHECK_THROWS_AS(group_conv2d(D16, x.cast(DType::f64), w.cast(DType::f64), {}, {.precision = half}), DTypeError);
  CHECK_THROWS_AS(group_conv2d(D16, x.to("reference"), w.to("reference"), {}, {.precision = half}), DeviceError);
  CHECK_THROWS_AS(group_conv2d(D16, x, w, {}, {.scale = zeros({7})}), ShapeError);
  CHECK_THROWS_AS(group_conv2d(D16, x, w, {}, {.packed = zeros({7})}), ShapeError);
  Tensor trained = w.clone();
  trained.set_requires_grad();
  CHECK_THROWS_AS(group_conv2d(D16, x, trained, {}, {.relu = true}), ValueError);
  CHECK_THROWS_AS(group_conv2d(D16, zeros({1, 5, 5, 2}), w), ShapeError);
  CHECK_THROWS_AS(lift_conv2d(D16, x, zeros({4, 2, 6})), ShapeError);
  CHECK_THROWS_AS(project_conv2d(D16, x, w), ShapeError);
  CHECK_THROWS_AS(group_conv2d(D16, x, w.cast(DType::f64)), DTypeError);
  CHECK_THROWS_AS(group_conv2d(D16, x, w, {}, {.kernel = 4}), ValueError);
  CHECK_THROWS_AS(group_conv2d(D16, x, w, {}, {.stride = 0}), ValueError);
  CHECK_THROWS_AS(group_conv2d(D16, zeros({1, 2, 5, 2, 16}, {.group = D16}), w), ShapeError);
  CHECK_THROWS_AS(group_conv2d(Group{}, zeros({1, 5, 5, 2, 1}), w), GroupError);
}

TEST_CASE("group_conv2d: circular and reflected padding commute with the group, circular with shifts too") {
  manual_seed(5);
  Group const g = dihedral(4);
  Tensor x = normal({1, 7, 7, 2, 8}).with_group(g), w = normal({3, 2, 6, 8});
  auto shifted = [](Tensor t) { return concat({t.slice(1, 3, 7), t.slice(1, 0, 3)}, 1); };
  auto error = [&](PaddingMode mode, kernels::Path path) {
    GroupConv2dOptions o{.padding = 1, .padding_mode = mode, .path = path};
    Tensor y = shifted(group_conv2d(g, x, w, {}, o)), z = group_conv2d(g, shifted(x), w, {}, o);
    return max(abs(y - z)).item() / max(abs(y)).item();
  };
  for (kernels::Path path : {kernels::Path::expanded, kernels::Path::fourier}) {
    // sums of 9 taps, 2 fields, 8 elements and 6 functions
    CHECK_LE(error(PaddingMode::circular, path), (9 * 2 * 8 + 6) * 1.2e-7);
    CHECK(error(PaddingMode::zeros, path) > 0.01);
    CHECK(error(PaddingMode::reflect, path) > 0.01);
  }
  for (PaddingMode mode : {PaddingMode::circular, PaddingMode::reflect}) {
    GroupConv2dOptions o{.padding = 1, .padding_mode = mode};
    Tensor turned = act(g, 5, group_conv2d(g, x, w, {}, o)), of_turned = group_conv2d(g, act(g, 5, x), w, {}, o);
    CHECK_LE(max(abs(turned - of_turned)).item(), (9 * 2 * 8 + 6) * 1.2e-7 * max(abs(turned)).item());
  }
}
