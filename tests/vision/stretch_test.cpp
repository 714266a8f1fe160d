// The asinh stretch and its gradient; the invertible stretch: where sky, noise and white go, and the way back.
#include <doctest/doctest.h>
#include <d16/autograd/gradcheck.hpp>
#include <d16/core/random.hpp>
#include <d16/cuda/use.hpp>
#include <d16/ops/arithmetic.hpp>
#include <d16/ops/reduce.hpp>
#include <d16/vision/stretch.hpp>

#include <limits>

using namespace d16;

namespace {
/// Sky 3 with noise 0.5 (band 1: ten times that), and a bright square in the middle.
Tensor noisy_square(double factor, TensorOptions o = {}) {
  Random random(4);
  Tensor x = empty({40, 40, 2}, o);
  for_float(o.dtype, [&]<class T>(T) {
    for (int64_t i = 0; i < 40; ++i)
      for (int64_t j = 0; j < 40; ++j)
        for (int64_t c = 0; c < 2; ++c) {
          bool bright = i >= 18 && i < 22 && j >= 18 && j < 22;
          x.data<T>()[(i * 40 + j) * 2 + c] =
              T((3 + 0.5 * random.normal() + (bright ? 50 : 0)) * (c ? 10 * factor : factor));
        }
  });
  return x;
}
}  // namespace

TEST_CASE("asinh_stretch: fixed points, oddness, gradient") {
  Tensor x = from(std::vector<double>{0, 1, -1, 0.05, 30}, {5}), y = vision::asinh_stretch(x, 0.1);
  CHECK(y.data<double>()[0] == 0);
  CHECK(y.data<double>()[1] == 1);
  CHECK(y.data<double>()[2] == -1);
  CHECK(y.data<double>()[3] == std::asinh(0.5) / std::asinh(10));
  CHECK_THROWS_AS(vision::asinh_stretch(x, 0), ValueError);
  manual_seed(1);
  CHECK(gradcheck([](Tensor t) { return vision::asinh_stretch(t, 3.0); }, normal({4, 5}, {.dtype = DType::f64})) <
        1e-7);
}

TEST_CASE("fit_stretch finds sky and noise in any unit; colour is signal to noise") {
  for (double unit : {1.0, 1e-9, 1e9}) {
    vision::Stretch s = vision::fit_stretch(noisy_square(unit));
    REQUIRE(s.bands.size() == 2);
    // 1584 sky pixels: the median is off by 1.25 sigma / sqrt(n) and sigma by sigma / sqrt(2n); five times that
    CHECK(std::abs(s.bands[0].sky / unit - 3) < 5 * 1.25 * 0.5 / std::sqrt(1584));
    CHECK(std::abs(s.bands[0].sigma / unit - 0.5) < 0.03);  // clipping at 3 sigma takes 1.4 % of sigma away as well
    CHECK(s.bands[0].white / s.bands[0].sigma == doctest::Approx(s.bands[1].white / s.bands[1].sigma));
    CHECK(s.bands[1].sigma / s.bands[0].sigma == doctest::Approx(10).epsilon(0.1));
    CHECK(s.bands[0].white / unit == doctest::Approx(50).epsilon(0.1));
  }
}

TEST_CASE("minus five sigma is 0, white is 1, and the way back is exact") {
  vision::Stretch s{{{.sky = 3, .sigma = 0.5, .white = 40}}, 5};
  Tensor x = from(std::vector<double>{3 - 2.5, 43, 3, 20, -100, 1000}, {2, 3}), y = s.apply(x);
  double const* v = y.data<double>();
  double epsilon = std::numeric_limits<double>::epsilon();
  CHECK(std::abs(v[0]) <= 4 * epsilon);
  CHECK(std::abs(v[1] - 1) <= 4 * epsilon);
  CHECK(v[2] == doctest::Approx(s.sky_level(0)));
  CHECK(v[4] == 0);
  CHECK(v[5] == 1);
  Tensor back = s.invert(y);
  for (int i = 0; i < 4; ++i)  // sinh of at most asinh(16) rounds a few times at a magnitude of 43
    CHECK(std::abs(back.data<double>()[i] - x.data<double>()[i]) <= 10 * 43 * epsilon);
  double h = 1e-6, y0 = v[3];
  Tensor around = s.invert(from(std::vector<double>{y0 + h, y0 - h}, {1, 2}));
  CHECK(s.slope(y0, 0) ==
        doctest::Approx((around.data<double>()[0] - around.data<double>()[1]) / (2 * h)).epsilon(1e-6));
  Tensor black = s.black_sky(y);
  CHECK(black.data<double>()[2] == doctest::Approx(0));
  CHECK(std::abs(black.data<double>()[1] - 1) <= 4 * epsilon);
}

TEST_CASE("NaN pixels are masked and become sky") {
  Tensor x = noisy_square(1);
  x.data<float>()[7] = std::numeric_limits<float>::quiet_NaN();
  x.data<float>()[8] = std::numeric_limits<float>::infinity();
  Tensor mask = vision::finite_mask(x);
  int64_t bad = 0;
  for (bool fine : mask.host<bool>()) bad += !fine;
  CHECK(bad == 2);
  CHECK_FALSE(mask.data<bool>()[7]);
  vision::Stretch s = vision::fit_stretch(x);
  Tensor y = s.apply(x);
  CHECK(y.data<float>()[7] == doctest::Approx(s.sky_level(1)));
  CHECK(y.data<float>()[8] == doctest::Approx(s.sky_level(0)));
  for (float v : y.host<float>()) REQUIRE((v >= 0 && v <= 1));
}

TEST_CASE("stretches on the devices reference and cuda_emulated are those of the cpu") {
  use_cuda_emulated();
  Tensor x = noisy_square(1);
  vision::Stretch s = vision::fit_stretch(x);
  auto difference = [](Tensor const& a, Tensor const& b) {
    Tensor other = a.to("cpu");
    double most = 0;
    for (int64_t i = 0; i < b.numel(); ++i)
      most = std::max(most, double(std::abs(other.data<float>()[i] - b.data<float>()[i])));
    return most;
  };
  double epsilon = std::numeric_limits<float>::epsilon();
  for (char const* device : {"reference", "cuda_emulated"}) {
    Tensor there = x.to(device), y = s.apply(x);
    vision::Stretch fitted = vision::fit_stretch(there);
    for (size_t b = 0; b < 2; ++b) {  // 1600 pixels below 600 and their squares, summed in doubles in another order
      CHECK(fitted.bands[b].sky == s.bands[b].sky);
      CHECK(std::abs(fitted.bands[b].sigma - s.bands[b].sigma) <= 2 * 1600 * 0x1p-52 * 600);
      CHECK(fitted.bands[b].white == doctest::Approx(s.bands[b].white).epsilon(1e-9));
    }
    CHECK(s.apply(there).device() == Device(device));
    CHECK(difference(s.apply(there), y) <= 8 * epsilon);  // see tests/cuda/stretch_test.cpp; nothing is above 1
    CHECK(difference(s.black_sky(y.to(device)), s.black_sky(y)) <= 4 * epsilon);
    CHECK(difference(s.invert(y.to(device)), s.invert(y)) <= 2 * epsilon * 600);  // in double, pixels are below 600
    there.set_requires_grad();
    Tensor leaf = x.clone().set_requires_grad();
    sum(vision::asinh_stretch(there, 0.5)).backward(), sum(vision::asinh_stretch(leaf, 0.5)).backward();
    CHECK(difference(there.grad(), leaf.grad()) <= 8 * epsilon / std::asinh(2) / 0.5);  // the slope at 0
  }
}

TEST_CASE("images without a scale are refused, images without noise have one") {
  Tensor flat = full({8, 8}, 2), nan = full({8, 8, 1}, std::numeric_limits<double>::quiet_NaN());
  CHECK_THROWS_WITH_AS(vision::fit_stretch(flat),
                       "fit_stretch: band 0: all pixels are 2; an image has at least two values", ValueError);
  CHECK_THROWS_AS(vision::fit_stretch(nan), ValueError);
  CHECK_THROWS_AS(vision::fit_stretch(zeros({2, 8, 8, 3})), ShapeError);
  CHECK_THROWS_AS(vision::Stretch{{}}.apply(flat), ShapeError);
  flat.data<float>()[5] = 3;
  vision::Stretch s = vision::fit_stretch(flat);
  CHECK(s.bands[0].sigma > 0);
  CHECK(s.apply(flat).data<float>()[5] > s.sky_level(0));
}
