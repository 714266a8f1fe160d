// Adaptive pooling: fast against reference, windows by hand, its laws, errors.
#include <d16/ops/adaptive_avg_pool2d.hpp>
#include <d16/ops/pool2d.hpp>
#include <d16/ops/reduce.hpp>

#include "compare.hpp"

using namespace d16;
using namespace d16::testing;

TEST_CASE("adaptive_avg_pool2d: fast against reference") {
  manual_seed(36);
  struct Case {
    Shape x;
    Pair size;
  };
  for (Case const& c : {Case{{1, 1, 1, 1}, 1}, Case{{2, 33, 31, 19}, 7}, Case{{1, 64, 40, 67}, {3, 5}},
                        Case{{3, 5, 6, 3}, {11, 4}}, Case{{1, 9, 8, 300}, {9, 2}}, Case{{2, 7, 6, 5, 16}, 3}}) {
    INFO(c.x.text(), " to ", c.size.text());
    Tensor x = normal(c.x);
    // added up in double; one rounding to float, of the same value in both. In double a window's sum has this many
    // terms, each larger than the mean that comes out
    double window = double((c.x[1] / c.size.h + 2) * (c.x[2] / c.size.w + 2));
    check_devices([=](auto t) { return adaptive_avg_pool2d(t[0], c.size); }, {x}, 1, 8 * window);
  }
}

TEST_CASE("adaptive_avg_pool2d: windows by hand") {
  Tensor x = arange(5, {.dtype = DType::f64}).reshape({1, 1, 5, 1});
  auto pooled = [&](int size) { return values(adaptive_avg_pool2d(x, {1, size})); };
  CHECK(pooled(1) == std::vector<double>{2});
  CHECK(pooled(2) == std::vector<double>{1, 3});         // 0-2 and 2-4: the middle is in both
  CHECK(pooled(3) == std::vector<double>{0.5, 2, 3.5});  // 0-1, 1-3, 3-4
  CHECK(pooled(5) == std::vector<double>{0, 1, 2, 3, 4});
  CHECK(pooled(10) == std::vector<double>{0, 0, 1, 1, 2, 2, 3, 3, 4, 4});
}

TEST_CASE("adaptive_avg_pool2d: the adjoint, constants, and pooling by windows where sizes divide") {
  manual_seed(37);
  Tensor x = normal({2, 9, 11, 3});
  check_adjoint([](Tensor t) { return adaptive_avg_pool2d(t, {4, 7}); }, x);
  check_adjoint([](Tensor t) { return adaptive_avg_pool2d(t, {13, 2}); }, x);
  CHECK_LE(difference(adaptive_avg_pool2d(ones({1, 7, 9, 5}), {3, 4}), ones({1, 3, 4, 5})), epsilon(DType::f32));
  Tensor even = normal({2, 12, 8, 3});
  CHECK_LE(difference(adaptive_avg_pool2d(even, {4, 2}), avg_pool2d(even, {.kernel = {3, 4}})),
           12 * epsilon(DType::f32) * largest(even));
  Tensor all = adaptive_avg_pool2d(x, 1).reshape({2, 3});
  CHECK_LE(difference(all, global_avg_pool(x)), 2 * epsilon(DType::f32));
}

TEST_CASE("adaptive_avg_pool2d: features keep their tag, errors") {
  CHECK(adaptive_avg_pool2d(zeros({1, 4, 4, 2, 16}, {.group = D16}), 2).group() == D16);
  CHECK(message_of<ValueError>([] {
          adaptive_avg_pool2d(zeros({1, 4, 4, 1}), {2, 0});
        }) == "adaptive_avg_pool2d: size is {2,0}; it must be positive");
  CHECK_THROWS_AS(adaptive_avg_pool2d(zeros({4, 4}), 1), ShapeError);
  CHECK_THROWS_AS(adaptive_avg_pool2d(zeros({1, 0, 4, 2}), 1), ShapeError);
}
