// The sixteen views of a picture: each quarter turn and mirror image once, whichever of them one begins with.
#include <doctest/doctest.h>
#include <d16/vision/views.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "pictures.hpp"

using namespace d16;

namespace {

Tensor square_picture() { return vision::centre_crop(testing::picture_a({.dtype = DType::f32}), 11, 11).contiguous(); }

double largest_difference(Tensor const& a, Tensor const& b) {
  Tensor x = a.contiguous(), y = b.contiguous();
  REQUIRE(x.shape() == y.shape());
  double largest = 0;
  for (int64_t i = 0; i < x.numel(); ++i)
    largest = std::max(largest, std::abs(double(x.data<float>()[i]) - double(y.data<float>()[i])));
  return largest;
}

/// How many of some views are among others, each within a difference.
int found(std::vector<Tensor> const& some, std::vector<Tensor> const& among, double difference) {
  return int(std::count_if(some.begin(), some.end(), [&](Tensor const& one) {
    return std::any_of(among.begin(), among.end(),
                       [&](Tensor const& other) { return largest_difference(one, other) <= difference; });
  }));
}

}  // namespace

TEST_CASE("dihedral_views: sixteen, the first as it is, no two alike") {
  Tensor x = square_picture();
  std::vector<Tensor> views = vision::dihedral_views(x);
  REQUIRE(views.size() == 16);
  CHECK(largest_difference(views[0], x) == 0);
  for (size_t i = 0; i < views.size(); ++i)
    for (size_t j = 0; j < i; ++j) CHECK(largest_difference(views[i], views[j]) > 0.01);
  Tensor half = vision::rotate(x, std::numbers::pi / 4);
  CHECK(found({half}, views, 0) == 1);
  CHECK(found({vision::rotate(x, std::numbers::pi / 2)}, views, 0x1p-21) ==
        1);  // bilinear: four weights, values below 1
}

TEST_CASE("dihedral_views: those of a mirrored and turned picture are the same, of one turned by 30 degrees not") {
  Tensor x = square_picture();
  std::vector<Tensor> views = vision::dihedral_views(x);
  Tensor turned = vision::flip_vertical(views[1]);
  // Of the interpolated half the weights are rounded in another order.
  CHECK(found(vision::dihedral_views(turned), views, 0x1p-20) == 16);
  CHECK(found(vision::dihedral_views(vision::rotate(x, std::numbers::pi / 6)), views, 0.01) == 0);
}

TEST_CASE("dihedral_views: batches picture by picture; only squares") {
  Tensor x = square_picture().reshape({11, 11, 1}), two = empty({2, 11, 11, 1});
  std::copy_n(x.data<float>(), x.numel(), two.data<float>());
  std::copy_n(vision::flip_horizontal(x).data<float>(), x.numel(), two.data<float>() + x.numel());
  std::vector<Tensor> of_both = vision::dihedral_views(two), of_one = vision::dihedral_views(x);
  for (size_t i = 0; i < of_both.size(); ++i) CHECK(largest_difference(of_both[i].select(0, 0), of_one[i]) == 0);
  CHECK_THROWS_AS(vision::dihedral_views(zeros({4, 5, 1})), ShapeError);
}
