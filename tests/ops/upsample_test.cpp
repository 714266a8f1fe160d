// Upsampling: fast against reference, adjoints, what linear functions become, values by hand and errors.
#include <d16/ops/arithmetic.hpp>
#include <d16/ops/pool2d.hpp>
#include <d16/ops/upsample.hpp>

#include "compare.hpp"

using namespace d16;
using namespace d16::testing;

namespace {
constexpr UpsampleOptions nearest(int scale) { return {.scale = scale}; }
constexpr UpsampleOptions bilinear(int scale, bool corners) {
  return {.scale = scale, .mode = Upsample::bilinear, .align_corners = corners};
}
}  // namespace

TEST_CASE("upsample: fast against reference") {
  manual_seed(15);
  for (Shape const& s : {Shape{1, 1, 1, 1}, Shape{2, 13, 11, 19}, Shape{1, 1, 40, 3}, Shape{1, 37, 1, 67},
                         Shape{3, 2, 2, 16}, Shape{1, 5, 7, 2, 8}})
    for (int scale : {1, 2, 3, 5}) {
      INFO(s.text(), " times ", scale);
      Tensor x = normal(s);
      double readers =
          4.0 * (scale + 1) * (scale + 1);  // outputs that read one input, and four roundings of each weight
      check_devices([=](auto t) { return upsample(t[0], nearest(scale)); }, {x}, readers);
      check_devices([=](auto t) { return upsample(t[0], bilinear(scale, false)); }, {x}, readers);
      check_devices([=](auto t) { return upsample(t[0], bilinear(scale, true)); }, {x}, readers);
    }
}

TEST_CASE("upsample: values by hand") {
  Tensor x = from(std::vector<float>{0, 4}, {1, 1, 2, 1});
  CHECK(values(upsample(x, nearest(2)).slice(1, 0, 1)) == std::vector<double>{0, 0, 4, 4});
  CHECK(values(upsample(x, bilinear(2, false)).slice(1, 1, 2)) == std::vector<double>{0, 1, 3, 4});
  CHECK(difference(upsample(x, bilinear(2, true)).slice(1, 1, 2),
                   from(std::vector<float>{0, 4 / 3.f, 8 / 3.f, 4}, {1, 1, 4, 1})) <= 1e-6);
}

TEST_CASE("upsample: aligned corners reproduce a plane, pooling undoes nearest") {
  Tensor rows = arange(5, {.dtype = DType::f64}).reshape({1, 5, 1, 1}),
         columns = arange(7, {.dtype = DType::f64}).reshape({1, 1, 7, 1});
  Tensor fine_rows = arange(15, {.dtype = DType::f64}).reshape({1, 15, 1, 1}) * (4 / 14.0);
  Tensor fine_columns = arange(21, {.dtype = DType::f64}).reshape({1, 1, 21, 1}) * (6 / 20.0);
  Tensor plane = 2 * rows + 3 * columns + 1.0, fine = 2 * fine_rows + 3 * fine_columns + 1.0;
  CHECK_LE(difference(upsample(plane, bilinear(3, true)), fine), 16 * epsilon(DType::f64) * largest(fine));
  Tensor x = normal({2, 3, 5, 7});
  CHECK(same_bits(max_pool2d(upsample(x, nearest(3)), {.kernel = 3}), x));
}

TEST_CASE("upsample: weights sum to one, and the gradient is the adjoint") {
  manual_seed(16);
  for (int scale : {1, 2, 3, 4})
    for (UpsampleOptions o : {nearest(scale), bilinear(scale, false), bilinear(scale, true)}) {
      Tensor y = upsample(ones({1, 3, 4, 2}), o);
      CHECK_LE(difference(y, ones(y.shape())), 4 * epsilon(DType::f32));
      check_adjoint([=](Tensor t) { return upsample(t, o); }, normal({2, 4, 3, 5}));
      check_adjoint([=](Tensor t) { return upsample(t, o); }, normal({1, 1, 2, 3}));
    }
}

TEST_CASE("upsample: tags and errors") {
  CHECK(upsample(zeros({1, 2, 2, 1, 16}, {.group = D16})).group() == D16);
  CHECK_THROWS_AS(upsample(zeros({2, 2})), ShapeError);
  CHECK(message_of<ValueError>([] {
          upsample(zeros({1, 2, 2, 1}), nearest(0));
        }) == "upsample: scale is 0; it must be positive");
  CHECK_THROWS_AS(upsample(zeros({1, 2, 2, 1}), {.align_corners = true}), ValueError);
}
