// Group normalisation: fast against reference over several pieces, what it makes of any group, its laws, errors.
#include <d16/ops/arithmetic.hpp>
#include <d16/ops/concat.hpp>
#include <d16/ops/group_norm.hpp>
#include <d16/ops/reduce.hpp>

#include "compare.hpp"

using namespace d16;
using namespace d16::testing;

namespace {
Tensor group(Tensor x, int64_t begin, int64_t end) { return x.slice(axis::C, begin, end); }
}  // namespace

TEST_CASE("group_norm: fast against reference, images of one and of several pieces") {
  manual_seed(31);
  struct Case {
    Shape x;
    int groups;
  };
  for (Case const& c : {Case{{1, 1, 1, 2}, 1}, Case{{2, 9, 7, 3}, 3}, Case{{1, 130, 131, 12}, 4},
                        Case{{3, 33, 31, 64}, 8}, Case{{1, 17, 5, 515}, 5}}) {
    INFO(c.x.text(), " in ", c.groups, " groups");
    int64_t C = c.x[3];
    Tensor x = 2 * normal(c.x) + 3, w = uniform({C}) + 0.5, b = normal({C});
    double terms = double(x.numel() / c.x[0]);
    // float: sums are in double; a value passes through some ten roundings, and dx is a difference of such values whose
    // largest is not much smaller than they are. double: the sums too
    double few = 32;
    check_devices([=](auto t) { return group_norm(t[0], t[1], t[2], {.groups = c.groups, .eps = 0.1}); }, {x, w, b},
                  few, few + 2 * terms);
  }
}

TEST_CASE("group_norm: each group of each sample comes out with mean 0 and variance 1") {
  manual_seed(32);
  Tensor x = normal({3, 8, 9, 10}, {.dtype = DType::f64}) * 5.0 + 7.0, y = group_norm(x, {}, {}, {.groups = 2});
  for (int64_t n : {0, 1, 2})
    for (int64_t k : {0, 5}) {
      Tensor part = group(y.slice(axis::N, n, n + 1), k, k + 5);
      CHECK_LE(std::abs(mean(part).item()), 360 * epsilon(DType::f64));
      CHECK(mean(square(part)).item() == doctest::Approx(1).epsilon(1e-6));  // eps of 1e-5 in a variance of 25
    }
}

TEST_CASE("group_norm: scale and offset of a group do not matter, those of a channel do") {
  manual_seed(33);
  TensorOptions o{.dtype = DType::f64};
  Tensor x = normal({2, 5, 6, 6}, o), left = group(x, 0, 3), right = group(x, 3, 6);
  auto norm = [](Tensor t) { return group_norm(t, {}, {}, {.groups = 2, .eps = 0}); };
  Tensor moved = concat({left * 3.0 + 100.0, right * 0.1 - 2.0}, axis::C);
  CHECK_LE(difference(norm(moved), norm(x)), 1e4 * epsilon(DType::f64));  // 100 / 3, by some ten roundings, times 30
  CHECK(difference(norm(x * arange(6, o).reshape({1, 1, 1, 6})), norm(x)) > 0.1);
}

TEST_CASE("group_norm: as many groups as channels is instance norm: batch norm of one sample") {
  manual_seed(34);
  Tensor x = normal({1, 7, 5, 4}, {.dtype = DType::f64});
  Tensor expected = batch_norm2d(x, {}, {}, {}, {}, {.training = true});
  CHECK_LE(difference(group_norm(x, {}, {}, {.groups = 4}), expected), 70 * epsilon(DType::f64) * largest(expected));
}

TEST_CASE("group_norm: a sample does not see the others, a float image far from zero keeps its digits") {
  manual_seed(35);
  Tensor x = normal({3, 6, 5, 4}), alone = x.slice(axis::N, 1, 2).contiguous();
  CHECK(same_bits(group_norm(x, {}, {}, {.groups = 2}).slice(axis::N, 1, 2).contiguous(),
                  group_norm(alone, {}, {}, {.groups = 2})));
  // 2^22 and every fourth value one more: exact in float32, whose neighbours are half a unit apart there, but the mean,
  // a quarter more, is not
  std::vector<double> steps;
  for (int i = 0; i < 4096; ++i) steps.push_back(i % 16 < 4);
  Tensor near = from(steps, {1, 64, 16, 4}), far = (near + double(1 << 22)).cast(DType::f32);
  auto near_back = forward_and_back([](auto t) { return group_norm(t[0]); }, {near}, "cpu");
  auto far_back = forward_and_back([](auto t) { return group_norm(t[0]); }, {far}, "cpu");
  // y is sqrt(3) at most and dx a difference of values some times as large as itself
  for (size_t i : {0, 1})
    CHECK_LE(difference(far_back[i], near_back[i]), 16 * epsilon(DType::f32) * largest(near_back[i]));
}

TEST_CASE("group_norm: errors") {
  Tensor x = zeros({2, 3, 3, 6});
  CHECK(message_of<ValueError>([&] { group_norm(x, {}, {}, {.groups = 4}); }) ==
        "group_norm: 6 channels in 4 groups; the groups must divide the channels");
  CHECK_THROWS_AS(group_norm(x, {}, {}, {.groups = 0}), ValueError);
  CHECK_THROWS_AS(group_norm(zeros({2, 6})), ShapeError);
  CHECK_THROWS_AS(group_norm(zeros({2, 0, 3, 6})), ShapeError);
  CHECK_THROWS_AS(group_norm(x, ones({5})), ShapeError);
  CHECK_THROWS_AS(group_norm(x, ones({6}, {.dtype = DType::f64})), DTypeError);
}
