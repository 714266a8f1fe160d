// Robust statistics against astropy, and what happens to pixels that are not finite.
#include <doctest/doctest.h>
#include <d16/vision/statistics.hpp>

#include <limits>

using namespace d16;

namespace {
Tensor with_outliers() {  // v = np.concatenate([((np.arange(50) * 37) % 101) / 100, [30, -20, 5, 4]])
  std::vector<double> v;
  for (int i = 0; i < 50; ++i) v.push_back(i * 37 % 101 / 100.0);
  for (double outlier : {30, -20, 5, 4}) v.push_back(outlier);
  return from(v, {6, 9});
}
double const epsilon = std::numeric_limits<double>::epsilon();
}  // namespace

TEST_CASE("mad_sigma and sigma_clipped_stats as astropy 6.1") {
  Tensor v = with_outliers();
  CHECK(std::abs(vision::mad_sigma(v) - 0.42254163227409663) <= 4 * epsilon);
  for (auto [sigma, rounds] : {std::pair{2.5, 3}, std::pair{3.0, -1}}) {
    vision::ClippedStats s = vision::sigma_clipped_stats(v, {.sigma = sigma, .maxiters = rounds});
    CHECK(std::abs(s.mean - 0.5002) <= 50 * epsilon);  // 50 values below 1 are added
    CHECK(s.median == 0.495);
    CHECK(std::abs(s.std - 0.29617217965230963) <= 50 * epsilon);
    CHECK(s.count == 50);
  }
  CHECK(vision::sigma_clipped_stats(v, {.sigma = 3, .maxiters = 0}).count == 54);
  CHECK(vision::sigma_clipped_stats(v, {.sigma = 3, .maxiters = 1}).count == 52);  // 5 and 4 hide behind 30 and -20
}

TEST_CASE("pixels that are not finite are left out") {
  double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  Tensor x = from(std::vector<double>{nan, 3, inf, 1, -inf, 2, 10}, {7});
  CHECK(vision::median(x) == 2.5);
  CHECK(vision::finite_values(x).size() == 4);
  CHECK(vision::sigma_clipped_stats(x, {.maxiters = 0}).mean == 4);
  Tensor none = from(std::vector<double>{nan, inf}, {2});
  CHECK_THROWS_AS(vision::median(none), ValueError);
  CHECK_THROWS_AS(vision::mad_sigma(none), ValueError);
  CHECK_THROWS_AS(vision::sigma_clipped_stats(none), ValueError);
}

TEST_CASE("quantiles lie between order statistics") {
  std::vector<double> v{5, 1, 4, 2, 3};
  CHECK(vision::quantile(v, 0) == 1);
  CHECK(vision::quantile(v, 1) == 5);
  CHECK(vision::quantile(v, 0.5) == 3);
  CHECK(vision::quantile(v, 0.625) == 3.5);
  CHECK_THROWS_AS(vision::quantile(v, 1.01), ValueError);
}

TEST_CASE("a strided view and small types have the statistics of their elements") {
  Tensor x = from(std::vector<float>{1, 100, 2, 200, 3, 300}, {3, 2});
  CHECK(vision::median(x.select(1, 0)) == 2);
  CHECK(vision::median(from(std::vector<uint8_t>{7, 9, 8}, {3})) == 8);
}
