// HOG: the fast path of each instruction set against atan2 pixel by pixel, every tie, and what mirroring must do.
#include <doctest/doctest.h>
#include <d16/cuda/use.hpp>
#include <d16/ops/arithmetic.hpp>
#include <d16/vision/filter.hpp>
#include <d16/vision/hog.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include "../kernels/isas.hpp"

using namespace d16;
using vision::BlockNorm;
using vision::HogOptions;

namespace {
double const epsilon = std::numeric_limits<double>::epsilon();

/// Uniform in [0, 1), or whole numbers below `levels`.
Tensor picture(Shape shape, uint64_t seed, int levels = 0) {
  Tensor x = empty(shape, {.dtype = DType::f64});
  Random random(seed);
  for (double& v : x.host<double>()) v = levels ? double(random.integer(levels)) : random.uniform();
  return x;
}

std::vector<double> fast(Tensor const& x, HogOptions const& o, kernels::cpu::Isa isa) {
  kernels::Hog<double> a = vision::detail::hog_args<double>(vision::extent_of("hog", x.shape()), o);
  std::vector<double> y(static_cast<size_t>(a.features()));
  a.x = x.data<double>(), a.y = y.data();
  vision::detail::hog_fast(a, 0, isa);
  return y;
}

/// The one cell of a 3x3 image whose only gradient, in the middle, is (x, y): its bins.
std::vector<double> bins_of(double x, double y, int orientations, kernels::cpu::Isa isa) {
  Tensor image = from(std::vector<double>{0, 0, 0, 0, 0, x, 0, y, 0}, {3, 3});
  return fast(image,
              {.orientations = orientations, .pixels_per_cell = 3, .cells_per_block = 1, .block_norm = BlockNorm::l1},
              isa);
}
}  // namespace

TEST_CASE("hog: every instruction set gives what atan2 gives, for all options and odd sizes") {
  struct Setting {
    Shape shape;
    HogOptions o;
    int levels;
  };
  for (Setting const& s :
       {Setting{{32, 40}, {}, 0},
        Setting{{23, 31}, {.orientations = 12, .pixels_per_cell = {5, 7}, .cells_per_block = {2, 1}}, 0},
        Setting{{17, 19, 7}, {.orientations = 1, .pixels_per_cell = {3, 1}, .cells_per_block = 1}, 0},
        Setting{{33, 8, 3}, {.orientations = 8, .pixels_per_cell = 4, .cells_per_block = 2}, 3},
        Setting{{40, 41, 2}, {.orientations = 28, .pixels_per_cell = {11, 10}, .cells_per_block = 3}, 4},
        Setting{{1, 1}, {.pixels_per_cell = 1, .cells_per_block = 1}, 0},
        Setting{{2, 3}, {.pixels_per_cell = 2, .cells_per_block = 1}, 5},
        Setting{{64, 65}, {.orientations = 49, .transform_sqrt = true}, 0}})
    for (BlockNorm norm : {BlockNorm::l1, BlockNorm::l1_sqrt, BlockNorm::l2, BlockNorm::l2_hys})
      for (kernels::cpu::Isa isa : testing::isas()) {
        HogOptions o = s.o;
        o.block_norm = norm;
        Tensor x = picture(s.shape, 7, s.levels), expected = vision::hog_reference(x, o);
        std::vector<double> got = fast(x, o, isa);
        // A bin is the difference of two sums over a cell, each off by its terms, relative to the whole cell, which is
        // at most sqrt(bins) times the norm; then the norm itself is a sum over the block.
        double terms = double(o.pixels_per_cell.h) * o.pixels_per_cell.w * std::sqrt(o.orientations) +
                       double(o.cells_per_block.h) * o.cells_per_block.w * o.orientations;
        double worst = 0;
        for (size_t k = 0; k < got.size(); ++k) {
          double a = got[k], b = expected.data<double>()[k];
          double d = norm == BlockNorm::l1_sqrt ? std::abs(a * a - b * b) : std::abs(a - b);
          worst = d <= worst ? worst : std::isnan(d) ? INFINITY : d;
        }
        CAPTURE(s.shape.text());
        CAPTURE(int(norm));
        CHECK(worst <= 4 * terms * epsilon);
      }
}

TEST_CASE("hog: gradients on the bounds of bins, and as near to 180 degrees as doubles go") {
  for (kernels::cpu::Isa isa : testing::isas()) {
    auto bin = [&](double x, double y, int orientations) {
      std::vector<double> h = bins_of(x, y, orientations, isa);
      for (size_t i = 0; i < h.size(); ++i)
        if (h[i] > 0.5) return int(i);
      return -1;
    };
    // With scikit-image 0.26: the bound belongs to the bin that it begins.
    CHECK(bin(1, 0, 8) == 0);
    CHECK(bin(-1, 0, 8) == 0);
    CHECK(bin(1, 1, 8) == 2);
    CHECK(bin(-1, -1, 8) == 2);
    CHECK(bin(0, 1, 8) == 4);
    CHECK(bin(0, -3, 8) == 4);
    CHECK(bin(-2, 2, 8) == 6);
    CHECK(bin(2, -2, 8) == 6);
    // 180 / 676 * 169 is 45.00000000000001 in doubles: the bound is above the tie, which stays in the bin below.
    CHECK(180.0 / 676 * 169 > 45);
    CHECK(bin(1, 1, 676) == 168);
    CHECK(bin(0, 1, 676) == 337);
    CHECK(bin(-1, 1, 676) == 507);
    // An angle of -1e-17 is 180 after the remainder, outside of all bins; pi - 1e-17 is pi, and its remainder 0.
    CHECK(bin(1, -1e-17, 9) == -1);
    CHECK(bin(1, -1e-15, 9) == 8);
    CHECK(bin(-1, 1e-17, 9) == 0);
    CHECK(bin(-1, 1e-15, 9) == 8);
    CHECK(bin(1, 1e-17, 9) == 0);
    CHECK(bin(-1, -1e-17, 9) == 0);
    for (int k = 0; k < 360; ++k) {  // and everywhere else the bin of the angle
      double angle = (k + 0.5) * 3.141592653589793 / 180;
      REQUIRE(bin(std::cos(angle), std::sin(angle), 9) == k % 180 / 20);
    }
  }
}

TEST_CASE("hog: a mirrored image has mirrored cells and angles") {
  HogOptions o{.orientations = 9, .pixels_per_cell = {4, 5}, .cells_per_block = 1, .block_norm = BlockNorm::l1};
  Tensor x = picture({16, 20}, 3), plain = vision::hog(x, o), mirrored = vision::hog(vision::flip_horizontal(x), o);
  double worst = 0, moved = 0;
  for (int64_t i = 1; i < 3; ++i)  // without the edges above and below: gradients at 0 degrees stay in bin 0
    for (int64_t j = 0; j < 4; ++j)
      for (int64_t bin = 0; bin < 9; ++bin) {
        double got = mirrored.data<double>()[(i * 4 + j) * 9 + bin];
        worst = std::max(worst, std::abs(got - plain.data<double>()[(i * 4 + 3 - j) * 9 + 8 - bin]));
        moved = std::max(moved, std::abs(got - plain.data<double>()[(i * 4 + j) * 9 + bin]));
      }
  // Sums over 20 pixels, differences of two of them, norm.
  CHECK(worst <= 4 * 20 * 3 * epsilon);
  CHECK(moved > 0.1);
}

TEST_CASE("hog: batches, strides and float32 are what single pictures are") {
  Tensor x = picture({3, 17, 25, 2}, 5).cast(DType::f32), all = vision::hog(x, {.cells_per_block = 2});
  CHECK(all.shape() == Shape{3, vision::hog_shape(17, 25, {.cells_per_block = 2}).numel()});
  for (int64_t n = 0; n < 3; ++n) {
    Tensor one = vision::hog(x.select(0, n), {.cells_per_block = 2}),
           reference = vision::hog_reference(x.select(0, n).cast(DType::f64), {.cells_per_block = 2});
    for (int64_t k = 0; k < one.numel(); ++k) {
      REQUIRE(one.data<float>()[k] == all.data<float>()[n * one.numel() + k]);
      REQUIRE(std::abs(one.data<float>()[k] - reference.data<double>()[k]) <=
              0x1p-24);  // one rounding of values below 1
    }
  }
  CHECK(vision::hog_shape(64, 64).text() == Shape({6, 6, 3, 3, 9}).text());
}

TEST_CASE("hog: the devices reference and cuda_emulated give the same, in the same shapes") {
  use_cuda_emulated();
  Tensor x = picture({2, 24, 27, 3}, 6).cast(DType::f32);
  HogOptions o{.orientations = 7, .pixels_per_cell = {5, 4}, .cells_per_block = 2};
  for (Tensor const& image : {x, x.select(0, 1), x.select(0, 0).select(2, 1)}) {
    Tensor expected = vision::hog(image, o);
    for (char const* device : {"reference", "cuda_emulated"}) {
      Tensor y = vision::hog(image.to(device), o);
      CHECK(y.device() == Device(device));
      REQUIRE(y.shape() == expected.shape());
      Tensor got = y.to("cpu");
      for (int64_t k = 0; k < got.numel(); ++k)  // doubles of the same number, each rounded to float32, below 1
        REQUIRE(std::abs(got.data<float>()[k] - expected.data<float>()[k]) <= 0x1p-23);
    }
  }
  CHECK_THROWS_AS(vision::hog(x.to("cuda_emulated"), {.orientations = 129, .cells_per_block = 1}), ValueError);
}

TEST_CASE("hog: NaN stays in the blocks that it touches; wrong input is refused") {
  Tensor x = picture({32, 16}, 9);
  x.data<double>()[4 * 16 + 4] = NAN;
  HogOptions o{.cells_per_block = 1};
  for (Tensor const& y : {vision::hog(x, o), vision::hog_reference(x, o)})
    for (int64_t k = 0; k < y.numel(); ++k) CHECK(std::isnan(y.data<double>()[k]) == (k < 9));
  CHECK_THROWS_WITH_AS(vision::hog(x),
                       "hog: the image has 32x16 pixels; blocks of {3,3} cells of {8,8} pixels need 24x24", ValueError);
  CHECK_THROWS_AS(vision::hog(x, {.orientations = 0}), ValueError);
  CHECK_THROWS_AS(vision::hog(x - 1, {.cells_per_block = 1, .transform_sqrt = true}), ValueError);
  CHECK_THROWS_AS(vision::hog(zeros({64}), {}), ShapeError);
  CHECK_THROWS_AS(vision::hog(zeros({64, 64}, {.dtype = DType::u8})), DTypeError);
  CHECK_THROWS_AS(vision::block_norm_of("L3"), ValueError);
}
