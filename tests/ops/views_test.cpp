// Views: what they hold, when they copy, their adjoints, and errors.
#include <d16/ops/concat.hpp>
#include <d16/ops/views.hpp>

#include "compare.hpp"

using namespace d16;
using namespace d16::testing;

TEST_CASE("views: values by hand, memory shared") {
  Tensor x = arange(24).reshape({2, 3, 4});
  CHECK(values(x.slice(2, 1, 3).select(0, 1)) == std::vector<double>{13, 14, 17, 18, 21, 22});
  CHECK(values(x.permute({2, 0, 1}).select(0, 3)) == std::vector<double>{3, 7, 11, 15, 19, 23});
  CHECK(x.permute({-1, 0, 1}).shape() == Shape{4, 2, 3});
  CHECK(values(x.select(0, 0).select(0, 1).reshape({1, 4}).expand({2, 4})) ==
        std::vector<double>{4, 5, 6, 7, 4, 5, 6, 7});
  for (Tensor view :
       {x.slice(0, 1, 2), x.select(1, 2), x.permute({1, 0, 2}), x.reshape({6, 4}), x.expand({5, 2, 3, 4})})
    CHECK(view.same_memory(x));
  CHECK_FALSE(x.clone().same_memory(x));
  CHECK(x.contiguous().same_memory(x));
  CHECK_FALSE(x.permute({1, 0, 2}).contiguous().same_memory(x));
}

TEST_CASE("views: reshape copies only when it must") {
  Tensor x = arange(60).reshape({3, 4, 5}), turned = x.permute({1, 0, 2});
  CHECK(turned.reshape({2, 2, 3, 5, 1}).same_memory(x));  // axes are split
  CHECK(x.slice(1, 0, 2).reshape({3, 10}).same_memory(x));
  CHECK_FALSE(turned.reshape({12, 5}).same_memory(x));  // axes that are not neighbours would join
  CHECK(values(turned.reshape({2, 2, 3, 5, 1})) == values(turned));
  CHECK(values(turned.reshape({12, -1})) == values(turned));
  CHECK(values(x.slice(1, 1, 3).reshape({-1})) == values(x.slice(1, 1, 3)));
  Tensor crossed = arange(24).reshape({4, 6}).permute({1, 0});
  CHECK(values(crossed.reshape({4, 6})) == values(crossed));  // 4 and 6 do not divide each other
  CHECK(zeros({0, 3}).reshape({3, 0, 2}).numel() == 0);
  CHECK(ones({1, 1}).reshape({1}).item() == 1);
}

TEST_CASE("views: adjoints") {
  manual_seed(8);
  Tensor x = normal({5, 3, 7});
  check_adjoint([](Tensor t) { return t.slice(2, 1, 6); }, x);
  check_adjoint([](Tensor t) { return t.select(1, 2); }, x);
  check_adjoint([](Tensor t) { return t.permute({2, 0, 1}); }, x);
  check_adjoint([](Tensor t) { return t.reshape({7, 15}); }, x);
  check_adjoint([](Tensor t) { return t.slice(1, 0, 1).expand({2, 5, 4, 7}); }, x);
  check_adjoint([](Tensor t) { return concat({t, t.slice(1, 0, 2)}, 1); }, x);
  check_adjoint([](Tensor t) { return t.permute({1, 0, 2}).contiguous().clone(); }, x);
}

TEST_CASE("views: large copies are the same on both devices") {
  manual_seed(9);
  Tensor x = normal({3, 67, 259});
  check_devices([](auto t) { return t[0].permute({2, 1, 0}).contiguous(); }, {x}, 1);
  check_devices([](auto t) { return t[0].permute({0, 2, 1}).clone(); }, {x}, 1);
  check_devices([](auto t) { return concat({t[0], t[1]}, 2); }, {x, normal({3, 67, 5})}, 1);
}

TEST_CASE("views: casts keep gradients between floating types only") {
  Tensor x = from(std::vector<float>{1.5f, -2.25f}, {2}).set_requires_grad();
  Tensor wide = x.cast(DType::f64);
  wide.backward(full({2}, 3, {.dtype = DType::f64}));
  CHECK(x.grad().dtype() == DType::f32);
  CHECK(values(x.grad()) == std::vector<double>{3, 3});
  CHECK_FALSE(x.cast(DType::i64).requires_grad());
  CHECK(x.cast(DType::f32).same_memory(x));
}

TEST_CASE("views: tags follow their axis") {
  Tensor x = zeros({1, 2, 2, 3, 16}, {.group = D16});
  CHECK(x.slice(axis::C, 0, 2).group() == D16);
  CHECK(x.select(axis::G, 0).group() == Group{});
}

TEST_CASE("views: errors") {
  Tensor x = zeros({2, 3});
  CHECK(message_of<ShapeError>([&] { x.slice(1, 2, 4); }) == "slice: 2 to 4 of axis 1 of (2,3)");
  CHECK(message_of<ShapeError>([&] { x.select(0, 2); }) == "select: index 2 of axis 0 of (2,3)");
  CHECK(message_of<ShapeError>([&] { x.permute({0}); }) == "permute: 1 axes for shape (2,3)");
  CHECK(message_of<ShapeError>([&] { x.permute({1, 1}); }) == "permute: an axis of (2,3) is named twice");
  CHECK(message_of<ShapeError>([&] {
          x.expand({2, 4});
        }) == "expand: (2,3) does not repeat into (2,4); sizes must be equal or 1");
  CHECK(message_of<ShapeError>([&] {
          x.reshape({4, -1});
        }) == "reshape: (2,3) has 6 elements, which do not fill (4,-1)");
  CHECK_THROWS_AS(x.reshape({-1, -1}), ShapeError);
  CHECK_THROWS_AS(x.expand({3}), ShapeError);
  CHECK_THROWS_AS(x.to("cuda:0"), DeviceError);
}

TEST_CASE("concat: a ReLU on the way has the bits of a ReLU before, forward and backward") {
  manual_seed(43);
  for (DType dtype : {DType::f32, DType::f64})
    for (Shape const& first : {Shape{3, 5, 4, 8}, Shape{3, 5, 4, 7}, Shape{3, 5, 4, 1}}) {
      std::vector<Tensor> in{normal(first, {.dtype = dtype}), normal({3, 5, 4, 12}, {.dtype = dtype})};
      auto on_the_way = [](std::vector<Tensor> t) { return concat({t[0], t[1]}, axis::C, {.relu = {true}}); };
      auto before = [](std::vector<Tensor> t) { return concat({relu(t[0]), t[1]}, axis::C); };
      for (char const* device : {"cpu", "reference"}) {
        auto one = forward_and_back(on_the_way, in, device), two = forward_and_back(before, in, device);
        for (size_t i = 0; i < 3; ++i) CHECK(same_bits(one[i], two[i]));
      }
    }
  Tensor a = from(std::vector<float>{NAN, -1, 0, 2}, {2, 2}).set_requires_grad();
  Tensor y = concat({a, a.detach()}, -1, {.relu = {true}});
  CHECK(std::isnan(values(y)[0]));
  y.backward(ones({2, 4}));
  CHECK(values(a.grad()) == std::vector<double>{1, 0, 0, 1});
}

TEST_CASE("concat: values and errors") {
  Tensor a = arange(4).reshape({2, 2}), b = full({2, 1}, 9);
  CHECK(values(concat({a, b}, -1)) == std::vector<double>{0, 1, 9, 2, 3, 9});
  CHECK(values(concat({a, a}, 0)) == std::vector<double>{0, 1, 2, 3, 0, 1, 2, 3});
  CHECK(message_of<ShapeError>([&] { concat({a, b}, 0); }) == "concat: (2,1) does not join (2,2) along axis 0");
  CHECK_THROWS_AS(concat({}, 0), ValueError);
  CHECK_THROWS_AS(concat({a}, 0, {.relu = {true, true}}), ValueError);
  CHECK_THROWS_AS(concat({a, zeros({2, 2, 1})}, 0), ShapeError);
  CHECK_THROWS_AS(concat({a, a.cast(DType::f64)}, 0), DTypeError);
  Tensor f = zeros({1, 1, 1, 2, 4}, {.group = cyclic(4)});
  CHECK(concat({f, f}, axis::C).group() == cyclic(4));
  CHECK_THROWS_AS(concat({f, f.with_group(dihedral(2))}, axis::C), GroupError);
}
